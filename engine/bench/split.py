"""What the memory of a running model is made of: runtime, weights, workspace, and what was freed.

A figure for each pass, from its raw records. The parts add up to the peak of the steady phase.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.model import MemoryPass

_MIB = 1024**2
APART, APART_BYTES = 0.05, 2 * _MIB
"""Weights and tensors agree within this share and so many bytes: a graph takes some, too."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes. ``weights`` are held because of the weights, whatever their form; of them ``mapped``
    are pages of the file itself, which the kernel can take back. ``cache``: keys and values of a
    language model. ``workspace``: what its inferences need beside these, at their height.
    ``kept``: freed by the model, but not given back. ``runtime`` is all the rest.

    ``told_apart`` is False where it was not opened a second time: weights are then the growth at
    load, in which is what the runtime sets up once.
    """

    runtime: int
    weights: int
    cache: int
    workspace: int
    kept: int
    mapped: int
    told_apart: bool

    @property
    def total(self) -> int:
        """The peak of the steady phase."""
        return self.runtime + self.weights + self.cache + self.workspace + self.kept


def parts_of(found: MemoryPass) -> Parts | None:
    """The parts of one pass; None for one that was not weighed phase by phase."""
    by_name = {phase.name: phase for phase in found.phases}
    if not {"import", "load", "steady"} <= by_name.keys():
        return None
    imported, loaded, steady = (by_name[name] for name in ("import", "load", "steady"))
    mapped, copy = steady.own_file_bytes, found.copy
    if copy is not None:
        apart, work = copy.weights_bytes, copy.workspace_bytes
        kept = max(0, copy.freed_bytes - max(0, work - copy.held_bytes))
    else:
        apart = loaded.resident_bytes - loaded.own_file_bytes - imported.resident_bytes
        work = steady.peak_bytes - mapped - (loaded.resident_bytes - loaded.own_file_bytes)
        kept = 0
    weights, work = max(0, apart) + mapped, max(0, work)
    told = found.cache_bytes if found.cache_told_bytes is None else found.cache_told_bytes
    cache = min(work, told or 0)
    return Parts(
        runtime=max(0, steady.peak_bytes - weights - work - kept),
        weights=weights,
        cache=cache,
        workspace=work - cache,
        kept=kept,
        mapped=mapped,
        told_apart=copy is not None,
    )


def agree(held: float, known: float) -> bool:
    """Whether the bytes held for weights are those that are known to be there."""
    return abs(held - known) <= APART * known + APART_BYTES
