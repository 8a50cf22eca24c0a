"""What a pruned model is held against: its own shapes, its folder, its figures before.

Imports torch only inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.drawn import DrawnSamples
from engine.errors import EngineError, UnsupportedModel
from engine.tensors import arrays_of, tensors_for, torch_errors
from engine.types import Feed, Signature


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model costs: multiply-adds for one sample, and parameters."""

    macs: int
    parameters: int


def figures(module: Any, signature: Signature) -> Figures:
    """Counted on one sample, by PyTorch's own counter: products of matrices and convolutions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), torch_errors("counting operations"), counter:
        module(*tensors_for(DrawnSamples(signature).batch(1), signature))
    parameters = {id(item): item.numel() for item in module.parameters()}
    return Figures(counter.get_total_flops() // 2, sum(parameters.values()))


def compared(before: Figures, after: Figures) -> tuple[str, ...]:
    """Both, for a person."""
    pairs = (
        ("Multiply-adds a sample", before.macs, after.macs),
        ("Parameters", before.parameters, after.parameters),
    )
    return tuple(
        f"{name}: {old:,} before, {new:,} after ({(new - old) / old:+.1%}).".replace("%", " %")
        for name, old, new in pairs
        if old
    )


def example(signature: Signature) -> tuple[Any, ...]:
    """Tensors to trace with."""
    return tensors_for(DrawnSamples(signature).batch(2), signature)


def same_shapes(module: Any, signature: Signature) -> None:
    """Run at several batches. Raises UnsupportedModel where the model broke or shapes changed."""
    for given in _feeds(signature):
        try:
            with torch_errors("running the pruned model"):
                found = _run(module, given, signature)
        except EngineError as error:
            raise UnsupportedModel(
                f"With channels taken out, this model does not run: {error.message}",
                hint="Its layers share channels in a way that cannot be seen: keep some of them "
                "(layers='name=0'), leave attention heads alone (heads=no), or prune weights.",
            ) from error
        for spec in signature.outputs:
            fixed = [dim if isinstance(dim, int) else None for dim in spec.shape]
            sizes = found[spec.name].shape
            if len(fixed) != len(sizes) or any(
                dim not in (None, size) for dim, size in zip(fixed, sizes, strict=True)
            ):
                raise UnsupportedModel(
                    f"Pruning changed the output {spec.name!r} to {list(sizes)}.",
                    hint="Keep the layer it comes from: layers='name=0'.",
                )


def same_answers(module: Any, read_again: Any, signature: Signature) -> None:
    """Raise UnsupportedModel where what was written is not what was made."""
    for given in _feeds(signature):
        made, found = _run(module, given, signature), _run(read_again, given, signature)
        # Memory laid out anew changes the order of sums, and with it the last bits.
        close = (np.allclose(found[name], made[name], 1e-3, 1e-4, equal_nan=True) for name in made)
        if not all(close):
            raise UnsupportedModel(
                "The model's folder does not give the model that was made: its code keeps sizes "
                "that cannot be recorded.",
                hint="Prune weights instead.",
            )


def _run(module: Any, given: Feed, signature: Signature) -> dict[str, np.ndarray]:
    import torch

    with torch.inference_mode():
        return arrays_of(module(*tensors_for(given, signature)), signature)


def _feeds(signature: Signature) -> Iterator[Feed]:
    batches = (1, 2, 3) if signature.batch_symbol else (1,)
    drawn = DrawnSamples(signature)
    return (drawn.batch(size) for size in batches)
