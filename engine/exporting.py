"""From an eager module to a graph: exported, traced, scripted. What every converter starts with.

Imports torch only inside functions.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import ConversionError, UnsupportedModel
from engine.tensors import first_line, tensors_for, torch_errors
from engine.types import Signature
from engine.verify.inputs import feed

Method = Literal["auto", "trace", "script"]
EXAMPLE_BATCH = 2
"""Batch of the example inputs. With 1, exporters take the axis for a constant."""

FROZEN_NOT = "torch.jit.freeze did not take this model, so its weights stay attributes: "


class DataDependentFlow(UnsupportedModel):
    """The path depends on the values: one graph without branches cannot hold it."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """A TorchScript module, how it was made, and what a person should know about that."""

    module: Any
    method: Literal["trace", "script"]
    notes: tuple[str, ...]


def example_tensors(signature: Signature) -> tuple[Any, ...]:
    """Seeded example inputs at batch 2, in the signature's order."""
    return tensors_for(feed(signature, "random", EXAMPLE_BATCH, 0), signature)


def dynamic_shapes(signature: Signature) -> tuple[dict[int, Any], ...]:
    """For each input, axis → ``torch.export.Dim`` for its symbols."""
    from torch.export import Dim

    dims = {symbol: Dim(symbol) for symbol in signature.symbols}
    return tuple(
        {axis: dims[dim] for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in signature.inputs
    )


def export(module: Any, signature: Signature) -> Any:
    """The module as an ExportedProgram with the signature's dynamic axes.

    Raises DataDependentFlow, UnsupportedModel (a dynamic axis the model fixes), ConversionError.
    """
    import torch
    from torch._dynamo.exc import UserError
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    named = dynamic_shapes(signature)
    # A named axis may have no upper bound; positions often give it one, and then this finds it.
    bounded = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in named)
    examples = example_tensors(signature)
    try:
        with torch.no_grad():
            try:
                return torch.export.export(module, examples, dynamic_shapes=named)
            except UserError:
                return torch.export.export(module, examples, dynamic_shapes=bounded)
    except GuardOnDataDependentSymNode as error:
        raise DataDependentFlow(
            "The model's path depends on the values it is given (an if or a while over a tensor), "
            "which torch.export cannot record.",
            hint="Convert to TorchScript by scripting, or write the branch with torch.cond.",
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _export_failed(error, signature) from error


def _export_failed(error: Exception, signature: Signature) -> ConversionError | UnsupportedModel:
    text = str(error)
    if "Constraints violated" in text or "specialized" in text:
        axes = {int(axis) for axis in re.findall(r"\.size\(\)\[(\d+)\]", text)}
        fixed = [s.shape[axis] for s in signature.inputs for axis in axes if axis < len(s.shape)]
        names = ", ".join(repr(name) for name in dict.fromkeys(fixed) if isinstance(name, str))
        return UnsupportedModel(
            f"The signature calls {names} dynamic, but the model works with one fixed size of it.",
            hint="Give that axis its fixed size in the signature, or change the model's reshape.",
        )
    return ConversionError(
        f"torch.export could not record the model: {first_line(text)}",
        hint="Try TorchScript, which records what runs instead of analysing the code.",
    )


def to_torchscript(module: Any, signature: Signature, method: Method) -> Scripted:
    """Trace or script, and freeze. ``auto`` scripts only where tracing would fix one path."""
    if method == "script":
        return _frozen(script(module), "script", ("Scripted, as asked.",))
    traced, doubts = trace(module, signature)
    if method == "trace":
        warned = (f"Tracing warned: {doubts[0]}",) if doubts else ()
        return _frozen(traced, "trace", ("Traced, as asked.", *warned))
    if doubts and _is_data_dependent(module, signature):
        why = (
            "Scripted, because the model's path depends on its data: a trace would keep only the "
            f"path of the example ({doubts[0]})."
        )
        return _frozen(script(module), "script", (why,))
    return _frozen(traced, "trace", ("Traced: the model takes the same path for all data.",))


def trace(module: Any, signature: Signature) -> tuple[Any, tuple[str, ...]]:
    """The traced module, and the tracer's warnings that a tensor's value was made a constant."""
    import torch
    from torch.jit._trace import TracerWarning

    with warnings.catch_warnings(record=True) as caught, torch_errors("tracing the model"):
        warnings.simplefilter("always")
        # The gate compares outputs on many inputs later; tracing twice here would add nothing.
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module, example_tensors(signature), check_trace=False
        )
    tracer = (
        first_line(str(item.message)) for item in caught if issubclass(item.category, TracerWarning)
    )
    return traced, tuple(dict.fromkeys(text for text in tracer if "Converting a tensor" in text))


def script(module: Any) -> Any:
    """The scripted module. Raises UnsupportedModel with what scripting stumbled over."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(module)
    except MemoryError:
        raise
    except Exception as error:
        raise UnsupportedModel(
            f"torch.jit.script cannot compile this model's code: {first_line(str(error))}",
            hint="Choose tracing if its path never depends on the data, or rewrite that line.",
        ) from error


def operators_named(text: str) -> str:
    """The operators a framework's error message names, for a person: ``aten::fft_rfft``."""
    found = re.findall(r"(?:aten|prim|torchvision|quantized)(?:::|\.)[\w.]+", text)
    return ", ".join(dict.fromkeys(name.rstrip(".").replace(".", "::", 1) for name in found))


def _is_data_dependent(module: Any, signature: Signature) -> bool:
    try:
        export(module, signature)
    except DataDependentFlow:
        return True
    except (ConversionError, UnsupportedModel):
        return False
    return False


def _frozen(module: Any, method: Literal["trace", "script"], notes: tuple[str, ...]) -> Scripted:
    import torch

    try:
        frozen = torch.jit.freeze(module.eval())
    except RuntimeError as error:
        return Scripted(module, method, (*notes, FROZEN_NOT + first_line(str(error))))
    return Scripted(frozen, method, notes)
