"""A model.py with weights: refused unless it is allowed, run in the worker, kept for later ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import registry
from engine.errors import BadRequest, EngineError, InvalidModel, UnsafeModel
from engine.files import hash_path
from engine.settings import settings
from engine.sources import Recognised, Wanted, recognise
from engine.sources.detect import identify
from engine.types import Signature, TensorSpec
from engine.verify.model import Verdict
from tests import models

CODE = """
import torch
from blocks import Block


class Net(torch.nn.Module):
    def __init__(self, width: int = 4, depth: int = 1) -> None:
        super().__init__()
        self.scale = torch.linspace(1, 2, width).tolist()[-1]
        self.blocks = torch.nn.Sequential(*[Block(width) for _ in range(depth)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x) * self.scale
"""
BLOCK = """
import torch


class Block(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(x)) + x
"""
SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 6)),))


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ASSAY_ALLOW_MODEL_CODE", "1")
    settings.cache_clear()
    yield
    settings.cache_clear()


def written(home: Path, code: str = CODE, depth: int = 2, width: int = 6) -> Path:
    """The folder a person brings: code in two files, arguments, weights."""
    import torch

    home.mkdir()
    (home / "model.py").write_text(code)
    (home / "blocks.py").write_text(BLOCK)
    (home / "kwargs.json").write_text(json.dumps({"width": width, "depth": depth}))
    torch.manual_seed(3)
    layers = {f"blocks.{i}.layer": torch.nn.Linear(width, width) for i in range(depth)}
    state = {f"{n}.{k}": v for n, m in layers.items() for k, v in m.state_dict().items()}
    torch.save(state, home / "weights.pt")
    return home


def zipped(home: Path) -> Path:
    target = home.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as file:
        for path in home.iterdir():
            file.write(path, path.name)
    return target


def bring(path: Path, out: Path, **wanted: Any) -> Recognised:
    out.mkdir()
    return recognise(identify(path), Wanted(**wanted), out, lambda *_: None)


def test_it_is_recognised_and_refused_in_words(tmp_path: Path) -> None:
    settings.cache_clear()
    brought = written(tmp_path / "net", code="raise SystemExit('ran')")
    with pytest.raises(UnsafeModel, match=r"own code \(model.py\).*switched off") as caught:
        bring(brought, tmp_path / "out", signature=SIGNATURE)
    assert "ASSAY_ALLOW_MODEL_CODE=1" in caught.value.hint
    assert not list((tmp_path / "out").rglob("*.py"))


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("pack", [zipped, lambda home: home], ids=["zip", "folder"])
def test_it_runs_and_converts(pack: Any, tmp_path: Path) -> None:
    made = bring(pack(written(tmp_path / "net")), tmp_path / "out", signature=SIGNATURE)
    assert made.facts["Architecture"] == "model.py"
    assert made.parameters == 2 * (36 + 6)
    assert "model.py was run: the class Net is its own code." in made.notes
    original = models.artifact("torch", made.path, made.signature)
    assert original.signature.outputs[0].shape == ("batch", 6)
    for target in ("onnx", "torchscript"):
        candidate = models.converted(original, target, tmp_path / target)
        found = models.verified(original, candidate, tmp_path / f"v{target}")
        assert found.verdict in (Verdict.EXACT, Verdict.EQUIVALENT), found.sentence
    assert hash_path(made.path) == original.sha256, "running it must not change its folder"


def test_a_later_worker_asks_the_same_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_MODEL_CODE", "1")
    settings.cache_clear()
    made = bring(written(tmp_path / "net"), tmp_path / "out", signature=SIGNATURE)
    run = [
        sys.executable,
        "-c",
        f"""
from pathlib import Path
from engine import registry
from engine.errors import EngineError
try:
    print(type(registry.formats()["torch"].load(Path({str(made.path)!r}))).__name__)
except EngineError as error:
    print(type(error).__name__)
""",
    ]
    for said, expected in (("1", "Net"), ("", "UnsafeModel")):
        env = {**os.environ, "ASSAY_ALLOW_MODEL_CODE": said, "PYTHONPATH": "."}
        done = subprocess.run(run, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
    settings.cache_clear()


def test_the_worker_is_told_what_the_host_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.jobs.isolation import launching
    from engine.jobs.isolation.tiers import Tier

    for said, told in (("1", "1"), ("", ""), ("yes", "")):
        monkeypatch.setenv("ASSAY_ALLOW_MODEL_CODE", said)
        settings.cache_clear()
        assert launching._minimal(tmp_path, Tier.B)["ASSAY_ALLOW_MODEL_CODE"] == told
    settings.cache_clear()


TWO = CODE + "\n\nclass Other(Net):\n    pass\n"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("code", "wanted", "error", "message"),
    [
        (TWO, {}, BadRequest, r"defines 2 nn.Module classes: Net, Other"),
        (TWO, {"architecture": "Third"}, BadRequest, r"no class 'Third'.*it has Net, Other"),
        ("import nowhere", {}, InvalidModel, r"failed at model.py, line 1: `import nowhere`: Mod"),
        (CODE.replace("depth: int", "deep: int"), {}, InvalidModel, "unexpected keyword .*depth"),
        (CODE.replace("range(depth)", "range(3)"), {}, InvalidModel, "2 weights are missing"),
    ],
)
def test_what_is_wrong_with_it_is_said(
    code: str, wanted: dict[str, str], error: type[EngineError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        bring(written(tmp_path / "net", code), tmp_path / "out", signature=SIGNATURE, **wanted)


@pytest.mark.usefixtures("allowed")
def test_class_and_inputs_may_lie_beside_it(tmp_path: Path) -> None:
    home = written(tmp_path / "net", TWO)
    with pytest.raises(BadRequest, match="does not say what goes into the model"):
        bring(home, tmp_path / "out")
    (home / "kwargs.json").write_text(json.dumps({"class": "Other", "width": 6, "depth": 2}))
    inputs = [{"name": "x", "dtype": "float32", "shape": ["batch", 6]}]
    (home / "signature.json").write_text(json.dumps({"inputs": inputs}))
    made = bring(home, tmp_path / "again")
    assert made.signature_origin == "carried"
    assert type(registry.formats()["torch"].load(made.path)).__name__ == "Other"


@pytest.mark.usefixtures("allowed")
def test_weights_are_never_unpickled_even_here(tmp_path: Path) -> None:
    home = written(tmp_path / "net")
    (home / "more.bin").write_bytes(b"x")
    with pytest.raises(InvalidModel, match=r"one file of weights beside model\.py"):
        bring(home, tmp_path / "out", signature=SIGNATURE)
    (home / "more.bin").unlink()
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("true",)

    (home / "weights.pt").write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(UnsafeModel):
        bring(home, tmp_path / "again", signature=SIGNATURE)
