"""Zeros among weights: where they go, how many there are, and what they are good for."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from engine.errors import BadRequest
from engine.files import files_of
from engine.passes.pruning.options import PruneWeightsOptions

GROUP = 4
"""Of so many weights in a row, half are zero in the 2:4 pattern."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Zeros:
    """How many of a layer's weights are zero."""

    name: str
    weights: int
    zeros: int

    @classmethod
    def of(cls, name: str, weights: np.ndarray) -> Self:
        """Counted."""
        return cls(name, weights.size, weights.size - int(np.count_nonzero(weights)))


def check(options: PruneWeightsOptions) -> None:
    """Raise BadRequest where the options contradict each other."""
    if options.pattern == "2-4" and options.amount != 0.5:
        raise BadRequest(
            f"The pattern 2:4 sets half of the weights to zero, and {options.amount:g} was asked.",
            hint="Leave the share at 0.5, or let zeros be anywhere (pattern=any).",
        )


def two_of_four(weights: np.ndarray) -> np.ndarray | None:
    """What stays in the 2:4 pattern along the last axis; None where that is no multiple of 4.

    The two smallest of every four go. GPUs read a weight along what is summed over.
    """
    if weights.shape[-1] % GROUP:
        return None
    fours = np.abs(weights).reshape(-1, GROUP)
    keep = np.ones_like(fours, dtype=bool)
    np.put_along_axis(keep, np.argsort(fours, axis=1, kind="stable")[:, : GROUP // 2], False, 1)
    return keep.reshape(weights.shape)


def refuse_emptied(found: Sequence[Zeros]) -> None:
    """Raise BadRequest for a layer of which nothing would be left."""
    empty = [one.name for one in found if one.zeros == one.weights]
    if empty:
        more = f", and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise BadRequest(
            f"This would set every weight of the layer {empty[0]!r} to zero{more}.",
            hint=f"Ask for less, compare within each layer, or keep it: layers={empty[0]}=0.",
        )


def compressed(path: Path) -> int:
    """The bytes that a zip archive of the file has, or of every file in the folder."""
    size = 0
    for item in files_of(path):
        packer = zlib.compressobj()
        with item.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(packer.compress(chunk))
        size += len(packer.flush())
    return size


def notes(found: Sequence[Zeros], sizes: tuple[int, int], pattern: str) -> tuple[str, ...]:
    """What a person should know of it; ``sizes``: bytes compressed, before and after."""
    weights, zeros = sum(one.weights for one in found), sum(one.zeros for one in found)
    faster = (
        "NVIDIA GPUs from Ampere on run 2:4 faster in kernels made for it; nothing else does."
        if pattern == "2-4"
        else "No ordinary kernel gets faster: it multiplies by zeros as by any number."
    )
    share = f"{100 * zeros / weights:.1f} %"
    return (
        f"{zeros:,} of {weights:,} weights in {len(found)} layers are zero ({share}).",
        f"Compressed (zip): {sizes[0] / 1e6:.2f} MB before, {sizes[1] / 1e6:.2f} MB after; the "
        "file itself is as large as it was.",
        faster,
    )


def report(found: Sequence[Zeros]) -> str:
    """Every layer, as Markdown."""
    rows = [
        f"| {one.name} | {one.weights:,} | {one.zeros:,} | {100 * one.zeros / one.weights:.1f} % |"
        for one in found
    ]
    head = ["# Zeros by layer", "", "| layer | weights | zeros | share |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *rows, ""])


def smallest(
    weights: Mapping[str, np.ndarray], share: Mapping[str, float], *, together: bool
) -> dict[str, np.ndarray]:
    """By layer, what stays when its share of the smallest weights goes; or of all as one."""
    counts = {name: int(share[name] * item.size) for name, item in weights.items()}
    pool = [name for name in weights if counts[name]]
    if together and pool:
        sizes = np.concatenate([np.abs(weights[name]).ravel() for name in pool])
        gone = np.zeros(sizes.size, dtype=bool)
        total = sum(counts.values())
        gone[np.argpartition(sizes, total - 1)[:total]] = True
        ends = np.cumsum([weights[name].size for name in pool])[:-1]
        parts = dict(zip(pool, np.split(gone, ends), strict=True))
        return {name: ~part.reshape(weights[name].shape) for name, part in parts.items()}
    return {name: _without(weights[name], counts[name]) for name in pool}


def _without(weights: np.ndarray, count: int) -> np.ndarray:
    keep = np.ones(weights.size, dtype=bool)
    keep[np.argpartition(np.abs(weights).ravel(), count - 1)[:count]] = False
    return keep.reshape(weights.shape)
