"""What every ONNX file goes through once it is written: checked, folded, optimized, stamped."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.files import disk_errors
from engine.formats.onnx.options import OnnxOptions
from engine.formats.onnx.reading import graph_only, onnx_errors, read_signature
from engine.lazy import Requirement
from engine.opsets import opset_of, said_of
from engine.records import dumps
from engine.registry import Conversion
from engine.types import Artifact, Step

_ORT = Requirement("onnxruntime", "onnxruntime")
PRODUCER = "assay"
PROTOBUF_LIMIT = 2_000_000_000
"""Bytes above which weights must lie beside the graph: a protobuf ends at 2 GiB."""
EXTERNAL = "model.onnx.data"
"""The name of the file with the weights, where they lie beside the graph."""


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


def stamp(out: Path, source: Artifact, step: Step) -> None:
    """Write producer, the source's hash and the lineage into the file's own metadata."""
    import onnx

    model = graph_only(out)
    made_by = f"{model.producer_name} {model.producer_version}".strip()
    model.producer_name, model.producer_version = PRODUCER, Requirement("onnx", "onnx").version
    lineage = (*source.lineage, step)
    said = {
        "assay.exporter": made_by or step.tool,
        "assay.source_format": source.format,
        "assay.source_sha256": source.sha256,
        "assay.lineage": dumps([f"{item.verb}: {item.tool} {item.version}" for item in lineage]),
    }
    known = {item.key: item.value for item in model.metadata_props}
    onnx.helper.set_model_props(model, {**known, **said})
    _save(model, out)


def save(model: Any, out: Path) -> None:
    """Write a ``ModelProto`` whose weights are inline: beside the graph where they are too large.

    ``out`` is the graph; a second file then lies beside it.
    """
    import onnx

    large = model.ByteSize() > PROTOBUF_LIMIT
    with disk_errors():
        if large:
            onnx.save_model(model, str(out), save_as_external_data=True, location=EXTERNAL)
        else:
            onnx.save_model(model, str(out))


def _save(model: Any, out: Path) -> None:
    """Write a graph back; weights that lie beside it stay where they are."""
    with disk_errors():
        out.write_bytes(model.SerializeToString())


def _date_back(out: Path) -> None:
    """Declare the oldest file version that has this opset: older runtimes refuse newer ones."""
    import onnx

    model = graph_only(out)
    # Before version 4 every weight had to be an input as well.
    needed = max(4, onnx.helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True))
    if needed < model.ir_version:
        model.ir_version = needed
        _save(model, out)


def _infer_shapes(out: Path) -> None:
    """From the graph alone: small constants (shapes) are always inline, weights need no reading."""
    import onnx

    model = graph_only(out)
    if model.ByteSize() > PROTOBUF_LIMIT:
        return
    _save(onnx.shape_inference.infer_shapes(model), out)


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
    _drop_unused_domains(out)
    onnx.checker.check_model(str(out))


def _drop_unused_domains(out: Path) -> None:
    """ONNX Runtime declares every domain it knows; readers refuse those they do not."""
    model = graph_only(out)
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    kept = [item for item in model.opset_import if item.domain in used or not item.domain]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    _save(model, out)


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and those inside its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def _about(level: str) -> tuple[str, ...]:
    said = f"Optimized by ONNX Runtime {_ORT.version} (level {level}) and saved."
    if level == "basic":
        return (said,)
    only = "It holds operators of ONNX Runtime's own: no other runtime reads it."
    if level == "extended":
        return (said, only)
    here = f"{platform.machine()}, {_processor()}"
    return (
        said,
        only,
        f"Laid out for processors like this one ({here}): on another it may be slower or not "
        "load. Make it again there.",
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(names, "unknown processor")
