"""What the memory of a running model is made of, variant by variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from engine.bench.model import MemoryPass
from engine.bench.split import Parts, agree, parts_of
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Plot, Section, Series
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures, variant_figures

PLACE = 20
PARTS = {
    "runtime": "Runtime",
    "weights": "Weights",
    "cache": "Keys and values",
    "workspace": "Workspace",
    "kept": "Freed, not given back",
}
ABSENT = "–"
_MIB = 1024**2
_CACHE_APART_BYTES = 16 * 1024
"""llama.cpp reports hundredths of a MiB, buffer by buffer."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A variant and the parts of each of its passes."""

    variant: VariantFigures
    passes: tuple[MemoryPass, ...]
    parts: tuple[Parts, ...]

    def mib(self, part: str) -> float:
        """The median over the passes, in MiB."""
        return float(median(getattr(one, part) for one in self.parts)) / _MIB

    def known(self, field: str) -> float | None:
        """What a pass knows without weighing, in MiB; None where it does not."""
        found = [value for one in self.passes if (value := getattr(one, field)) is not None]
        return median(found) / _MIB if found else None


def section(report: Report) -> Section | None:
    """The medians of all parts, with what the tensors of the file come to beside the weights."""
    rows = _rows(report)
    if not rows:
        return None
    shown = [name for name in PARTS if name != "cache" or any(row.mib("cache") for row in rows)]
    return Section(
        name="memory-parts",
        title="What the memory is made of",
        caption="The most that is resident while the model runs, in MiB: medians over fresh "
        "processes. What loading takes for a while is in the next table.",
        plots=(_plot(rows, shown),),
        table=Table(
            "What the memory is made of, in MiB",
            (
                *("Variant", *(PARTS[name] for name in shown), "Together", "Import alone"),
                *("Tensors in the file", "Weights mapped from it", "Measured"),
            ),
            tuple(_cells(row, shown) for row in rows),
            _HOW,
        ),
        notes=tuple(note for row in rows for note in _notes(row)),
    )


_HOW = (
    "Brackets: lowest to highest of the processes, where they differ. Weights: what grows when the "
    "same file is opened once more in the process, freed memory given back before and "
    "after, so that nothing is in it that a runtime sets up once; and pages of the file that are "
    "mapped in. Workspace: how far that second copy's inferences rise above it. Freed, not given "
    "back: what the allocator gave back when asked, less the workspace that comes and goes. "
    "Runtime is all the rest: interpreter, Assay's worker, framework, and what it sets up at its "
    "first model. Every column is a median of its own, so a row need not add up to the last digit."
)


def _rows(report: Report) -> list[_Row]:
    weighed = () if report.measurement is None else report.measurement.memory
    rows = []
    for variant in variant_figures(report):
        own = [(one, parts_of(one)) for one in weighed if one.variant == variant.key]
        told = [(one, parts) for one, parts in own if parts is not None]
        if told:
            rows.append(_Row(variant, tuple(p for p, _ in told), tuple(p for _, p in told)))
    return rows


def _plot(rows: Sequence[_Row], shown: Sequence[str]) -> Plot:
    names = tuple(row.variant.name for row in rows)
    series = tuple(
        Series(PARTS[name], place, names, tuple(row.mib(name) for row in rows))
        for place, name in enumerate(shown)
    )
    said = (
        f"{row.variant.name} takes {words.number(row.mib('total'))} MiB while it runs, of which "
        f"{words.number(row.mib('weights'))} MiB are weights and "
        f"{words.number(row.mib('runtime'))} MiB the runtime"
        for row in rows
    )
    return Plot("stacked", "MiB", "", series, f"{'; '.join(said)}.")


def _cells(row: _Row, shown: Sequence[str]) -> tuple[str, ...]:
    tensors, mapped = row.known("tensor_bytes"), row.mib("mapped")
    return (
        row.variant.name,
        *(ranged([getattr(one, name) for one in row.parts]) for name in shown),
        ranged([one.total for one in row.parts]),
        ranged([one.baseline_bytes for one in row.passes]),
        ABSENT if tensors is None else words.number(tensors),
        words.number(mapped) if mapped else ABSENT,
        times(len(row.parts)),
    )


def _notes(row: _Row) -> list[str]:
    """Where what was measured and what is known do not agree, and what could not be measured."""
    name, held = row.variant.name, row.mib("weights")
    tensors, computed, told = map(row.known, ("tensor_bytes", "cache_bytes", "cache_told_bytes"))
    found = []
    if not all(one.told_apart for one in row.parts):
        found.append(
            f"{name}: there was too little memory to open it twice. Its weights are what grew when "
            "it was loaded, in which is what the runtime sets up at its first model."
        )
    if tensors is not None and not agree(held * _MIB, tensors * _MIB):
        found.append(f"{name}: {_disagreement(held, tensors)}")
    if computed is not None and told is not None:
        same = abs(computed - told) * _MIB <= _CACHE_APART_BYTES
        found.append(
            f"{name}: keys and values come to {words.number(computed)} MiB by the file's header, "
            f"and the runtime reports {words.number(told)} MiB"
            + (": they agree." if same else ": they do not agree; the runtime's figure is shown.")
        )
    return found


def _disagreement(held: float, tensors: float) -> str:
    both = (
        f"its tensors come to {words.number(tensors)} MiB in the file, and {words.number(held)} "
        "MiB were found to be held for them"
    )
    if held > tensors:
        return f"{both}: the runtime keeps them in another form, or a copy beside them."
    return f"{both}: not all are loaded, or several are held as one."


def ranged(counts: Sequence[int | None], show: Callable[[float], str] = words.number) -> str:
    """The median of counts of bytes, in MiB, and from where to where they go."""
    found = [count / _MIB for count in counts if count is not None]
    if not found:
        return ABSENT
    middle, low, high = (show(value) for value in (median(found), min(found), max(found)))
    return middle if low == high else f"{middle} [{low} to {high}]"


def times(count: int) -> str:
    """How often it was measured."""
    return "once" if count == 1 else f"{count} times"
