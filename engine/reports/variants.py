"""What the raw blocks of one variant come to: the figures of its row, its curve and its bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from engine.bench import stats, verdicts
from engine.bench.evidence import gate_failures, outside_evidence
from engine.bench.model import Block, Measurement, Variant
from engine.bench.stats import Percentile, Ratio
from engine.bench.verdicts import kept
from engine.reports.model import Report, ReportArtifact

_MS = 1e6
_MIB = 1024**2

LEAK_BYTES = 8 * _MIB
"""Growth while samples are taken, after warm-up: below this in some process it is the allocator's.
"""


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One measured variant. Latencies in ms, memory and file size in MiB, phases in s.

    ``name`` is unique in the report; ``colour`` numbers the artifact, so that it keeps its colour
    at every batch size. ``first_answer_s`` is import + load + first inference. ``memory_mib`` is
    the peak above a process that only imports the framework; None when it was not weighed.
    ``ratio`` is against the original at the same batch and threads, judged together with the others
    (Holm); None for the original itself. ``rank`` is 1 + how many at that batch and those threads
    are surely faster: what cannot be told apart shares one. ``cpu_s`` is CPU seconds an inference;
    ``grows_bytes``, how much its own memory grew an inference, in every process, else None.
    ``mad_ms`` is the median distance from the median. ``mean`` (ms), ``throughput`` (items/s) and
    the phases carry the interval of the processes' own. With ``calls_per_sample`` above 1
    percentiles are of means of so many calls.
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
    p95: Percentile
    p99: Percentile
    mean: Percentile
    min_ms: float
    max_ms: float
    mad_ms: float
    throughput: Percentile
    import_s: Percentile
    load_s: Percentile
    first_s: Percentile
    first_answer_s: Percentile
    memory_mib: float | None
    baseline_mib: float | None
    mapped_mib: float | None
    size_mib: float
    samples: int
    calls_per_sample: int
    processes: int
    cpu_s: float
    grows_bytes: float | None
    within: float | None
    between: float | None
    grade: str
    ratio: Ratio | None
    rank: int
    ecdf: tuple[tuple[float, float], ...]

    @property
    def typical_ms(self) -> float:
        """The median, or the mean while there are too few samples for one."""
        found = self.mean.value if self.p50.value is None else self.p50.value
        assert found is not None, "a variant has samples"
        return found


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
    names = names_of(measurement.plan.variants)
    graded = _grades(measurement)
    against = ratios(measurement, graded=graded)
    return tuple(
        _figures_of(
            variant,
            names[variant.key],
            order.index(variant.artifact_id),
            made[variant.artifact_id],
            measurement,
            against.get(variant.key),
            graded,
        )
        for variant in _measured(measurement)
    )


def ratios(
    measurement: Measurement,
    artifact_id: str | None = None,
    graded: Mapping[str, str] | None = None,
) -> dict[str, Ratio]:
    """Every variant against the original, or the artifact of that id, by key, judged together.

    ``graded``: the noise grades of all, where they are known already.
    """
    measured = _measured(measurement)
    graded = _grades(measurement) if graded is None else graded
    delta = verdicts.delta_of(measurement)
    pairs = ((v.key, verdicts.baseline_of(v, measured, artifact_id)) for v in measured)
    found = {
        key: ratio
        for key, base in pairs
        if base is not None
        and (ratio := ratio_between(measurement, base.key, key, graded, delta)) is not None
    }
    together = stats.adjusted(tuple(found.values()), level=verdicts.level_of(measurement))
    return dict(zip(found, together, strict=True))


def at_smallest_batch(variants: Iterable[VariantFigures]) -> tuple[VariantFigures, ...]:
    """One variant an artifact, where several batch sizes or thread counts were measured.

    Of thread counts the one pinned to one CPU, whose figures are the steadiest.
    """
    found = tuple(variants)
    chosen = min(((v.batch, v.threads) for v in found), default=None)
    return tuple(v for v in found if (v.batch, v.threads) == chosen)


def ratio_between(
    measurement: Measurement,
    first: str,
    second: str,
    graded: Mapping[str, str] | None = None,
    delta: float | None = None,
) -> Ratio | None:
    """How many times as fast the second variant is, over the rounds both ran in.

    Where one of them got noise grade D, that is not decided. ``graded`` and ``delta``: the grades
    of all and the smallest difference that counts, where they are known already.
    """
    found = verdicts.ratio_of(
        measurement.blocks,
        first,
        second,
        delta=verdicts.delta_of(measurement) if delta is None else delta,
        level=verdicts.level_of(measurement),
    )
    graded = graded or {key: _grade(measurement, key) for key in (first, second)}
    if found is not None and "D" in (graded[first], graded[second]):
        return replace(found, verdict=stats.UNDECIDED, rounds_needed=None)
    return found


def _grades(measurement: Measurement) -> dict[str, str]:
    return {v.key: _grade(measurement, v.key) for v in _measured(measurement)}


def _grade(measurement: Measurement, key: str) -> str:
    blocks = kept(measurement.blocks, key)
    return stats.grade(
        [np.array(block.samples_ns, dtype=float) for block in blocks],
        discarded=sum(1 for b in measurement.blocks if b.variant == key and b.discarded),
        disturbed=outside_evidence(blocks) is not None,
        gate_failed=bool(measurement.gate and gate_failures(measurement.gate[-1])),
    )


def block_figures(report: Report) -> tuple[BlockFigure, ...]:
    """Every block as it ran, the discarded ones among them."""
    if report.measurement is None:
        return ()
    controls = {v.key for v in report.measurement.plan.variants if v.control_of}
    return tuple(
        BlockFigure(position, b.round, b.variant, median(b.samples_ns) / _MS, b.discarded)
        for position, b in enumerate(report.measurement.blocks, start=1)
        if b.variant not in controls
    )


def _figures_of(
    variant: Variant,
    name: str,
    colour: int,
    made: ReportArtifact,
    measurement: Measurement,
    ratio: Ratio | None,
    graded: Mapping[str, str],
) -> VariantFigures:
    blocks = kept(measurement.blocks, variant.key)
    samples = [np.array(block.samples_ns, dtype=float) / _MS for block in blocks]
    pooled = np.concatenate(samples)
    means = [float(own.mean()) for own in samples]
    passes = [weighed for weighed in measurement.memory if weighed.variant == variant.key]
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
        p95=stats.percentile(samples, 0.95),
        p99=stats.percentile(samples, 0.99),
        mean=_with_interval(float(pooled.mean()), means),
        min_ms=float(pooled.min()),
        max_ms=float(pooled.max()),
        mad_ms=float(np.median(np.abs(pooled - np.median(pooled)))),
        throughput=_with_interval(
            float(1e3 * variant.batch / pooled.mean()), [1e3 * variant.batch / m for m in means]
        ),
        import_s=_median_of([b.import_s for b in blocks]),
        load_s=_median_of([b.load_s for b in blocks]),
        first_s=_median_of([b.first_s for b in blocks]),
        first_answer_s=_median_of([b.import_s + b.load_s + b.first_s for b in blocks]),
        memory_mib=_middle_mib(p.above_baseline_bytes for p in passes),
        baseline_mib=_middle_mib(p.baseline_bytes for p in passes),
        mapped_mib=_middle_mib(p.resident_file_bytes for p in passes),
        size_mib=made.size_bytes / _MIB,
        samples=len(pooled),
        calls_per_sample=max(block.calls_per_sample for block in blocks),
        processes=len(blocks),
        cpu_s=sum(b.cpu_s for b in blocks) / sum(map(_calls, blocks)),
        grows_bytes=_growth(blocks),
        within=stats.spread_within(samples),
        between=stats.spread_between(samples),
        grade=graded[variant.key],
        ratio=ratio,
        rank=_rank(variant, measurement, graded),
        ecdf=stats.ecdf(pooled),
    )


def _measured(measurement: Measurement) -> tuple[Variant, ...]:
    """The variants that count: not those that failed, nor an original's control."""
    return tuple(
        v
        for v in measurement.plan.variants
        if not v.control_of
        and v.key not in measurement.failures
        and kept(measurement.blocks, v.key)
    )


def _rank(variant: Variant, measurement: Measurement, graded: Mapping[str, str]) -> int:
    """1 + how many of those that ran alike are surely faster, judged together."""
    others = [
        other.key
        for other in _measured(measurement)
        if other.key != variant.key
        and (other.batch, other.threads) == (variant.batch, variant.threads)
    ]
    delta = verdicts.delta_of(measurement) if others else None
    pairs = (ratio_between(measurement, variant.key, other, graded, delta) for other in others)
    found = tuple(ratio for ratio in pairs if ratio is not None)
    together = stats.adjusted(found, level=verdicts.level_of(measurement))
    return 1 + sum(ratio.verdict == "faster" for ratio in together)


def _calls(block: Block) -> int:
    return len(block.samples_ns) * block.calls_per_sample


def _growth(blocks: Sequence[Block]) -> float | None:
    """Bytes of its own memory that it grew by an inference; None unless all processes did so."""
    grown = [
        (b.anon_bytes[1] - b.anon_bytes[0]) / _calls(b) for b in blocks if b.anon_bytes is not None
    ]
    total = [b.anon_bytes[1] - b.anon_bytes[0] for b in blocks if b.anon_bytes is not None]
    return median(grown) if total and min(total) > LEAK_BYTES else None


def _median_of(values: Sequence[float]) -> Percentile:
    return _with_interval(median(values), values)


def _with_interval(value: float, values: Sequence[float]) -> Percentile:
    """A figure with the interval of the processes' own ones; none of a single process."""
    found = stats.middle(values)
    if found.low is None or found.high is None:
        return Percentile(value, None, None, found.why_not)
    return Percentile(value, min(value, found.low), max(value, found.high))


def _middle_mib(counts: Iterable[int]) -> float | None:
    found = list(counts)
    return median(found) / _MIB if found else None


def names_of(variants: Sequence[Variant]) -> dict[str, str]:
    """A name for each variant, by key: its label, and what more it takes to tell it from others."""
    batches = len({variant.batch for variant in variants}) > 1
    threads = len({variant.threads for variant in variants}) > 1
    names: dict[str, str] = {}
    for variant in variants:
        name = f"{variant.label}, original" if variant.is_original else variant.label
        name = f"{name}, batch {variant.batch}" if batches else name
        many = "1 thread" if variant.threads == 1 else f"{variant.threads} threads"
        names[variant.key] = f"{name}, {many}" if threads else name
    seen = Counter(names.values())
    return {key: f"{name} {key[-6:]}" if seen[name] > 1 else name for key, name in names.items()}
