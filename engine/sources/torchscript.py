"""TorchScript: a program with its weights, and without the shapes of its inputs.

The shapes are proposed from the first weights the inputs meet, and tried by running once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

from engine.errors import BadRequest, UnsafeModel
from engine.registry import format_named
from engine.sources import archive, pickles
from engine.sources.model import Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import first_that_runs, given
from engine.types import Dim, Signature, TensorSpec

KINDS = ("torchscript",)
_FORBIDDEN = re.compile(r"\b(?:from_file|torch\.save|torch\.load|classes\.\w+)\b")
_OPERATORS = re.compile(r"\bops\.(\w+)\.")
_OWN = frozenset(("aten", "prim", "prims", "quantized", "prepacked", "quantized_decomposed"))
_CODE_LIMIT = 64 << 20
_TRIES = 24
_EDGES = {1: (28, 8, 32, 224), 3: (224, 32, 64, 299)}
_OTHER_EDGES = (224, 32, 8)


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Check it, then load it, then find a signature it runs with."""
    progress("Looking for known-bad patterns", 0.1)
    with archive.opened(found.path) as source:
        pickles.check_archive(source, scripted=True)
        _check_code(source)
    path = place(out, "model.pt")
    bring(found.path, path)
    progress("Loading the TorchScript program", 0.3)
    module = format_named("torchscript").load(path)
    progress("Running it once", 0.6)
    if wanted.signature:
        signature = given("torchscript", path, wanted.signature)
        return recognised(found, path, "torchscript", signature, "given")
    signature, notes = _propose(module, path)
    return recognised(found, path, "torchscript", signature, "proposed", notes=notes)


def _check_code(source: archive.Archive) -> None:
    """Refuse operators that reach for files, and ones that are not PyTorch's own."""
    # PyTorch takes the first folder it meets for the program's, whatever Assay makes of it.
    for name in source.members:
        if not name.endswith(".py"):
            continue
        text = source.read(name, _CODE_LIMIT).decode("utf-8", "replace")
        bad = _FORBIDDEN.search(text)
        foreign = next((ns for ns in _OPERATORS.findall(text) if ns not in _OWN), None)
        if bad or foreign:
            what = bad.group(0) if bad else f"ops.{foreign}"
            raise UnsafeModel(
                f"This TorchScript program uses {what!r}, which no plain model needs.",
                hint="It was not opened. Script the model without files and custom operators.",
            )


def _propose(module: Any, path: Path) -> tuple[Signature, tuple[str, ...]]:
    """A signature that runs. Raises BadRequest with an example to fill in."""
    names, choices = [], []
    for value in list(module.inlined_graph.inputs())[1:]:
        name = value.debugName().split(".")[0]
        names.append(name)
        if str(value.type()) != "Tensor":
            raise _ask(names, f"{name!r} is a {str(value.type())[:60]}, not a tensor")
        choices.append(tuple(_specs_for(module, value, name)))
    if not choices or not all(choices):
        raise _ask(names, "its first weights do not tell")
    dynamic = [Signature(specs) for specs in islice(product(*choices), _TRIES)]
    signature, said = first_that_runs("torchscript", path, dynamic)
    if signature:
        return signature, ("The shapes were proposed from the first weights; check them below.",)
    signature, _ = first_that_runs("torchscript", path, map(_at_batch_one, dynamic))
    if signature:
        return signature, ("It runs with a batch of 1 only: the batch size is built into it.",)
    raise _ask(names, f"no proposed shape runs ({said})")


def _ask(names: list[str], why: str) -> BadRequest:
    """Ask for the signature, with an example of one."""
    example = names[0] if names else "input"
    return BadRequest(
        f"TorchScript does not carry the shapes of its inputs, and {why}.",
        hint=f"Give the signature, for instance: {example}, float32, batch × 3 × 224 × 224.",
    )


def _at_batch_one(signature: Signature) -> Signature:
    return Signature(
        tuple(
            TensorSpec(spec.name, spec.dtype, (1, *spec.shape[1:]), spec.low, spec.high)
            for spec in signature.inputs
        )
    )


def _specs_for(module: Any, value: Any, name: str) -> Iterator[TensorSpec]:
    """What this input may be, likeliest first, by the first weight it meets."""
    met = _first_weight(module, value)
    if met is None:
        return
    kind, weight, groups = met
    size = [int(edge) for edge in weight.shape]
    if kind == "embedding":
        yield TensorSpec(name, "int64", ("batch", "sequence"), 0, size[0])
        return
    dtype = str(weight.dtype).removeprefix("torch.")
    for shape in _shapes(kind, size, groups):
        yield TensorSpec(name, dtype, shape)


def _shapes(kind: str, size: list[int], groups: int) -> Iterator[tuple[Dim, ...]]:
    if kind == "convolution":
        channels = size[1] * groups
        edges = _EDGES.get(channels, _OTHER_EDGES)
        for edge in edges:
            yield ("batch", channels, *([edge] * (len(size) - 2)))
    elif kind == "linear":
        yield ("batch", size[1])
        yield ("batch", "sequence", size[1])


_CONSUMERS = {
    # operator: (what it is, where the weight is among its inputs, where the groups are)
    "aten::conv1d": ("convolution", 1, 6),
    "aten::conv2d": ("convolution", 1, 6),
    "aten::conv3d": ("convolution", 1, 6),
    "aten::_convolution": ("convolution", 1, 8),
    "aten::linear": ("linear", 1, None),
    "aten::embedding": ("embedding", 0, None),
}


def _first_weight(module: Any, value: Any) -> tuple[str, Any, int] | None:
    """(kind, weight, groups) of the nearest operator with a weight, following the data."""
    pending, seen = [value], set()
    while pending:
        here = pending.pop(0)
        for use in here.uses():
            node = use.user
            kind, at, groups = _CONSUMERS.get(node.kind(), ("", 0, None))
            inputs = list(node.inputs())
            weight = _tensor(module, inputs[at]) if kind else None
            if weight is not None:
                count = inputs[groups].toIValue() if groups is not None else 1
                return kind, weight, int(count or 1)
            for output in node.outputs():
                if output.debugName() not in seen:
                    seen.add(output.debugName())
                    pending.append(output)
    return None


def _tensor(module: Any, value: Any) -> Any:
    """The tensor behind a graph value: a constant, or an attribute of the module."""
    node = value.node()
    if node.kind() == "prim::Constant":
        return value.toIValue()
    trail: list[str] = []
    while node.kind() == "prim::GetAttr":
        trail.append(node.s("name"))
        node = next(iter(node.inputs())).node()
    if not trail or node.kind() != "prim::Param":
        return None
    held = module
    for name in reversed(trail):
        held = getattr(held, name)
    return held
