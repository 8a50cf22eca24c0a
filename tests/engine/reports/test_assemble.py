"""The line that repeats a report, read back by the command line itself."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.cli import _parser
from engine.reports.assemble import make_report
from engine.types import Artifact, Model, Target
from tests.engine.reports.made import SIGNATURE, report


def command(
    tmp_path: Path,
    kind: str,
    facts: dict[str, str],
    failures: dict[str, str],
    made: str = "",
    **planned: Any,
) -> list[str]:
    """The arguments after ``python -m engine`` for a model and what was asked of it.

    ``planned`` are fields of the plan.
    """
    original = Artifact("o", "torch", tmp_path / "net.pt", "ab" * 32, 1, SIGNATURE)
    others = tuple(
        Artifact(name, name, tmp_path / name, "cd" * 32, 1, SIGNATURE) for name in made.split()
    )
    measurement = report().measurement
    assert measurement is not None
    whole = make_report(
        report_id="r",
        model=Model(
            "m", "net.pt", kind, original, "carried", 1, {}, facts, (), (), "2026-01-02T03:04:05"
        ),
        artifacts=(original, *others),
        verifications={},
        qualities={},
        failures=failures,
        measurement=replace(measurement, plan=replace(measurement.plan, **planned)),
        advice=None,
        preset="quick",
    )
    words = shlex.split(whole.reproduce)
    assert words[:3] == ["python", "-m", "engine"]
    return words[3:]


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


@pytest.mark.parametrize("kind", ["state_dict", "safetensors"])
@pytest.mark.parametrize(
    ("architecture", "said"), [("transformers", "config.json"), ("digits", "digits")]
)
def test_bare_weights_are_repeated_with_what_they_belong_to(
    tmp_path: Path, kind: str, architecture: str, said: str
) -> None:
    words = command(tmp_path, kind, {"Architecture": architecture}, {}, "onnx")
    assert after(words, "--architecture") == said


def test_a_folder_says_its_architecture_itself(tmp_path: Path) -> None:
    words = command(tmp_path, "huggingface", {"Architecture": "transformers"}, {}, "onnx")
    assert "--architecture" not in words


@pytest.mark.parametrize(
    ("made", "failures", "asked"),
    [
        ("onnx", {"exported": "A branch."}, "onnx,exported"),
        ("onnx", {"onnx": "Broken."}, "onnx"),
        ("", {"onnx": "No."}, "onnx"),
        ("", {}, "torch"),
    ],
)
def test_it_asks_for_all_that_was_asked_for(
    tmp_path: Path, made: str, failures: dict[str, str], asked: str
) -> None:
    words = command(tmp_path, "state_dict", {"Architecture": "digits"}, failures, made)
    assert after(words, "--to") == asked
    (tmp_path / "net.pt").touch()
    words[words.index("--model") + 1] = str(tmp_path / "net.pt")
    assert _parser().parse_args(words).to == tuple(map(Target, asked.split(",")))


def test_it_asks_for_the_same_studies_at_the_same_length(tmp_path: Path) -> None:
    (tmp_path / "net.pt").touch()
    asked: dict[str, Any] = {"studies": ("energy", "tokens"), "prompt_tokens": 200}
    words = command(tmp_path, "state_dict", {"Architecture": "digits"}, {}, "onnx", **asked)
    words[words.index("--model") + 1] = str(tmp_path / "net.pt")
    found = _parser().parse_args(words)
    assert (found.also, found.prompt_tokens) == (("energy", "tokens"), 200)
    plain = command(tmp_path, "state_dict", {"Architecture": "digits"}, {}, "onnx")
    assert "--prompt-tokens" not in plain
