"""What the raw blocks of one variant come to: the figures of its row, its curve and its bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from engine.bench import stats
from engine.bench.model import Block, Measurement, Variant
from engine.bench.session import outside_evidence
from engine.bench.stats import Percentile, Ratio
from engine.reports.model import Report, ReportArtifact

_MS = 1e6
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One measured variant. Latencies in ms, memory and file size in MiB, phases in s.

    ``name`` is unique in the report; ``colour`` numbers the artifact, so that it keeps its colour
    at every batch size. ``first_answer_s`` is import + load + first inference. ``memory_mib`` is
    the peak above a process that only imports the framework; None when it was not weighed.
    ``ratio`` is against the original at the same batch and threads; None for the original itself.
    """

    key: str
    name: str
    label: str
    artifact_id: str
    format: str
    batch: int
    threads: int
    is_original: bool
    colour: int
    p50: Percentile
    p90: Percentile
    p99: Percentile
    mean_ms: float
    min_ms: float
    throughput: float
    first_ms: float
    import_s: float
    load_s: float
    first_answer_s: float
    memory_mib: float | None
    baseline_mib: float | None
    mapped_mib: float | None
    size_mib: float
    samples: int
    processes: int
    within: float | None
    between: float | None
    grade: str
    ratio: Ratio | None
    ecdf: tuple[tuple[float, float], ...]

    @property
    def typical_ms(self) -> float:
        """The median, or the mean while there are too few samples for one."""
        return self.mean_ms if self.p50.value is None else self.p50.value


@dataclass(frozen=True, slots=True)
class BlockFigure:
    """One process in the order it ran: its median in ms, and why its round was discarded."""

    position: int
    round: int
    variant: str
    p50_ms: float
    discarded: str | None


def variant_figures(report: Report) -> tuple[VariantFigures, ...]:
    """Every variant that was measured through to the end, in the order of the plan."""
    measurement = report.measurement
    if measurement is None:
        return ()
    made = {artifact.id: artifact for artifact in report.artifacts}
    order = list(dict.fromkeys(v.artifact_id for v in measurement.plan.variants))
    names = _names(measurement.plan.variants)
    return tuple(
        _figures_of(
            variant,
            names[variant.key],
            order.index(variant.artifact_id),
            made[variant.artifact_id],
            measurement,
        )
        for variant in measurement.plan.variants
        if variant.key not in measurement.failures and kept(measurement.blocks, variant.key)
    )


def at_smallest_batch(variants: Iterable[VariantFigures]) -> tuple[VariantFigures, ...]:
    """One variant an artifact, where several batch sizes were measured."""
    found = tuple(variants)
    smallest = min((v.batch for v in found), default=0)
    return tuple(v for v in found if v.batch == smallest)


def kept(blocks: Iterable[Block], variant: str) -> tuple[Block, ...]:
    """The variant's blocks that count, by round."""
    counting = (b for b in blocks if b.variant == variant and b.discarded is None)
    return tuple(sorted(counting, key=lambda block: block.round))


def ratio_between(measurement: Measurement, first: str, second: str) -> Ratio | None:
    """How many times as fast the second variant is, over the rounds both ran in."""
    of_first = {b.round: median(b.samples_ns) for b in kept(measurement.blocks, first)}
    of_second = {b.round: median(b.samples_ns) for b in kept(measurement.blocks, second)}
    both = sorted(of_first.keys() & of_second.keys())
    return stats.ratio([of_first[r] for r in both], [of_second[r] for r in both])


def block_figures(report: Report) -> tuple[BlockFigure, ...]:
    """Every block as it ran, the discarded ones among them."""
    if report.measurement is None:
        return ()
    return tuple(
        BlockFigure(position, b.round, b.variant, median(b.samples_ns) / _MS, b.discarded)
        for position, b in enumerate(report.measurement.blocks, start=1)
    )


def _figures_of(
    variant: Variant, name: str, colour: int, made: ReportArtifact, measurement: Measurement
) -> VariantFigures:
    blocks = kept(measurement.blocks, variant.key)
    samples = [np.array(block.samples_ns, dtype=float) / _MS for block in blocks]
    pooled = np.concatenate(samples)
    passes = [weighed for weighed in measurement.memory if weighed.variant == variant.key]
    discarded = sum(1 for b in measurement.blocks if b.variant == variant.key and b.discarded)
    return VariantFigures(
        key=variant.key,
        name=name,
        label=variant.label,
        artifact_id=variant.artifact_id,
        format=variant.format,
        batch=variant.batch,
        threads=variant.threads,
        is_original=variant.is_original,
        colour=colour,
        p50=stats.percentile(samples, 0.5),
        p90=stats.percentile(samples, 0.9),
        p99=stats.percentile(samples, 0.99),
        mean_ms=float(pooled.mean()),
        min_ms=float(pooled.min()),
        throughput=float(variant.batch / (pooled.mean() / 1e3)),
        first_ms=median(block.first_s for block in blocks) * 1e3,
        import_s=median(block.import_s for block in blocks),
        load_s=median(block.load_s for block in blocks),
        first_answer_s=median(b.import_s + b.load_s + b.first_s for b in blocks),
        memory_mib=_middle_mib(p.above_baseline_bytes for p in passes),
        baseline_mib=_middle_mib(p.baseline_bytes for p in passes),
        mapped_mib=_middle_mib(p.resident_file_bytes for p in passes),
        size_mib=made.size_bytes / _MIB,
        samples=len(pooled),
        processes=len(blocks),
        within=stats.spread_within(samples),
        between=stats.spread_between(samples),
        grade=stats.grade(
            samples, discarded=discarded, disturbed=outside_evidence(blocks) is not None
        ),
        ratio=_against_original(variant, measurement),
        ecdf=stats.ecdf(pooled),
    )


def _against_original(variant: Variant, measurement: Measurement) -> Ratio | None:
    if variant.is_original:
        return None
    for other in measurement.plan.variants:
        same = (other.batch, other.threads) == (variant.batch, variant.threads)
        if other.is_original and same and other.key not in measurement.failures:
            return ratio_between(measurement, other.key, variant.key)
    return None


def _middle_mib(counts: Iterable[int]) -> float | None:
    found = list(counts)
    return median(found) / _MIB if found else None


def _names(variants: Sequence[Variant]) -> dict[str, str]:
    """A name for each variant: its label, and only as much more as tells it from the others."""
    batches = len({variant.batch for variant in variants}) > 1
    names: dict[str, str] = {}
    for variant in variants:
        name = f"{variant.label}, original" if variant.is_original else variant.label
        names[variant.key] = f"{name}, batch {variant.batch}" if batches else name
    seen = Counter(names.values())
    return {key: f"{name} {key[-6:]}" if seen[name] > 1 else name for key, name in names.items()}
