"""Joules an inference, gross and net; or why this machine does not say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.bench import stats
from engine.bench.observations import EnergyLoad, Reading
from engine.reports import words
from engine.reports.model import Report
from engine.reports.sections.model import Section
from engine.reports.tables import Table
from engine.reports.variants import variant_figures

PLACE = 46
_STUDY = "energy: "
_BUSY = 0.1
"""CPUs that others kept busy, from which on their share of the energy is worth a word."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one counter says of one process. Watts at rest and under load, joules an inference."""

    idle_w: float
    load_w: float
    gross_j: float

    @property
    def net_j(self) -> float:
        """Without what the machine takes at rest in the same time; below 0 where that was more."""
        return self.gross_j * (1 - self.idle_w / self.load_w) if self.load_w else 0.0


def section(report: Report) -> Section | None:
    """Every variant by every counter; without counters the reason and no figure."""
    measurement = report.measurement
    if measurement is None or "energy" not in measurement.plan.studies:
        return None
    if not measurement.energy:
        return _absent(report)
    rows = [
        (variant.name, name, [one for load in own if _alone(load) and (one := spent(load, at))])
        for variant in variant_figures(report)
        if (own := [load for load in measurement.energy if load.variant == variant.key])
        for at, name in enumerate(own[0].counters)
    ]
    return Section(
        name="energy",
        title="Energy",
        caption="What an inference takes, in joules, by the machine's own counters: gross is "
        "everything the counter saw under load, net is without what it saw at rest.",
        plots=(),
        table=Table(
            "Energy in joules an inference",
            (
                *("Variant", "Counter", "Gross, J", "Net, J", "Under load, W", "At rest, W"),
                "Processes",
            ),
            tuple(_row(*row) for row in rows),
            "Each process is under load for 30 seconds; before it the machine rests for 10. "
            "Brackets are 95 % intervals over processes (Student's t). A package is a whole "
            "processor with everything that runs on it; dram is the memory beside it.",
        ),
        notes=tuple(_notes(report)),
    )


def spent(load: EnergyLoad, at: int) -> Spent | None:
    """By the counter in the place ``at``; None with fewer than two readings of load or rest."""
    idle, loaded = _watts(load.idle, at), _watts(load.load, at)
    if idle is None or loaded is None:
        return None
    return Spent(idle, loaded, loaded * load.load_ns / 1e9 / load.inferences)


def _alone(load: EnergyLoad) -> bool:
    """Counters see the whole machine: what others take cannot be told from the model's."""
    return load.others_cpus is None or load.others_cpus <= _BUSY


def _watts(readings: Sequence[Reading], at: int) -> float | None:
    """From the first reading to the last: µJ over ns are kilowatts."""
    if len(readings) < 2:
        return None
    first, last = readings[0], readings[-1]
    return 1e3 * (last.risen_uj[at] - first.risen_uj[at]) / (last.at_ns - first.at_ns)


def _row(name: str, counter: str, found: Sequence[Spent]) -> tuple[str, ...]:
    if not found:
        return (name, counter, *("not available",) * 2, "–", "–", "0")
    return (
        name,
        counter,
        _mean([one.gross_j for one in found]),
        _mean([one.net_j for one in found]),
        _mean([one.load_w for one in found]),
        _mean([one.idle_w for one in found]),
        f"{len(found)}",
    )


def _mean(values: Sequence[float]) -> str:
    middle, low, high = stats.mean(values)
    return words.number(middle) if len(values) < 2 else words.interval(middle, low, high)


def _notes(report: Report) -> Iterable[str]:
    assert report.measurement is not None
    loads = report.measurement.energy
    busy = [load.others_cpus or 0 for load in loads if not _alone(load)]
    if busy:
        yield (
            f"{len(busy)} of {len(loads)} processes do not count: others kept up to "
            f"{words.number(max(busy))} CPUs busy meanwhile, and the counters cannot tell their "
            "energy from the model's."
        )
    yield from _reasons(report)


def _absent(report: Report) -> Section:
    """The section of a machine that counts nothing."""
    assert report.measurement is not None
    failures = report.measurement.study_failures
    why = dict.fromkeys(said for key, said in failures.items() if key.startswith(_STUDY))
    return Section(
        name="energy",
        title="Energy",
        caption="Not available on the machine that measured: it shows Assay no counter "
        "of its energy, and nothing is guessed in its place.",
        plots=(),
        table=Table(
            "Energy in joules an inference",
            ("Variant", "Gross, J", "Net, J"),
            tuple((v.name, "not available", "not available") for v in variant_figures(report)),
        ),
        notes=tuple(why),
    )


def _reasons(report: Report) -> tuple[str, ...]:
    """Why variants have no figures, each reason once with whom it holds for."""
    assert report.measurement is not None
    names = {v.key: v.name for v in variant_figures(report)}
    failed: dict[str, list[str]] = {}
    for key, why in report.measurement.study_failures.items():
        if key.startswith(_STUDY):
            failed.setdefault(why, []).append(names.get(key.removeprefix(_STUDY), key))
    return tuple(f"{', '.join(who)}: {why}" for why, who in failed.items())
