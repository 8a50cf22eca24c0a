"""On which machines reports were measured, and in what these differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.reports.model import Report
from engine.reports.tables import Table
from engine.reports.variants import VariantFigures
from engine.reports.versions import SHOWN, by_name

_HARDWARE = (
    *("Processor", "Architecture", "Logical CPUs", "CPUs this process may use", "CPU quota"),
    *("Memory", "Virtual machine", "NVIDIA GPU", "NVIDIA driver"),
)
_ABSENT = "–"


def machine_numbers(reports: Sequence[Report]) -> tuple[int, ...]:
    """For each report the number of its machine, from 1; equal where the hardware is alike.

    A report that does not name its processor has a machine of its own: it may be any.
    """
    firsts: list[Report] = []
    found = []
    for report in reports:
        place = next((n for n, other in enumerate(firsts) if _alike(report, other)), len(firsts))
        if place == len(firsts):
            firsts.append(report)
        found.append(place + 1)
    return tuple(found)


def processor_of(report: Report) -> str:
    """The processor as the report names it."""
    return _facts(report).get("Processor", "") or "processor not named"


def differences(
    heads: Sequence[str], reports: Sequence[Report], measured: Sequence[Sequence[VariantFigures]]
) -> Table:
    """What is not the same for all, a line each: the machine, the versions, how it was measured.

    ``heads`` name the reports, ``measured`` are the figures of each.
    """
    cards = [_card(report, own) for report, own in zip(reports, measured, strict=True)]
    packages = [_packages(report) for report in reports]
    names = [*_names(cards), *(name for name in SHOWN if name in _names(packages))]
    whole = [{**card, **found} for card, found in zip(cards, packages, strict=True)]
    rows = tuple((name, *line) for name in names if len(set(line := _line(name, whole))) > 1)
    others = sum(
        len(set(_line(name, packages))) > 1 for name in _names(packages) if name not in SHOWN
    )
    same = len(names) - len(rows)
    note = f"Alike everywhere, and not shown: {same} more." if same else ""
    if others:
        many = "1 other package differs" if others == 1 else f"{others} other packages differ"
        note = f"{note} {many}: each report lists its own.".strip()
    return Table("Where they differ", ("Fact", *heads), rows, note)


def _line(name: str, found: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(one.get(name, _ABSENT) for one in found)


def _names(found: Iterable[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one))


def _alike(one: Report, other: Report) -> bool:
    """Whether nothing tells the machines apart: hardware, or fingerprints where both kept one."""
    facts, others = _facts(one), _facts(other)
    floors = [r.measurement.floor for r in (one, other) if r.measurement is not None]
    hosts = {floor.host for floor in floors if floor is not None}
    same = all(facts.get(name) == others.get(name) for name in _HARDWARE)
    return bool(facts.get("Processor")) and same and len(hosts) < 2


def _facts(report: Report) -> dict[str, str]:
    if report.measurement is None:
        return {}
    there = report.measurement.environment.facts
    return {name: _ABSENT if value is None else str(value) for name, value in there.items()}


def _packages(report: Report) -> Mapping[str, str]:
    return by_name(report.measurement.environment.packages) if report.measurement else {}


def _card(report: Report, measured: Sequence[VariantFigures]) -> dict[str, str]:
    """What a reader holds beside each other, the machine first."""
    own = {
        "Model": f"{report.model.name} ({report.model.sha256[:8]})",
        "Reported": report.created_at[:16].replace("T", " "),
        "Assay": report.assay_version,
    }
    if report.measurement is None:
        return own
    plan = report.measurement.plan
    return {
        **_facts(report),
        **own,
        "Preset": plan.preset.name,
        "Threads": ", ".join(sorted({str(v.threads) for v in plan.variants})),
        "Noise": ", ".join(sorted({v.grade for v in measured})) or _ABSENT,
    }
