"""Small records to store."""

from __future__ import annotations

from pathlib import Path

from engine.reports.model import SCHEMA_VERSION, Report, without_paths
from engine.types import Artifact, Model, Reach, Signature, Step, TensorSpec
from engine.verify.model import Thresholds, Verdict, Verification

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 4), low=0.0, high=1.0),))


def an_artifact(name: str, folder: Path) -> Artifact:
    """An artifact whose file lies in ``folder/name``."""
    path = folder / name / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bytes")
    step = Step("convert", "torch", "2.13.0", {"opset": 20, "dynamo": True, "x": None, "r": 0.5})
    return Artifact(name, "onnx", path, "0" * 64, 5, SIGNATURE, (step,))


def a_model(name: str, data: Path, created_at: str = "2026-01-01T00:00:00+00:00") -> Model:
    """A model whose original lies in the data folder's ``models``."""
    return Model(
        id=name,
        name=f"Model {name}",
        kind="onnx",
        artifact=an_artifact(name, data / "models"),
        signature_origin="carried",
        parameters=12,
        op_histogram={"Relu": 1},
        facts={"opset": "20"},
        reach=(Reach("onnx", True, "It is one already."),),
        notes=("A note.",),
        created_at=created_at,
    )


def a_verification(artifact_id: str, verdict: Verdict = Verdict.EXACT) -> Verification:
    """A judgement with no cases."""
    return Verification(
        artifact_id, verdict, "Equal.", Thresholds(), (), 1.0, (0.9, 1.0), {"random": "ab"}, 1
    )


def a_report(name: str, data: Path, created_at: str = "2026-01-01T00:00:00+00:00") -> Report:
    """A report with nothing measured."""
    return Report(
        schema_version=SCHEMA_VERSION,
        id=name,
        title=f"Report {name}",
        created_at=created_at,
        assay_version="0.1.0",
        model=without_paths(a_model(name, data)),
        artifacts=(),
        failures={"torchscript": "It would not."},
        measurement=None,
        advice=None,
        reproduce="python -m engine run --sample digits --to onnx",
    )
