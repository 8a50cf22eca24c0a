"""Verification cases: which inputs at which batch, their reference outputs, on disk and back.

A folder of ``cases.json`` (what was run, its noise) and ``cases.npz`` (the arrays).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from engine.errors import BadRequest
from engine.feeds import under_names
from engine.files import disk_errors
from engine.records import dump, parse
from engine.types import Feed, Signature
from engine.verify.compare import relative
from engine.verify.inputs import Kind, feed, hash_of

CASES, ARRAYS = "cases.json", "cases.npz"
THREADS = 2
"""Of the reference and of every candidate: the same sums in the same order, machine by machine."""
LENGTHS = (5, 11, 32, 48)
"""Further sizes of symbols that are not the batch: they must really be dynamic. Two that divide
well, for nets that halve their inputs."""

Infer = Callable[[Feed], Mapping[str, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Plan:
    """One case to run: the kind of values, the batch, and sizes of other symbols."""

    kind: Kind | Literal["real"]
    batch: int
    sizes: Mapping[str, int]

    @property
    def label(self) -> str:
        """How a person reads it: ``random``, or ``random (sequence 11)``."""
        others = ", ".join(f"{name} {size}" for name, size in self.sizes.items())
        return f"{self.kind} ({others})" if others else self.kind


@dataclass(frozen=True, slots=True)
class ReferenceCase:
    """A case as the original ran it.

    ``noise`` is the original's own relative spread by output (same order); ``row_relative`` its
    largest relative error between a row in the batch and the row alone; None where there is none.
    """

    plan: Plan
    input_hash: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    noise: tuple[float | None, ...]
    row_relative: float | None


def plans(signature: Signature, batches: Iterable[int]) -> tuple[Plan, ...]:
    """Random values at every batch; zeros, large values, other lengths at one batch."""
    sizes = tuple(sorted(set(batches)))
    if signature.batch_symbol is None:
        sizes = (_fixed_batch(signature),)
    one = 2 if 2 in sizes else sizes[0]
    found = [Plan("random", batch, {}) for batch in sizes]
    found += [Plan("zeros", one, {}), Plan("large", one, {})]
    others = [name for name in signature.symbols if name != signature.batch_symbol]
    # Symbols move apart from each other, so that two that were fused into one are found.
    found += [
        Plan("random", one, {n: LENGTHS[(at + i) % len(LENGTHS)] for i, n in enumerate(others)})
        for at in range(len(LENGTHS) - 1 if others else 0)
    ]
    return tuple(found)


def plans_on_samples(signature: Signature, count: int, batches: Iterable[int]) -> tuple[Plan, ...]:
    """What the model is really fed with, at every batch that ``count`` samples are enough for."""
    if signature.batch_symbol is None:
        return (Plan("real", _fixed_batch(signature), {}),)
    return tuple(Plan("real", batch, {}) for batch in sorted(set(batches)) if batch <= count)


def _fixed_batch(signature: Signature) -> int:
    first = signature.inputs[0].shape[0] if signature.inputs and signature.inputs[0].shape else 1
    return first if isinstance(first, int) else 1


def feed_for(
    plan: Plan, signature: Signature, seed: int, real: Callable[[int], Feed] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a case; ``real`` gives the first so many samples."""
    if plan.kind == "real":
        assert real is not None, "a case on samples, and none were given"
        return dict(real(plan.batch))
    return feed(signature, plan.kind, plan.batch, seed, sizes=plan.sizes)


class Rows:
    """Runs single rows of a batch, each distinct row once however many batches hold it."""

    def __init__(self, signature: Signature, infer: Infer) -> None:
        self._signature = signature
        self._infer = infer
        self._known: dict[str, Mapping[str, np.ndarray]] = {}

    def largest_difference(
        self, given: Feed, outputs: Mapping[str, np.ndarray], batch: int
    ) -> float | None:
        """The largest relative error between a row of ``outputs`` and the row run alone.

        None where the batch is fixed or 1. A row of another shape counts as wholly different: 1.
        """
        symbol = self._signature.batch_symbol
        if symbol is None or batch == 1:
            return None
        worst: float | None = None
        for row in range(batch):
            alone = self._alone(given, row, symbol)
            for name, array in outputs.items():
                if not self._is_batched(name, array, alone[name], batch):
                    continue
                found = _difference(alone[name], array[row : row + 1])
                worst = found if worst is None else max(worst, found)
        return worst

    def _alone(self, given: Feed, row: int, symbol: str) -> Mapping[str, np.ndarray]:
        one = {
            spec.name: np.ascontiguousarray(given[spec.name][row : row + 1])
            if spec.shape and spec.shape[0] == symbol
            else given[spec.name]
            for spec in self._signature.inputs
        }
        key = hash_of(one)
        if key not in self._known:
            self._known[key] = self._infer(one)
        return self._known[key]

    def _is_batched(self, name: str, array: np.ndarray, alone: np.ndarray, batch: int) -> bool:
        declared = {spec.name: spec.shape for spec in self._signature.outputs}
        if declared.get(name):
            return declared[name][0] == self._signature.batch_symbol and array.shape[0] == batch
        return array.ndim > 0 and array.shape[0] == batch and alone.shape[:1] == (1,)


def _difference(alone: np.ndarray, row: np.ndarray) -> float:
    if alone.shape != row.shape:
        return 1.0
    if not alone.size or np.array_equal(alone, row, equal_nan=alone.dtype.kind in "fc"):
        return 0.0
    found = relative(alone, row)
    return 1.0 if found is None else found


def save(
    folder: Path,
    cases: Iterable[tuple[ReferenceCase, Feed, Mapping[str, np.ndarray]]],
) -> None:
    """Write the cases with their inputs and outputs."""
    arrays: dict[str, np.ndarray] = {}
    records = []
    for index, (case, given, outputs) in enumerate(cases):
        records.append(dump(case))
        arrays |= {f"{index}.in.{at}": given[name] for at, name in enumerate(case.inputs)}
        arrays |= {f"{index}.out.{at}": outputs[name] for at, name in enumerate(case.outputs)}
    with disk_errors():
        np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]  # its stub expects a flag
        (folder / CASES).write_text(json.dumps(records, allow_nan=False), encoding="utf-8")


def load(
    folder: Path, signature: Signature
) -> Iterable[tuple[ReferenceCase, Feed, tuple[np.ndarray, ...]]]:
    """The cases again: each with its feed under ``signature``'s names, and its outputs.

    Raises BadRequest when they are not there, or are no inputs of such a model.
    """
    try:
        records = json.loads((folder / CASES).read_text(encoding="utf-8"))
        file = np.load(folder / ARRAYS, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadRequest(
            "The original's outputs are not there to compare with.",
            hint="Run the verification again; it computes them first.",
        ) from error
    with file as arrays:
        for index, record in enumerate(records):
            case = parse(ReferenceCase, record)
            original = {name: arrays[f"{index}.in.{at}"] for at, name in enumerate(case.inputs)}
            given = under_names(original, [spec.name for spec in signature.inputs])
            outputs = tuple(arrays[f"{index}.out.{at}"] for at in range(len(case.outputs)))
            yield case, given, outputs


def reference_case(
    plan: Plan, given: Feed, outputs: Mapping[str, np.ndarray], rows: Rows
) -> ReferenceCase:
    """What the original did on one case; its noise is added by ``with_noise``."""
    return ReferenceCase(
        plan=plan,
        input_hash=hash_of(given),
        inputs=tuple(given),
        outputs=tuple(outputs),
        noise=(None,) * len(outputs),
        row_relative=rows.largest_difference(given, outputs, plan.batch),
    )


def with_noise(case: ReferenceCase, noise: Mapping[str, float | None]) -> ReferenceCase:
    """The case with the original's own spread, by output."""
    return replace(case, noise=tuple(noise.get(name) for name in case.outputs))
