"""Pruned, converted, quantized: each step in its worker, each held against what it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import pipeline, store
from engine.data.drawn import DrawnSamples
from engine.jobs.steps import DirectSteps
from engine.options import parse_target
from engine.pipeline import ConvertRequest, DataRequest
from engine.types import Change
from tests import models
from tests.conftest import Library, ignore

PRUNED = "prune-channels:ratio=0.5:epochs=2:rate=0.003"


def test_a_pruned_model_flows_on_and_is_smaller_at_every_step(library: Library) -> None:
    data_id = pipeline.prepare_data(
        DirectSteps("chain-data", ignore), DataRequest(library.model_id, "builtin", "digits")
    )["data_id"]
    asked = tuple(parse_target(text) for text in (f"onnx+{PRUNED}", f"onnx+{PRUNED}+int8-dynamic"))
    request = ConvertRequest(library.model_id, asked, data_id=data_id)
    made = pipeline.convert(DirectSteps("chain-convert", ignore), request)
    assert not made["failures"], made["failures"]
    plain, _ = store.artifacts.load(library.artifact_ids[0])
    (pruned, one), (whole, other) = (store.artifacts.load(name) for name in made["artifacts"])
    for verification in (one, other):
        assert verification is not None
        assert verification.verdict.usable, verification.sentence
    assert plain.size_bytes > pruned.size_bytes > whole.size_bytes
    assert [step.verb for step in whole.lineage[-3:]] == ["prune", "export", "quantize"]
    assert [change.name for change in whole.passes] == ["prune-channels", "int8-dynamic"]
    step = pruned.lineage[-2]
    assert step.options["samples read"] == store.data.load(data_id).calibration
    assert any(note.startswith("Fine-tuned for 2 epochs") for note in step.notes)


@pytest.mark.parametrize("target", ["onnx", "torchscript", "savedmodel"])
def test_every_format_takes_a_pruned_residual_net(target: str, tmp_path: Path) -> None:
    config = {"image_size": 32, "widths": [16, 32, 32, 32], "depths": [1, 1, 1, 1]}
    source = models.eager(tmp_path / "model", "resnet18", config)
    samples = DrawnSamples(source.signature, 4)
    pruned = models.changed(source, Change("prune-channels"), tmp_path / "pruned", samples)
    plain = models.converted(source, target, tmp_path / "plain")
    made = models.converted(pruned, target, tmp_path / "made")
    assert made.size_bytes < plain.size_bytes
    assert models.verified(pruned, made, tmp_path / "verify").verdict.usable
