"""From an eager module to a recorded graph: what every converter starts with.

Imports torch only inside functions.
"""

from __future__ import annotations

import re
from typing import Any

from engine.branches import line_in
from engine.errors import ConversionError, UnsupportedModel
from engine.tensors import first_line, tensors_for
from engine.types import Signature
from engine.verify.inputs import feed

EXAMPLE_BATCH = 2
"""Batch of the example inputs. With 1, exporters take the axis for a constant."""


class DataDependentFlow(UnsupportedModel):
    """The path depends on the values: one graph without branches cannot hold it."""


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
        where = line_in(str(error))
        at = f" at {where}" if where else ""
        raise DataDependentFlow(
            "The model's path depends on the values it is given (an if or a while over a tensor)"
            f"{at}, which torch.export cannot record.",
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


def operators_named(text: str) -> str:
    """The operators a framework's error message names, for a person: ``aten::fft_rfft``."""
    found = re.findall(r"(?:aten|prim|torchvision|quantized)(?:::|\.)[\w.]+", text)
    return ", ".join(dict.fromkeys(name.rstrip(".").replace(".", "::", 1) for name in found))
