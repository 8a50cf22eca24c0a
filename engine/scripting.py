"""From an eager module to TorchScript: traced where that is proved enough, scripted where not.

Imports torch only inside functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.branches import Line, line_at, line_in
from engine.errors import ConversionError, InvalidModel, UnsupportedModel
from engine.exporting import DataDependentFlow, example_tensors, export
from engine.tensors import arrays_of, first_line, tensors_for, torch_errors
from engine.types import Feed, Signature
from engine.verify.compare import relative
from engine.verify.inputs import Kind, feed

Method = Literal["auto", "trace", "script"]
TOLERANCE = 1e-3
"""Relative difference above which a trace took another path: rounding stays far below."""
LENGTHS = (9, 24)
"""Sizes of axes other than the batch that a trace is tried at."""

FROZEN_NOT = "torch.jit.freeze did not take this model, so its weights stay attributes: "


@dataclass(frozen=True, slots=True)
class Scripted:
    """A TorchScript module, how it was made, and what a person should know about that."""

    module: Any
    method: Literal["trace", "script"]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trace did on inputs other than the one it was made with."""

    inputs: int
    disagreement: str
    """What differs and where, in words; empty where every input agrees."""


def to_torchscript(
    module: Any, signature: Signature, method: Method, *, freeze: bool = True
) -> Scripted:
    """Trace or script, and freeze.

    A trace is run beside the module on other inputs. Where they disagree, ``auto`` scripts and
    ``trace`` is refused. Raises UnsupportedModel with the line of Python that branches.
    """
    if method == "script":
        return _done(script(module), "script", ("Scripted, as asked.",), freeze)
    traced, doubts = trace(module, signature)
    found = tried(module, traced, signature)
    if found.disagreement:
        why = f"a trace would be wrong: {found.disagreement}{_at(doubts)}."
        return _scripted_instead(module, method, why, freeze)
    agrees = f"it agrees with the original on {found.inputs} other inputs"
    if method == "trace":
        return _done(traced, "trace", (f"Traced, as asked: {agrees}.", *_warned(doubts)), freeze)
    branch = _data_dependent(module, signature) if doubts else None
    if branch is None:
        return _done(traced, "trace", (f"Traced: {agrees}.",), freeze)
    why = f"the model's path depends on its data, and a trace would keep one path: {branch}"
    try:
        return _scripted_instead(module, method, why, freeze)
    except UnsupportedModel as error:
        doubt = f"Traced, with a doubt: {agrees}, but {why}. Scripting: {error.message}"
        return _done(traced, "trace", (doubt,), freeze)


def trace(module: Any, signature: Signature) -> tuple[Any, tuple[Line, ...]]:
    """The traced module, and the lines where a tensor's value became a constant of the trace."""
    import torch
    from torch.jit._trace import TracerWarning

    with warnings.catch_warnings(record=True) as caught, torch_errors("tracing the model"):
        warnings.simplefilter("always")
        # Compared with the module below, on inputs that differ; a second trace would add nothing.
        traced = torch.jit.trace(module, example_tensors(signature), check_trace=False)
    lines = (
        line_at(item.filename, item.lineno)
        for item in caught
        if issubclass(item.category, TracerWarning) and "Converting a tensor" in str(item.message)
    )
    return traced, tuple(dict.fromkeys(lines))


def tried(module: Any, traced: Any, signature: Signature) -> Trial:
    """Run both on seeded inputs that the trace was not made with: batches, kinds and lengths."""
    import torch

    count = 0
    with torch.inference_mode():
        for label, given in _other_inputs(signature):
            tensors = tensors_for(given, signature)
            try:
                with torch_errors("running the original"):
                    wanted = arrays_of(module(*tensors), signature)
            except InvalidModel:
                continue  # a size the original does not take proves nothing about the trace
            count += 1
            said = _difference(traced, tensors, signature, wanted)
            if said:
                return Trial(count, f"{said} on {label}")
    return Trial(count, "")


def _other_inputs(signature: Signature) -> Iterator[tuple[str, Feed]]:
    batches = (3, 1) if signature.batch_symbol else (2,)
    kinds: tuple[Kind, ...] = ("random", "large", "zeros")
    for batch in batches:
        yield f"random inputs at batch {batch}", feed(signature, "random", batch, 7)
    for kind in kinds:
        yield f"{kind} inputs", feed(signature, kind, 2, 8)
    others = [name for name in signature.symbols if name != signature.batch_symbol]
    for size in LENGTHS if others else ():
        sizes = dict.fromkeys(others, size)
        label = f"inputs of {', '.join(others)} {size}"
        yield label, feed(signature, "random", 2, 9, sizes=sizes)


def _difference(
    traced: Any, tensors: Any, signature: Signature, wanted: dict[str, np.ndarray]
) -> str:
    try:
        with torch_errors("running the trace"):
            found = arrays_of(traced(*tensors), signature)
    except InvalidModel as error:
        return f"it fails ({error.message})"
    for (name, reference), candidate in zip(wanted.items(), found.values(), strict=True):
        if reference.shape != candidate.shape:
            return f"{name!r} has the shape {list(candidate.shape)}, not {list(reference.shape)},"
        off = relative(reference, candidate)
        if off is not None and off > TOLERANCE:
            return f"{name!r} differs by {off:.2g} of its size"
        if off is None and not np.array_equal(reference, candidate, equal_nan=True):
            return f"{name!r} differs"
    return ""


def script(module: Any) -> Any:
    """The scripted module. Raises UnsupportedModel with the line scripting stumbled over."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(module)
    except MemoryError:
        raise
    except Exception as error:
        where = line_in(str(error))
        at = f" at {where}" if where else ""
        raise UnsupportedModel(
            f"torch.jit.script cannot compile this model's code: {first_line(str(error))}{at}",
            hint="Choose tracing if its path never depends on the data, or rewrite that line.",
        ) from error


def _scripted_instead(module: Any, method: Method, why: str, freeze: bool) -> Scripted:
    """Raises UnsupportedModel where a trace was insisted on, or scripting is no way out."""
    if method == "trace":
        raise UnsupportedModel(
            f"Not traced: {why}",
            hint="Script it (method=script), which keeps branches and loops, or rewrite the line.",
        )
    try:
        made = script(module)
    except UnsupportedModel as error:
        raise UnsupportedModel(
            f"No TorchScript can be made of this model: {why} {error.message}",
            hint="Rewrite the line that branches with torch.where, or the line that cannot be "
            "compiled.",
        ) from error
    return _done(made, "script", (f"Scripted, because {why}",), freeze)


def _data_dependent(module: Any, signature: Signature) -> str | None:
    """What torch.export says where the path depends on the data; None where it records one."""
    try:
        export(module, signature)
    except DataDependentFlow as error:
        return error.message
    except (ConversionError, UnsupportedModel):
        return None
    return None


def _at(doubts: tuple[Line, ...]) -> str:
    return f"; the path is chosen at {'; and at '.join(map(str, doubts[:2]))}" if doubts else ""


def _warned(doubts: tuple[Line, ...]) -> tuple[str, ...]:
    if not doubts:
        return ()
    return (f"Tracing warned that a value became a constant at {doubts[0]}.",)


def _done(
    module: Any, method: Literal["trace", "script"], notes: tuple[str, ...], freeze: bool
) -> Scripted:
    import torch

    module = module.eval()
    if not freeze:
        return Scripted(module, method, notes)
    try:
        frozen = torch.jit.freeze(module)
    except RuntimeError as error:
        return Scripted(module, method, (*notes, FROZEN_NOT + first_line(str(error))))
    return Scripted(frozen, method, notes)
