"""A module in the precision its folder asks for: half of float32's bits, or INT8 weights.

Imports torch only inside functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.architectures.surgery import Surgery
from engine.errors import EngineError, InvalidModel, UnsupportedModel
from engine.tensors import arrays_of, tensors_for, torch_errors
from engine.types import Signature
from engine.verify.inputs import feed


def applied(whole: Any, bare: Any, surgery: Surgery) -> Any:
    """``whole``, which runs ``bare``, computing as the surgery says; float32 goes in and comes out.

    Raises InvalidModel where a layer that is kept is not there.
    """
    if not surgery.precision:
        return whole
    kept = _kept(bare, surgery.kept)
    if surgery.precision == "int8":
        return _quantized(whole, kept, per_channel=surgery.per_channel)
    return _cast_between(whole, kept, surgery.precision)


def quantizable(module: Any) -> tuple[str, ...]:
    """The names of the layers that INT8 dynamic takes."""
    kinds = _quantized_kinds()
    return tuple(name for name, item in module.named_modules() if isinstance(item, kinds))


def check(whole: Any, signature: Signature, precision: str) -> None:
    """Run it once. Raises UnsupportedModel where its code does not take the precision."""
    import torch

    try:
        with torch_errors(f"running the model in {precision}"), torch.inference_mode():
            tensors = tensors_for(feed(signature, "random", 1, 0), signature)
            found = arrays_of(whole(*tensors), signature)
    except EngineError as error:
        raise UnsupportedModel(
            f"This model does not run in {precision} here: {error.message}",
            hint="Choose another precision, or ONNX, where passes work on the graph.",
        ) from error
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnsupportedModel(
                f"In {precision} the output {name!r} leaves the range of numbers.",
                hint="Choose another precision.",
            )


def _kept(bare: Any, names: Sequence[str]) -> tuple[Any, ...]:
    modules = dict(bare.named_modules())
    if lost := [name for name in names if name not in modules]:
        raise InvalidModel(
            f"The model has no layer {lost[0]!r}, which is to stay in float32.",
            hint="Make the artifact again.",
        )
    return tuple(modules[name] for name in names)


def _quantized_kinds() -> tuple[type[Any], ...]:
    from torch import nn

    return nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell


def _quantized(whole: Any, kept: Sequence[Any], *, per_channel: bool) -> Any:
    """Weights in 8 bits, activations scaled as they come: linear and recurrent layers.

    The one place that knows PyTorch's eager quantization, whose removal is announced. The named
    successor, torchao's ``quantize_`` with ``Int8DynamicActivationInt8WeightConfig``, goes here;
    its layers cannot be held by TorchScript.
    """
    import torch
    from torch.ao import quantization
    from torch.ao.quantization import QConfig

    linear: QConfig = (
        quantization.per_channel_dynamic_qconfig
        if per_channel
        else quantization.default_dynamic_qconfig
    )
    how: dict[Any, QConfig | None] = dict.fromkeys(
        _quantized_kinds(), quantization.default_dynamic_qconfig
    )
    how[torch.nn.Linear] = linear
    for name, item in whole.named_modules():
        if any(item is one for one in kept):
            how[name] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated; said in the artifact's notes
        try:
            return quantization.quantize_dynamic(whole, how, inplace=True)
        # An operator without a quantized form raises any of these.
        except (RuntimeError, AttributeError, NotImplementedError) as error:
            raise UnsupportedModel(
                f"PyTorch's dynamic quantization does not take this model: {str(error)[:200]}",
                hint="Convert it to ONNX, where INT8 dynamic is done on the graph.",
            ) from error


def _cast_between(whole: Any, kept: Sequence[Any], name: str) -> Any:
    """Casts around the model and around each layer that stays in float32.

    As hooks, since a layer put around another would change the names of its weights.
    """
    import torch

    low = getattr(torch, name)
    for module in kept:
        _cast(module, into=torch.float32, back=low)
    _cast(whole, into=low, back=torch.float32)
    return whole


def _cast(module: Any, *, into: Any, back: Any) -> None:
    module.register_forward_pre_hook(
        lambda _, args, kwargs: (_to(args, into), _to(kwargs, into)), with_kwargs=True
    )
    module.register_forward_hook(lambda _, args, result: _to(result, back))


def _to(items: Any, dtype: Any) -> Any:
    """Every floating tensor in it as ``dtype``."""
    import torch
    from torch.utils import _pytree as pytree

    def one(item: Any) -> Any:
        floats = isinstance(item, torch.Tensor) and item.is_floating_point()
        return item.to(dtype) if floats else item

    return pytree.tree_map(one, items)
