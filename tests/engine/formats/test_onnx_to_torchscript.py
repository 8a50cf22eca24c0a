"""ONNX to TorchScript: only where onnx2torch and a fitting torchvision are, and said where not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from engine import registry
from engine.errors import MissingDependency
from engine.formats.torchscript import TorchScriptOptions
from engine.knowledge import reach_from
from engine.lazy import Requirement
from tests import models

ONNX2TORCH = Requirement("onnx2torch", "onnx2torch").installed


def pretend(monkeypatch: pytest.MonkeyPatch, torch: str, vision: str, needs: str) -> None:
    """Both packages installed, of these versions."""
    versions = {"torch": torch, "torchvision": vision, "onnx2torch": "1.5.15"}
    monkeypatch.setattr(Requirement, "installed", property(lambda _: True))
    monkeypatch.setattr(Requirement, "version", property(lambda self: versions[self.module]))
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy", f"torch{needs}"])


@pytest.mark.parametrize(
    ("torch", "vision", "needs", "said"),
    [
        ("2.13.0+cpu", "0.28.0", "==2.13.0", "does not import beside torch 2.13.0+cpu"),
        ("2.13.0+cpu", "0.28.0+cpu", "==2.12.1", "does not import beside torch 2.13.0+cpu"),
        ("2.13.0+cpu", "0.28.0+cpu", "==2.13.0", ""),
        ("2.13.0", "0.28.0", " (==2.13.0)", ""),
    ],
)
def test_two_builds_do_not_go_together(
    torch: str, vision: str, needs: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known from the packages' own words, because the web process never imports them."""
    pretend(monkeypatch, torch, vision, needs)
    found = registry.lacking("onnx", "torchscript")
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.skipif(ONNX2TORCH, reason="onnx2torch is installed here, so nothing is lacking")
def test_what_is_missing_is_said_and_the_way_is_closed(tmp_path: Path) -> None:
    made = models.onnx_model(tmp_path / "a.onnx", [("Relu", ["x"], ["y"])])
    assert "torchscript" not in registry.targets("onnx")
    found = next(item for item in reach_from(made) if item.format == "torchscript")
    assert not found.reachable
    assert "onnx2torch" in found.reason
    assert "pip install onnx2torch" in found.reason
    with pytest.raises(MissingDependency, match="onnx2torch cannot be imported here"):
        registry.edge("onnx", "torchscript")(made, tmp_path / "m.pt", TorchScriptOptions())


@pytest.mark.skipif(not ONNX2TORCH, reason="onnx2torch is not installed here")
def test_it_converts_where_it_can(tmp_path: Path) -> None:
    made = models.onnx_model(tmp_path / "a.onnx", [("Relu", ["x"], ["y"])])
    found = models.converted(made, "torchscript", tmp_path / "t")
    assert models.verified(made, found, tmp_path / "w").verdict.usable
