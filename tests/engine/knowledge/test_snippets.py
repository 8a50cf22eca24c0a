"""The founding document's code blocks are run again: each ends as the knowledge base says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.formats.gguf import converter
from engine.knowledge import Snippet, list_snippets

ROOT = Path(__file__).parents[3]
STAND_IN = """
import sys
from tests.fakes import cuda, tensorrt
card = cuda.Gpu()
driver = cuda.driver(card)
driver.init()
driver.Device(0).retain_primary_context().push()
sys.modules["tensorrt"] = tensorrt.tensorrt("11", card)
"""


def script(snippet: Snippet) -> str:
    before = STAND_IN if snippet.language == "tensorrt" else ""
    return "\n".join(part for part in (before, snippet.given, snippet.code, snippet.shows) if part)


def tiny_onnx(path: Path) -> None:
    from tests import models

    models.onnx_model(path, [("Relu", ["x"], ["y"])])


@pytest.mark.parametrize("snippet", list_snippets(), ids=lambda snippet: snippet.id)
def test_a_snippet_ends_as_it_is_said_to(snippet: Snippet, tmp_path: Path) -> None:
    home = converter.HOME if snippet.language == "bash" else tmp_path
    if snippet.id == "tensorrt":
        tiny_onnx(tmp_path / "model.onnx")
    file = tmp_path / "snippet"
    file.write_text(script(snippet), encoding="utf-8")
    command = ["bash"] if snippet.language == "bash" else [sys.executable, "-W", "always"]
    done = subprocess.run(
        [*command, str(file)],
        cwd=home,
        env={
            **os.environ,
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) == (snippet.outcome == "fails"), said[-2000:]
    assert snippet.says is None or snippet.says in said, said[-2000:]


def test_what_no_longer_works_says_so_in_words_of_the_tool() -> None:
    assert all(one.says for one in list_snippets() if one.outcome == "fails")
