"""INT4, weight-only: weights of matrix products in 4 bits by blocks, everything else as it is."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.changes import Given, Pass, handles
from engine.errors import UnsupportedModel
from engine.layers import EXCLUDE_HELP, census, give_names, left_out, listed
from engine.lazy import Requirement
from engine.onnxfile import drop_unused_domains, graph_only, load, onnx_errors, save, stamp
from engine.options import choice
from engine.registry import Conversion
from engine.types import Artifact, Step


@dataclass(frozen=True, slots=True)
class Int4Options:
    """How weights are cut into blocks, and what they are multiplied with."""

    block: str = choice(
        "32",
        "Weights that share a scale",
        "Smaller blocks are closer to the original, and larger on the disk.",
        values={size: size for size in ("16", "32", "64", "128", "256")},
    )
    symmetric: bool = choice(
        True,
        "Zero in the middle",
        "Off, every block has a zero of its own: closer to the original, slightly larger.",
    )
    accuracy: str = choice(
        "4",
        "Multiplied in",
        "Activations can be turned into INT8 for the product, which is faster on processors that "
        "multiply 8-bit integers.",
        values={"4": "INT8", "1": "float32"},
    )
    exclude: str = choice("", "Layers left in float", EXCLUDE_HELP)


PASSES = (
    Pass(
        "int4",
        "INT4 weights",
        "Weights of matrix products in 4 bits, about a seventh of their size; all else stays in "
        "float. For transformers whose time goes into reading weights: language models, one answer "
        "at a time.",
        "precision",
        options=Int4Options,
        precision="int4",
    ),
)

_PRODUCTS = ("MatMul", "Gemm")


@handles("int4", "onnx", onward=())
def onnx(source: Artifact, out: Path, options: Int4Options, given: Given) -> Conversion:
    """MatMulNBits, an operator of ONNX Runtime's own, by its own quantizer."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    # Its quantizer tells of every node it sees.
    logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.WARNING)
    given.progress("Cutting the weights into blocks of 4 bits", 0.2)
    model = load(source.path)
    give_names(model.graph)
    able = _with_weights(model.graph)
    excluded = left_out(options.exclude, able)
    with onnx_errors("quantizing the weights"):
        plain = ONNXModel(model)
        plain.replace_gemm_with_matmul()  # the quantizer knows MatMul alone
        quantizer = MatMulNBitsQuantizer(
            plain.model,
            bits=4,
            block_size=int(options.block),
            is_symmetric=options.symmetric,
            accuracy_level=int(options.accuracy),
            nodes_to_exclude=[*excluded, *(f"{name}_MatMul" for name in excluded)],
            op_types_to_quantize=("MatMul",),
        )
        quantizer.process()
        save(quantizer.model.model, out)
        drop_unused_domains(out)
    version = Requirement("onnxruntime", "onnxruntime").version or ""
    step = Step("quantize", "onnxruntime", version, asdict(options), _notes(graph_only(out).graph))
    stamp(out, source, step)
    return Conversion(source.signature, step)


def _with_weights(graph: Any) -> list[Any]:
    """The products with constant weights. Raises UnsupportedModel where there is none."""
    weights = {item.name for item in graph.initializer if len(item.dims) == 2}
    able = [n for n in graph.node if n.op_type in _PRODUCTS and set(n.input[1:2]) <= weights]
    if not able:
        raise UnsupportedModel(
            f"Nothing to quantize: no matrix product with constant weights. There is: "
            f"{census(graph)}.",
            hint="INT4 weights are for transformers; for convolutions choose INT8 calibrated.",
        )
    return able


def _notes(graph: Any) -> tuple[str, ...]:
    """What is in 4 bits now, and what stayed in float."""
    done = sum(node.op_type == "MatMulNBits" for node in graph.node)
    rest = [node for node in graph.node if node.op_type in _PRODUCTS]
    said = f"In INT4: the weights of {done} of {done + len(rest)} matrix products."
    only = "MatMulNBits is ONNX Runtime's own operator: no other runtime reads the file."
    return (said, *((f"In float: {listed(rest)}.",) if rest else ()), only)
