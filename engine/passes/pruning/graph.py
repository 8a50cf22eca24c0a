"""Single weights set to zero in an ONNX graph that came as one: by size, without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.changes import Given, handles
from engine.errors import BadRequest, UnsupportedModel
from engine.layers import layer_of
from engine.lazy import Requirement
from engine.onnxfile import load, nodes, onnx_errors, save, stamp
from engine.passes.pruning import zeros
from engine.passes.pruning.layers import shares
from engine.passes.pruning.options import PruneWeightsOptions, asked
from engine.registry import Conversion
from engine.types import Artifact, Step

_ONNX = Requirement("onnx", "onnx")
_SUMMED = {"Conv": 1, "ConvTranspose": 0, "Gemm": 0, "MatMul": 0}
"""The operators whose second input is a weight, and the axis of it that is summed over."""


@handles("prune-weights", "onnx")
def prune_graph(
    source: Artifact, out: Path, options: PruneWeightsOptions, given: Given
) -> Conversion:
    """The smallest values of the weights become zero. Raises BadRequest, UnsupportedModel."""
    from onnx import numpy_helper

    zeros.check(options)
    if options.epochs:
        raise BadRequest(
            "A finished ONNX graph is not trained here.",
            hint="Leave fine-tuning out, or bring the PyTorch model.",
        )
    given.progress("Reading the graph", 0.1)
    model = load(source.path)
    found = _weights(model.graph)
    if not found:
        raise UnsupportedModel(
            "This graph has no convolution or matrix product with weights of its own.",
            hint="Choose another pass.",
        )
    with onnx_errors("reading the weights"):
        arrays = {name: numpy_helper.to_array(tensor) for name, (tensor, _) in found.items()}
    share = shares(options.layers, list(arrays), options.amount)
    axes = {name: axis for name, (_, axis) in found.items()}
    given.progress("Setting the smallest weights to zero", 0.3)
    keep, left_out = _kept(arrays, axes, share, options)
    for name, mask in keep.items():
        arrays[name] = np.where(mask, arrays[name], arrays[name].dtype.type(0))
        tensor = found[name][0]
        tensor.CopyFrom(numpy_helper.from_array(arrays[name], tensor.name))
    counted = [zeros.Zeros.of(name, array) for name, array in arrays.items()]
    zeros.refuse_emptied(counted)
    given.progress("Writing and compressing", 0.8)
    save(model, out)
    step = Step("prune", "magnitude on the graph's weights", _ONNX.version or "", asked(options))
    stamp(out, source, step)
    sizes = zeros.compressed(source.path), zeros.compressed(out)
    said = (*zeros.notes(counted, sizes, options.pattern), *left_out)
    return Conversion(source.signature, replace(step, notes=said), report=zeros.report(counted))


def _weights(graph: Any) -> dict[str, tuple[Any, int]]:
    """By layer, its weight and the axis that is summed over; each tensor once."""
    known = {tensor.name: tensor for tensor in graph.initializer}
    found: dict[str, tuple[Any, int]] = {}
    for node in nodes(graph):
        if node.op_type not in _SUMMED or len(node.input) < 2:
            continue
        tensor = known.pop(node.input[1], None)
        if tensor is None or len(tensor.dims) < 2:
            continue
        turned = any(item.name == "transB" and item.i for item in node.attribute)
        axis = 1 if turned else _SUMMED[node.op_type]
        axis = len(tensor.dims) - 2 if node.op_type == "MatMul" else axis
        found[layer_of(node) or node.name or tensor.name] = tensor, axis
    return found


def _kept(
    arrays: dict[str, np.ndarray],
    axes: dict[str, int],
    share: dict[str, float],
    options: PruneWeightsOptions,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """By layer, which values stay; and a note for each that the pattern cannot be had of."""
    if options.pattern != "2-4":
        return zeros.smallest(arrays, share, together=options.scope == "global"), ()
    keep: dict[str, np.ndarray] = {}
    left_out: list[str] = []
    for name, array in arrays.items():
        mask = zeros.two_of_four(np.moveaxis(array, axes[name], -1)) if share[name] else None
        if mask is not None:
            keep[name] = np.moveaxis(mask, -1, axes[name])
        elif share[name]:
            left_out.append(f"{name} was left as it is: it does not sum over a multiple of four.")
    return keep, tuple(left_out)
