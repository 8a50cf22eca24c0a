"""Another variant of an ONNX model: another opset, folded, optimized by ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.formats.onnx.finishing import finished
from engine.formats.onnx.options import OnnxOptions
from engine.lazy import Requirement
from engine.onnxfile import load, onnx_errors, save
from engine.opsets import moved, opset_of
from engine.registry import Conversion, converter
from engine.types import Artifact, Step


@converter("onnx", "onnx")
def onnx_from_onnx(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """Moved to the opset asked for, then folded and optimized. Raises BadRequest for no change."""
    model = load(source.path)
    found, size = opset_of(model), len(model.graph.node)
    notes: tuple[str, ...] = ()
    if found != options.opset:
        model = moved(model, options.opset)
        notes = (f"Moved from opset {found} to {options.opset}.",)
    if options.fold:
        model, said = _folded(model)
        notes += said
    if found == options.opset and options.optimized == "no" and len(model.graph.node) == size:
        raise BadRequest(
            f"This model has opset {found} already, and there is nothing to fold.",
            hint="Choose another opset, or a level of ONNX Runtime's optimizations to save.",
        )
    save(model, out)
    step = Step("change", "onnx", Requirement("onnx", "onnx").version or "", {}, notes)
    made = finished(out, source, step, options)
    return replace(made, variant=made.variant or f"opset {options.opset}")


def _folded(model: Any) -> tuple[Any, tuple[str, ...]]:
    """Constants computed once, and a note; as it was where the folder cannot read the graph."""
    from onnxscript import optimizer

    before = len(model.graph.node)
    try:
        with onnx_errors("folding constants"):
            made = optimizer.optimize(model)
    except (InvalidModel, UnsupportedModel) as error:
        return model, (f"Constants were not folded: {error.message}",)
    return made, (f"{before} operators before folding, {len(made.graph.node)} after.",)
