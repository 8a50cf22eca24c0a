"""Calibrated INT8 on an ONNX graph: prepared, calibrated by streaming, given Q/DQ pairs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.changes import Given, handles
from engine.data.model import RECOMMENDED, Samples
from engine.errors import BadRequest, UnsupportedModel
from engine.files import size_of
from engine.layers import census, give_names, layer_of, listed, matching
from engine.lazy import Requirement
from engine.onnxfile import (
    HEAVY,
    PROTOBUF_LIMIT,
    drop_unused_domains,
    file_of,
    graph_only,
    onnx_errors,
    stamp,
    write_graph,
)
from engine.passes.int8_static.calibration import checked, collect
from engine.passes.int8_static.options import Int8StaticOptions
from engine.passes.int8_static.signs import Signs, signs_for
from engine.registry import Conversion
from engine.types import Artifact, Step

LEFT = frozenset(
    ("Softmax", "LayerNormalization", "InstanceNormalization", "BatchNormalization", "CumSum")
)
"""ONNX Runtime would quantize these, too: much is lost in them and nothing gained."""
_PAIR = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class _Work:
    """One quantization: the prepared graph, and what of it is quantized how."""

    graph: Path
    large: bool
    operators: tuple[str, ...]
    excluded: tuple[str, ...]
    signs: Signs
    options: Int8StaticOptions


def _no_faster(target: str) -> str:
    """What is known of the formats the pairs go on to."""
    if target == "savedmodel":
        return (
            "A quarter of the size, but slower than in float wherever it was tried: TensorFlow "
            "computes in float and rounds after each layer. LiteRT is what computes in 8 bits."
        )
    return ""


@handles(
    "int8-static",
    "onnx",
    onward=("savedmodel", "tensorrt_plan", "tensorrt"),
    caution=_no_faster,
)
def onnx(source: Artifact, out: Path, options: Int8StaticOptions, given: Given) -> Conversion:
    """By ONNX Runtime's quantizer, with ranges from ``given.samples`` and signs for the target."""
    signs = signs_for(options.signs, given.target)
    given.progress("Folding constants and inferring shapes", 0.05)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="quantizing-") as scratch:
        graph = Path(scratch) / "prepared.onnx"
        notes = _prepare(source, graph)
        work = _planned(graph, signs, options)
        ranges, read = _calibrated(work, source, given)
        given.progress("Writing the quantized graph", 0.9)
        with onnx_errors("quantizing the graph"):
            _quantize(work, ranges, out)
    drop_unused_domains(out)
    counted, report = _said(graph_only(out), work)
    told = {**asdict(options), "signs": signs.name, "samples": read}
    version = Requirement("onnxruntime", "onnxruntime").version or ""
    beware = filter(None, (_no_faster(given.target),))
    notes = (signs.why, *counted, *_about(given.samples, read), *beware, *notes)
    step = Step("quantize", "onnxruntime", version, told, notes)
    stamp(out, source, step)
    return Conversion(source.signature, step, report=report)


def _prepare(source: Artifact, out: Path) -> tuple[str, ...]:
    """Constants folded, shapes inferred, nodes named: the quantizer then sees everything."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    given = file_of(source.path).resolve()
    if any(node.op_type in _PAIR for node in graph_only(given).graph.node):
        raise UnsupportedModel(
            "This graph is quantized already: it holds QuantizeLinear/DequantizeLinear pairs.",
            hint="Start from the model as it was before.",
        )
    how: dict[str, Any] = {"save_as_external_data": size_of(source.path) > PROTOBUF_LIMIT}
    notes: tuple[str, ...] = ()
    try:
        with chdir(out.parent):  # where it is at a loss it leaves files in the current folder
            quant_pre_process(str(given), str(out.resolve()), **how)
    except Exception as error:  # symbolic inference raises a bare Exception where it is at a loss
        if isinstance(error, MemoryError):
            raise
        notes = (f"Shapes were inferred without symbols, for: {str(error).splitlines()[0]}",)
        with onnx_errors("preparing the graph for quantization"):
            quant_pre_process(str(given), str(out), skip_symbolic_shape=True, **how)
    model = graph_only(out)
    give_names(model.graph)
    write_graph(model, out)
    return notes


def _planned(path: Path, signs: Signs, options: Int8StaticOptions) -> _Work:
    """What is quantized. Raises UnsupportedModel where nothing is, BadRequest where all is left."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    graph = graph_only(path).graph
    nodes = graph.node
    heavy = {node.name for node in nodes if node.op_type in HEAVY}
    if not heavy:
        raise UnsupportedModel(
            "Nothing to quantize: no convolution and no matrix product. "
            f"There is: {census(graph)}.",
            hint="Keep it in float, or choose FP16.",
        )
    known = HEAVY if signs.inputs_only else sorted({*QLinearOpsRegistry, *QDQRegistry} - LEFT)
    excluded = matching(options.exclude, [node for node in nodes if node.op_type in known])
    if heavy <= set(excluded):
        raise BadRequest(
            "Every convolution and matrix product is excluded: nothing is left to quantize.",
            hint="Name fewer layers.",
        )
    large = size_of(path.parent) > PROTOBUF_LIMIT
    return _Work(path, large, tuple(known), tuple(excluded), signs, options)


def _calibrated(
    work: _Work, source: Artifact, given: Given
) -> tuple[dict[str, tuple[float, float]], int]:
    """The range of every tensor that is quantized, and how many samples were read."""
    most = min(work.options.samples, given.samples.count)
    often = max(1, most // 100)
    read = 0

    def said(count: int) -> None:
        nonlocal read
        read = count
        if count % often == 0 or count == most:
            given.progress(f"Calibrating: sample {count} of {most}", 0.1 + 0.75 * count / most)

    feeds = checked(given.samples, most, source.signature)
    method, percentile = work.options.method, work.options.percentile
    found = collect(work.graph, work.operators, feeds, method != "minmax", said)
    given.progress("Choosing the ranges", 0.86)
    return {name: item.range_by(method, percentile) for name, item in found.items()}, read


def _quantize(work: _Work, ranges: Mapping[str, tuple[float, float]], out: Path) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data

    known = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    kept = work.graph.with_name("ranges.json")
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, known), kept)
    signs = work.signs
    only_inputs = {
        "OpTypesToExcludeOutputQuantization": list(work.operators),
        "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1},
        "DedicatedQDQPair": True,
    }
    quantize_static(
        str(work.graph),
        str(out),
        op_types_to_quantize=list(work.operators),
        nodes_to_exclude=list(work.excluded),
        per_channel=work.options.per_channel,
        reduce_range=signs.reduced,
        activation_type=QuantType.QInt8 if signs.signed else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=work.large,
        calibration_cache_path=kept,
        extra_options={
            "ActivationSymmetric": signs.symmetric,
            **(only_inputs if signs.inputs_only else {}),
        },
    )


def _said(model: Any, work: _Work) -> tuple[tuple[str, ...], str]:
    """What is in 8 bits now and what is not: in short, and node by node as Markdown."""
    pairs = {name for node in model.graph.node if node.op_type == _PAIR[1] for name in node.output}
    rest = [node for node in model.graph.node if node.op_type not in _PAIR]
    heavy = [node for node in rest if node.op_type in HEAVY]
    floats = [node for node in heavy if not set(node.input[:2]) <= pairs]
    light = Counter(node.op_type for node in rest if node not in heavy and node.input)
    notes = [f"{len(heavy) - len(floats)} of {len(heavy)} convolutions and products are in INT8."]
    if floats:
        notes.append(f"In float: {listed(floats)}.")
    lines = ["# Calibrated INT8", "", *notes, "", "| node | operator | layer | |", "|-|-|-|-|"]
    for node in heavy:
        how = "INT8"
        if node in floats:
            how = "float, as asked for" if node.name in work.excluded else "float"
        lines.append(f"| {node.name} | {node.op_type} | {layer_of(node)} | {how} |")
    lines += ["", "Other operators: " + ", ".join(f"{name} ({n}×)" for name, n in light.items())]
    return tuple(notes), "\n".join(lines) + "\n"


def _about(samples: Samples, read: int) -> tuple[str, ...]:
    """How far the ranges can be trusted."""
    many = "1 sample" if read == 1 else f"{read} samples"
    found = f"Ranges from {many} of {samples.name}."
    if read >= RECOMMENDED:
        return (found,)
    return (
        f"{found} {RECOMMENDED} and more are recommended: what a layer can give was hardly seen, "
        "and values beyond it are clipped.",
    )
