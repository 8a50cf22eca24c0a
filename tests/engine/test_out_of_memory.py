"""A step that needs more memory than there is: it fails in words, and takes nothing with it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine import store
from engine.jobs.steps import DirectSteps, clear_outputs
from engine.pipeline import ConvertRequest, ImportRequest, convert, import_model
from engine.settings import settings
from engine.types import Change, Target
from tests.conftest import ignore
from tests.models import onnx_model

SIDE, LAYERS = 1024, 24
"""Each layer gives 32 MB, and calibration looks at all of them at once: 0.8 GB."""


def test_out_of_memory_while_calibrating_leaves_nothing_behind(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
    names = ["x", *(f"h{index}" for index in range(1, LAYERS)), "y"]
    nodes = [("Conv", [a, "w"], [b]) for a, b in pairwise(names)]
    home = tmp_path / "brought"
    onnx_model(home / "wide.onnx", nodes, {"w": weight}, (1, 8, SIDE, SIDE))
    monkeypatch.setenv("ASSAY_MODELS", str(home))
    settings.cache_clear()
    request = ImportRequest("path", "wide.onnx")
    model_id = import_model(DirectSteps("import", ignore), request)["model_id"]

    monkeypatch.setenv("ASSAY_TASK_MEMORY_GIB", "0.5")
    settings.cache_clear()
    targets = (Target("onnx", passes=(Change("int8-static", {"samples": 2}),)),)
    made = convert(DirectSteps("convert", ignore), ConvertRequest(model_id, targets))
    (said,) = made["failures"].values()
    assert "memory" in said
    assert made["artifacts"] == []
    clear_outputs("convert")
    assert store.artifacts.of_model(model_id) == ()
    left = [path for path in workspace.rglob("*") if path.is_file() and path.stat().st_size > 1e6]
    assert all("jobs" not in path.parts for path in left), left

    other = import_model(DirectSteps("other", ignore), ImportRequest("sample", "adaptive"))
    assert store.models.load(other["model_id"])
