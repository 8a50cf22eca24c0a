"""A graph prepared for TensorRT, brought to the machine that has the GPU: ONNX and its plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import UnsupportedModel
from engine.registry import format_named
from engine.sources import archive, onnx
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised

KINDS = ("tensorrt_plan",)
_PLAN = "tensorrt.json"


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Check the graph as any ONNX graph, and that the plan is the one made for it."""
    if wanted.signature:
        raise UnsupportedModel(
            "A prepared model has the signature it was prepared with.",
            hint="Bring the ONNX model itself to give it another.",
        )
    folder = found.path
    if not folder.is_dir():
        folder = out / UNPACKED / "prepared"
        with archive.opened(found.path) as source:
            source.extract(folder)
    checked = onnx.recognise(replace(found, kind="onnx", path=folder), wanted, out, progress)
    home = place(out, "prepared")
    home.mkdir()
    for item in sorted(folder.iterdir()):
        if item.name == _PLAN or item.name.startswith("model.onnx"):
            bring(item, home / item.name)
    plan = format_named("tensorrt_plan").load(home).plan
    note = f"Prepared for TensorRT {plan.tensorrt} in {plan.precision}; it is the reference itself."
    return recognised(
        found, home, "tensorrt_plan", checked.signature, "carried", notes=(*plan.notes, note)
    )
