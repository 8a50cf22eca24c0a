"""What every ONNX file goes through once it is written: checked, folded, optimized, stamped."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

from engine import onnxfile, processor
from engine.files import disk_errors
from engine.formats.onnx.options import OnnxOptions
from engine.formats.onnx.reading import read_signature
from engine.lazy import Requirement
from engine.onnxfile import (
    EXTERNAL,
    drop_unused_domains,
    graph_only,
    onnx_errors,
    stamp,
    write_graph,
)
from engine.opsets import opset_of, said_of
from engine.registry import Conversion
from engine.types import Artifact, Step

_ORT = Requirement("onnxruntime", "onnxruntime")


def finished(out: Path, source: Artifact, step: Step, options: OnnxOptions) -> Conversion:
    """The conversion for the file an exporter wrote at ``out``, which is changed in place.

    Its outputs are the source's, the file's own where it named none.
    """
    import onnx

    notes = step.notes
    with onnx_errors("checking the file"):
        _date_back(out)
        onnx.checker.check_model(str(out))
        if options.shapes:
            _infer_shapes(out)
        if options.optimized != "no":
            _optimize(out, options.optimized)
            notes = (*notes, *_about(options.optimized))
    opset = opset_of(graph_only(out))
    if options.optimized in ("no", "basic"):
        notes = (*notes, said_of(opset))
    told = {"opset": opset, "fold": options.fold, "shapes": options.shapes}
    step = replace(
        step,
        options={**step.options, **told, "optimized": options.optimized},
        notes=notes,
    )
    stamp(out, source, step)
    asked, found = source.signature, read_signature(out)
    signature = replace(asked, outputs=asked.outputs or found.outputs)
    return Conversion(signature, step, replace(options, opset=opset).variant)


def _date_back(out: Path) -> None:
    """Declare the oldest file version that has this opset: older runtimes refuse newer ones."""
    import onnx

    model = graph_only(out)
    # Before version 4 every weight had to be an input as well.
    needed = max(4, onnx.helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True))
    if needed < model.ir_version:
        model.ir_version = needed
        write_graph(model, out)


def _infer_shapes(out: Path) -> None:
    """From the graph alone: small constants (shapes) are always inline, weights need no reading."""
    import onnx

    model = graph_only(out)
    if model.ByteSize() > onnxfile.PROTOBUF_LIMIT:
        return
    write_graph(onnx.shape_inference.infer_shapes(model), out)


def _optimize(out: Path, level: str) -> None:
    """ONNX Runtime's optimized graph in the file's place, its weights beside it if they were."""
    import onnx
    import onnxruntime

    before = set(out.parent.iterdir())
    made = out.with_name(f"optimized-{out.name}")
    settings = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    settings.graph_optimization_level = getattr(levels, f"ORT_ENABLE_{level.upper()}")
    settings.optimized_model_filepath = str(made)
    settings.log_severity_level = 4
    if len(before) > 1:
        key = "session.optimized_model_external_initializers_file_name"
        settings.add_session_config_entry(key, f"optimized-{EXTERNAL}")
    with disk_errors():
        onnxruntime.InferenceSession(str(out), settings, providers=["CPUExecutionProvider"])
        for old in before:
            old.unlink()
        made.rename(out)
    drop_unused_domains(out)
    onnx.checker.check_model(str(out))


def _about(level: str) -> tuple[str, ...]:
    said = f"Optimized by ONNX Runtime {_ORT.version} (level {level}) and saved."
    if level == "basic":
        return (said,)
    only = "It holds operators of ONNX Runtime's own: no other runtime reads it."
    if level == "extended":
        return (said, only)
    here = f"{platform.machine()}, {processor.name()}"
    return (
        said,
        only,
        f"Laid out for processors like this one ({here}): on another it may be slower or not "
        "load. Make it again there.",
    )
