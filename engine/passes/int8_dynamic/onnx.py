"""INT8 dynamic on a graph, by ONNX Runtime's own quantizer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import processor
from engine.changes import Given, handles
from engine.errors import UnsupportedModel
from engine.layers import census, give_names, left_out, listed
from engine.lazy import Requirement
from engine.onnxfile import (
    HEAVY,
    drop_unused_domains,
    graph_only,
    load,
    onnx_errors,
    outgrows_one_file,
    stamp,
)
from engine.passes.int8_dynamic.options import Int8DynamicOptions
from engine.registry import Conversion
from engine.types import Artifact, Step

_CALLED_HEAVY = (*HEAVY, "Attention", "LSTM", "GRU")
_TAKEN = ("MatMul", "Gemm", "Attention", "LSTM", "EmbedLayerNormalization", "Gather")
"""What ONNX Runtime's dynamic quantizer takes, convolutions apart; a Gather is an embedding."""
_IN_INT8 = ("MatMulInteger", "QAttention", "DynamicQuantizeLSTM", "ConvInteger")


@handles("int8-dynamic", "onnx", onward=())
def onnx(source: Artifact, out: Path, options: Int8DynamicOptions, given: Given) -> Conversion:
    """By ONNX Runtime's own quantizer: products with constant weights, LSTM, attention."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    given.progress("Quantizing the weights", 0.2)
    model = load(source.path)
    give_names(model.graph)
    operators = (*_TAKEN, "Conv") if options.conv else _TAKEN
    excluded = _left_out(model.graph, operators, options.exclude)
    fast = processor.int8_products()
    with onnx_errors("quantizing the weights"):
        quantize_dynamic(
            model,
            str(out),
            op_types_to_quantize=list(operators),
            nodes_to_exclude=excluded,
            per_channel=options.per_channel,
            reduce_range=not fast,
            weight_type=QuantType.QInt8,
            use_external_data_format=outgrows_one_file(model),
        )
        drop_unused_domains(out)
    version = Requirement("onnxruntime", "onnxruntime").version or ""
    notes = _notes(graph_only(out).graph, fast)
    step = Step("quantize", "onnxruntime", version, asdict(options), notes)
    stamp(out, source, step)
    return Conversion(source.signature, step)


def _left_out(graph: Any, operators: tuple[str, ...], text: str) -> list[str]:
    """The nodes to leave in float. Raises UnsupportedModel where nothing can be quantized."""
    weights = {item.name for item in graph.initializer}
    able = [
        node
        for node in graph.node
        if node.op_type in operators and node.op_type != "Gather" and weights & set(node.input)
    ]
    if not able:
        raise UnsupportedModel(
            "Nothing to quantize: no matrix product with constant weights, no LSTM, no attention. "
            f"There is: {census(graph)}.",
            hint="For convolutional nets choose INT8 calibrated; else keep it in float.",
        )
    return left_out(text, able)


def _notes(graph: Any, fast: str) -> tuple[str, ...]:
    """What is in 8 bits now, and what stayed in float."""
    done = [node for node in graph.node if node.op_type in _IN_INT8]
    rest = [node for node in graph.node if node.op_type in _CALLED_HEAVY]
    bits = "" if fast else f" Weights in 7 bits, for {processor.name()} has no VNNI."
    said = (
        f"In INT8: {len(done)} of {len(done) + len(rest)} products, convolutions and cells.{bits}"
    )
    return (said, f"In float: {listed(rest)}.") if rest else (said,)
