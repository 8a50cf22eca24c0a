"""Folders that become GGUF, or do not: what is refused, whose code runs, how the converter ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.architectures import folder
from engine.errors import ConversionError, UnsafeModel, UnsupportedModel
from engine.formats.gguf import alone, conversion, converter
from engine.formats.gguf.file import check
from engine.formats.gguf.quantizations import GgufOptions
from engine.types import (
    Artifact,
)
from tests import models


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return models.language_model(tmp_path_factory.mktemp("eager") / "torch")


def test_a_model_of_its_own_code_runs_none_of_it(
    eager: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder says where its code is, in every way there is; the code would leave a mark."""
    mark = tmp_path / "ran"
    model = tmp_path / "torch"
    spec, weights = folder.read_spec(eager.path), folder._weights(eager.path / folder.WEIGHTS)
    code = {"AutoConfig": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    config = {**spec.config, "auto_map": code, "trust_remote_code": True}
    signature, _ = folder.write(model, type(spec)(spec.architecture, config), weights)
    (model / "own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")
    settings = {"auto_map": code, "tokenizer_class": "Own", "vocab_file": "/etc/passwd"}
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    (model / "tokenizer.model").write_bytes(models.sentencepiece_model())
    hostile = models.artifact("torch", model, signature)
    registry.edge("torch", "gguf")(hostile, tmp_path / "a.gguf", GgufOptions())
    assert check(tmp_path / "a.gguf").architecture == "llama"
    converter.lay_out(model, tmp_path / "laid-out")
    assert not list((tmp_path / "laid-out").glob("*.py"))
    assert "auto_map" not in (tmp_path / "laid-out" / "config.json").read_text()
    kept = json.loads((tmp_path / "laid-out" / "tokenizer_config.json").read_text())
    assert kept == {"tokenizer_class": "Own"}
    assert not mark.exists()


def test_the_door_is_shut_to_whoever_trusts_a_model_s_code(eager: Artifact, tmp_path: Path) -> None:
    """What some of the converters do, on a folder as it came: behind the door, and without."""
    mark, model = tmp_path / "ran", tmp_path / "model"
    converter.lay_out(eager.path, model)
    (model / "own.py").write_text(
        f"open({str(mark)!r}, 'w')\n"
        "from transformers import PreTrainedTokenizer\nclass Own(PreTrainedTokenizer): pass\n"
    )
    settings = {"auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}, "tokenizer_class": "Own"}
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    script = tmp_path / "trusting.py"
    script.write_text(
        "import sys; from transformers import AutoTokenizer\n"
        "AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
    )

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-I", *command, str(model)],
            env=converter._environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr

    said = run(alone.__file__, str(os.getpid()), str(script))
    assert alone.REFUSED in said and not mark.exists()
    assert isinstance(converter._failure(said, 1), UnsafeModel)
    run(str(script))
    assert mark.exists(), "without the door the code runs: the test would see it"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["NobodyForCausalLM"]}, "know the architecture 'NobodyForCausalLM'"),
        ({"architectures": []}, "know the architecture 'None'"),
    ],
)
def test_an_unknown_architecture_is_said_at_once(
    eager: Artifact, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    spec = json.loads((eager.path / folder.ARCHITECTURE).read_text())
    spec["config"] |= config
    (tmp_path / folder.ARCHITECTURE).write_text(json.dumps(spec))
    unknown = models.artifact("torch", tmp_path, eager.signature)
    why = conversion.fits(unknown)
    assert why is not None and said in why
    assert "llama" in why and "qwen" in why and f"{len(converter.known())} of" in why


def test_weights_without_their_tokenizer_are_refused_with_the_reason(tmp_path: Path) -> None:
    bare = models.eager(tmp_path / "torch", "transformers", models.LLAMA)
    why = registry.refusal(bare, "gguf")
    assert why is not None and "without their tokenizer" in why
    assert "gguf" not in registry.targets("torch", bare)
    with pytest.raises(UnsupportedModel, match="without their tokenizer"):
        registry.edge("torch", "gguf")(bare, tmp_path / "a.gguf", GgufOptions())


def test_what_is_no_language_model_is_refused_with_what_it_is(tmp_path: Path) -> None:
    why = registry.refusal(models.eager(tmp_path / "digits"), "gguf")
    assert why is not None and "takes image and gives logits" in why
    bert = models.eager(tmp_path / "bert", "transformers", models.BERT)
    why = registry.refusal(bert, "gguf")
    assert why is not None and "last_hidden_state" in why


def test_a_converter_that_fails_says_why(eager: Artifact, tmp_path: Path) -> None:
    model = tmp_path / "model"
    converter.lay_out(eager.path, model)
    (model / "tokenizer.model").unlink()
    (model / "tokenizer.model").write_text("no tokenizer")
    with pytest.raises(Exception, match="converter failed") as caught:
        converter.convert(model, tmp_path / "a.gguf", "f32", tmp_path)
    assert not (tmp_path / "a.gguf").exists()
    assert getattr(caught.value, "hint", "")


def test_a_converter_that_never_stops_talking_is_heard_to_its_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it goes to the log as it comes; what is held is the end, where the reason stands."""
    script = tmp_path / "talker.py"
    script.write_text("print('a line of nothing\\n' * 20_000)\nraise SystemExit('the reason')\n")
    monkeypatch.setattr(converter, "SCRIPT", script)
    heard: list[int] = []
    failure = converter._failure
    monkeypatch.setattr(
        converter, "_failure", lambda said, status: heard.append(len(said)) or failure(said, status)
    )
    with pytest.raises(ConversionError, match="the reason"):
        converter.convert(tmp_path, tmp_path / "a.gguf", "f32", tmp_path)
    assert heard == [converter._TAIL]
    assert capsys.readouterr().err.count("a line of nothing") == 20_000
