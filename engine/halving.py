"""An ONNX graph in half precision: weights, activations and what has to stay in FP32."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import ConversionError
from engine.onnxfile import nodes, outgrows_one_file
from engine.opsets import moved, opset_of

HALF_MAX, HALF_MIN = 65504.0, 5.96e-08
"""The largest and the smallest positive value of FP16."""
_BF16_OPSET = 22
"""Convolutions and pools take BF16 from here on."""


def fp16(model: Any, keep_io: bool) -> tuple[Any, tuple[str, ...]]:
    """The ``ModelProto`` in FP16, and what that does to it; it is changed in place.

    ``keep_io``: inputs and outputs stay FP32. Raises ConversionError.
    """
    import onnx
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    notes = (*_out_of_range(model), *_kept(model))
    large = outgrows_one_file(model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said in our notes instead
            made = float16.convert_float_to_float16(
                model,
                keep_io_types=keep_io,
                disable_shape_infer=large,
                min_positive_val=HALF_MIN,
                max_finite_val=HALF_MAX,
            )
    except (ValueError, KeyError, TypeError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(
            f"The graph could not be made half precision: {error}",
            hint="Keep FP32, or bring a graph that was made FP16 where it was trained.",
        ) from error
    sorted_ = OnnxModel(made)  # the casts were appended behind the nodes they feed
    sorted_.topological_sort()
    return sorted_.model, notes


def bf16(model: Any) -> tuple[Any, tuple[str, ...]]:
    """The ``ModelProto`` in BF16, inputs and outputs in FP32, and what was done to it.

    The graph takes the form it has in FP16; every value of two bytes in it is then a BF16, the
    weights rounded from the FP32 ones.
    """
    opset = opset_of(model)
    if opset < _BF16_OPSET:
        model = moved(model, _BF16_OPSET)
    weights = {item.name: _float_values(item) for item in model.graph.initializer}
    made, _ = fp16(model, keep_io=True)
    _as_bf16(made, weights)
    notes = _kept(made)
    if opset < _BF16_OPSET:
        notes = (*notes, f"Opset {opset} became {_BF16_OPSET}, the first in which all take BF16.")
    return made, notes


def _kept(model: Any) -> tuple[str, ...]:
    """Operators on the block list of ONNX Runtime's converter: they want FP32."""
    from onnxruntime.transformers import float16

    here = Counter(node.op_type for node in nodes(model.graph))
    kept = [f"{name} ({here[name]}×)" for name in here if name in float16.DEFAULT_OP_BLOCK_LIST]
    if not kept:
        return ()
    return (f"These operators stay FP32, with casts around them: {', '.join(kept)}.",)


def _out_of_range(model: Any) -> tuple[str, ...]:
    """What of the weights does not fit into FP16."""
    over = under = 0
    for item in model.graph.initializer:
        found = _float_values(item)
        if found is not None:
            values = np.abs(found)
            over += int(np.count_nonzero(values > HALF_MAX))
            under += int(np.count_nonzero((values > 0) & (values < HALF_MIN)))
    said = []
    if over:
        said.append(f"Larger than FP16 holds, and now ±{HALF_MAX:g}: {over:,} constant values.")
    if under:
        said.append(f"Smaller than FP16 holds, and now ±{HALF_MIN:g}: {under:,} constant values.")
    return tuple(said)


def _float_values(item: Any) -> np.ndarray | None:
    """A float32 initializer's values; None for one of another type."""
    import onnx

    if item.data_type != onnx.TensorProto.FLOAT:
        return None
    found: np.ndarray = onnx.numpy_helper.to_array(item)
    return found


def _as_bf16(model: Any, weights: Mapping[str, np.ndarray | None]) -> None:
    """Every FP16 of the graph, in place, as BF16."""
    import onnx

    half, brain = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    for item in model.graph.initializer:
        if item.data_type == half:
            known = weights.get(item.name)
            _set(item, onnx.numpy_helper.to_array(item) if known is None else known)
    for node in nodes(model.graph):
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == half:
                _set(attribute.t, onnx.numpy_helper.to_array(attribute.t))
            if attribute.name in ("to", "dtype", "output_dtype") and attribute.i == half:
                attribute.i = brain
    for value in model.graph.value_info:
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = brain


def _set(item: Any, values: np.ndarray) -> None:
    """Give a tensor these values, rounded to BF16."""
    import ml_dtypes
    import onnx

    rounded = values.astype(np.float32).astype(ml_dtypes.bfloat16)
    made = onnx.numpy_helper.from_array(rounded, item.name)
    item.CopyFrom(made)
