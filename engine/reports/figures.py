"""Everything a page or an export shows of a report, derived from its raw samples alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.changes import label_of
from engine.data.drawn import RANDOM
from engine.errors import BadRequest
from engine.options import parse_target
from engine.reports.forest import Forest, forest
from engine.reports.model import Report
from engine.reports.promises import Promise, promise_table, promises
from engine.reports.protocol import protocol_warnings
from engine.reports.quality import loss_warning, quality_table
from engine.reports.recommendation import Recommendation, headline, recommendation
from engine.reports.reference import ReferenceFigures, references
from engine.reports.sections import sections
from engine.reports.sections.model import Section
from engine.reports.tables import (
    Table,
    VerificationFigures,
    environment_tables,
    language_table,
    latency_table,
    lineage_table,
    memory_table,
    start_table,
    verdict_table,
    verifications,
)
from engine.reports.takeaways import Takeaways, takeaways
from engine.reports.tradeoff import Tradeoff, tradeoff
from engine.reports.variants import BlockFigure, VariantFigures, block_figures, variant_figures
from engine.types import Step


@dataclass(frozen=True, slots=True)
class Figures:
    """A report, worked out: sentences first, then numbers for charts, then tables of text."""

    headline: str
    recommendation: Recommendation | None
    warnings: tuple[str, ...]
    failures: Mapping[str, str]
    variants: tuple[VariantFigures, ...]
    blocks: tuple[BlockFigure, ...]
    references: tuple[ReferenceFigures, ...]
    verifications: tuple[VerificationFigures, ...]
    language: Table | None
    quality: Table | None
    verdicts: Table
    latency: Table
    memory: Table
    start: Table
    lineage: Table
    environment: tuple[Table, ...]
    takeaways: Takeaways
    forest: Forest | None
    tradeoff: Tradeoff | None
    promises: tuple[Promise, ...]
    promise_table: Table
    sections: tuple[Section, ...]


def figures(report: Report) -> Figures:
    """The figures of a report. Seeded: the same report gives the same figures."""
    variants = variant_figures(report)
    claim = recommendation(report, variants)
    blocks = block_figures(report)
    beside = references(report, variants)
    checked = promises(report, variants)
    shown = sections(report)
    return Figures(
        headline=headline(report, variants, claim),
        recommendation=claim,
        warnings=_warnings(report, variants),
        failures=_failures(report, shown),
        variants=variants,
        blocks=blocks,
        references=beside,
        verifications=verifications(report),
        language=language_table(report),
        quality=quality_table(report),
        verdicts=verdict_table(report, variants),
        latency=latency_table(variants),
        memory=memory_table(variants),
        start=start_table(variants),
        lineage=lineage_table(report),
        environment=environment_tables(report),
        takeaways=takeaways(variants, blocks),
        forest=forest(variants),
        tradeoff=tradeoff(report, variants),
        promises=checked,
        promise_table=promise_table(checked),
        sections=shown,
    )


def _failures(report: Report, shown: tuple[Section, ...]) -> dict[str, str]:
    """What was asked for and did not come about, by the name a person knows it by.

    What a study has no figures of stands in its section, where there is one.
    """
    own = {section.name for section in shown}
    failed = {_asked(key): why for key, why in report.failures.items()}
    if report.measurement is not None:
        labels = {v.key: v.label for v in report.measurement.plan.variants}
        for key, why in report.measurement.failures.items():
            failed[f"{labels.get(key, key)}, measuring"] = why
        for key, why in report.measurement.memory_failures.items():
            failed[f"{labels.get(key, key)}, memory"] = why
        for key, why in report.measurement.study_failures.items():
            study, _, variant = key.partition(": ")
            if study not in own:
                failed[f"{labels.get(variant, variant)}, {study}"] = why
    return failed


def _asked(key: str) -> str:
    """What a person calls the target; a report from elsewhere may name what is none."""
    try:
        return label_of(parse_target(key))
    except BadRequest:
        return key


def _read_random(step: Step) -> bool:
    """Whether a pass read values that were drawn."""
    return bool(step.options.get("data") == RANDOM)


def _warnings(report: Report, variants: tuple[VariantFigures, ...]) -> tuple[str, ...]:
    """What a reader must know before believing the figures."""
    found = list(protocol_warnings(report, variants))
    if lossy := loss_warning(report):
        found.append(lossy)
    guessed = [a.label for a in report.artifacts if any(map(_read_random, a.lineage))]
    if guessed:
        found.append(
            f"Made from random values, since no data was given: {', '.join(guessed)}. What it "
            "answers, and how well, means little; bring data and make it again."
        )
    return tuple(found)
