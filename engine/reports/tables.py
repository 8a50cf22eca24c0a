"""Every table of a report, as text: the page, the HTML and the Markdown show the same ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.bench import paired, verdicts
from engine.reports import words
from engine.reports.model import Report, ReportArtifact
from engine.reports.protocol import protocol_rows
from engine.reports.variants import VariantFigures
from engine.reports.versions import SHOWN, by_name
from engine.verify.model import Case, LanguageComparison, OutputComparison

_ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of ready text. The first column heads its row; ``note`` says how to read it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class VerificationFigures:
    """How one artifact was judged: the verdict, its sentence, and the figures of every case."""

    label: str
    verdict: str
    sentence: str
    table: Table


def verdict_table(
    report: Report,
    variants: tuple[VariantFigures, ...],
    baseline: str = "",
    name: str = "the original",
) -> Table:
    """The comparison in one look, with the artifact of id ``baseline`` or with the original."""
    verified = {a.id: _verified(a) for a in report.artifacts}
    return Table(
        f"Every variant beside {name}",
        (
            "Variant",
            "Median, ms",
            "p90, ms",
            f"Speed against {name}",
            "First answer",
            "Memory, MiB",
            "File, MiB",
            "Numerics",
            "Noise",
        ),
        tuple(
            (
                v.name,
                words.percentile(v.p50),
                words.percentile(v.p90),
                _speed(v, v.artifact_id == baseline if baseline else v.is_original, name),
                words.duration(v.first_answer_s),
                _or_absent(v.memory_mib),
                words.number(v.size_mib),
                verified[v.artifact_id],
                v.grade,
            )
            for v in variants
        ),
        "Brackets are 95 % intervals, of times over processes and of speed over the rounds that "
        "both ran in; without brackets, medians over processes. Memory is the peak above a process "
        "that only imports the framework. Noise: A is a quiet machine, D one whose figures decide "
        "nothing and need a repeat." + _interim(report) + _footnote(variants),
    )


def latency_table(variants: tuple[VariantFigures, ...]) -> Table:
    """The distribution of every variant in figures."""
    return Table(
        "Latency in ms",
        (
            *("Variant", "Rank", "Fastest", "p50", "p90", "p95", "p99", "Slowest", "Mean", "MAD"),
            *("Items/s", "CPU-s each", "Samples", "Processes", "Spread within", "Spread between"),
        ),
        tuple(
            (
                v.name,
                f"{v.rank}",
                words.number(v.min_ms),
                words.percentile(v.p50),
                words.percentile(v.p90),
                words.percentile(v.p95),
                words.percentile(v.p99),
                words.number(v.max_ms),
                words.percentile(v.mean),
                words.number(v.mad_ms),
                words.percentile(v.throughput),
                words.number(v.cpu_s),
                _samples(v),
                f"{v.processes}",
                _share(v.within),
                _share(v.between),
            )
            for v in variants
        ),
        "A percentile is printed only when there are enough samples for it. Rank: 1 and as many as "
        "are surely faster; what cannot be told apart shares one. MAD: the median distance of a "
        "sample from the median. CPU-s each: seconds of processor "
        "time an inference. Spread: the coefficient of variation, typically inside one process, "
        "and of the medians of the processes.",
    )


def memory_table(variants: tuple[VariantFigures, ...]) -> Table:
    """What each variant costs in memory and on the disk."""
    return Table(
        "Memory and size in MiB",
        ("Variant", "Peak above import", "Import alone", "Mapped files", "File on disk"),
        tuple(
            (
                v.name,
                _or_absent(v.memory_mib),
                _or_absent(v.baseline_mib),
                _or_absent(v.mapped_mib),
                words.number(v.size_mib),
            )
            for v in variants
        ),
        "Kernel peaks (VmHWM) of a fresh process, in a pass of their own. Import alone is what is "
        "resident once the framework is imported; before reports of schema 8 it was the peak until "
        "then. Mapped files can be taken back by the kernel and are shared between processes.",
    )


def start_table(variants: tuple[VariantFigures, ...]) -> Table:
    """How long until the first answer, phase by phase."""
    return Table(
        "From start to first answer",
        ("Variant", "Import", "Load", "First inference", "Together"),
        tuple(
            (
                v.name,
                words.duration(v.import_s),
                words.duration(v.load_s),
                words.duration(v.first_s),
                words.duration(v.first_answer_s),
            )
            for v in variants
        ),
        "Medians over fresh processes with 95 % intervals; files were in the system's cache.",
    )


def environment_tables(report: Report) -> tuple[Table, ...]:
    """The machine, the versions that matter, and how it was measured."""
    if report.measurement is None:
        return ()
    there = report.measurement.environment
    known = by_name(there.packages)
    packages = tuple((name, known[name]) for name in SHOWN if name in known)
    facts = tuple((k, _ABSENT if v is None else str(v)) for k, v in there.facts.items())
    return (
        Table("Machine", ("Fact", "Value"), facts),
        Table("How it was measured", ("Setting", "Value"), protocol_rows(report.measurement)),
        Table("Versions", ("Package", "Version"), packages),
    )


def lineage_table(report: Report) -> Table:
    """How every artifact came to be, step by step."""
    return Table(
        "How the artifacts were made",
        ("Artifact", "Step", "Tool", "Options", "Time", "sha256"),
        tuple(
            (
                artifact.label,
                step.verb,
                f"{step.tool} {step.version}".strip(),
                ", ".join(f"{k} {v}" for k, v in step.options.items()) or _ABSENT,
                words.seconds(step.seconds),
                artifact.sha256[:12],
            )
            for artifact in report.artifacts
            for step in artifact.lineage
        ),
    )


def verifications(report: Report) -> tuple[VerificationFigures, ...]:
    """Every judged artifact with all its cases."""
    return tuple(
        VerificationFigures(
            label=artifact.label,
            verdict=artifact.verification.verdict.value,
            sentence=artifact.verification.sentence,
            table=Table(
                f"{artifact.label} against the original",
                (
                    "Inputs",
                    "Batch",
                    "Output",
                    "Max |Δ|",
                    "Relative error",
                    "Cosine",
                    "SQNR, dB",
                    "Top-1 agrees",
                    "Row alone",
                    "NaN or Inf",
                ),
                tuple(row for case in artifact.verification.cases for row in _case_rows(case)),
                "Row alone: the largest relative error between a row of the batch and the same "
                "row run by itself.",
            ),
        )
        for artifact in report.artifacts
        if artifact.verification is not None
    )


def language_table(report: Report) -> Table | None:
    """How the language models among the artifacts did on a text they had not seen."""
    judged = tuple(
        (artifact.label, artifact.verification.language)
        for artifact in report.artifacts
        if artifact.verification is not None and artifact.verification.language is not None
    )
    rows = tuple(_language_row(label, found) for label, found in judged)
    if not rows:
        return None
    return Table(
        "On a text the models had not seen",
        ("Artifact", "Divergence, nats", "Largest", "Same likeliest word", "Perplexity", "Ratio"),
        rows,
        "Divergence (Kullback-Leibler) of the chances of the next word from the original's, mean "
        "and largest over the places of the text. Ratio: the perplexity against the original's. "
        + _intervals(found for _, found in judged),
    )


def _intervals(judged: Iterable[LanguageComparison]) -> str:
    """How they were taken: of the same text, but maybe by another version of Assay."""
    said = dict.fromkeys(found.intervals for found in judged if found.error is None)
    return (
        f"Brackets are 95 % intervals, {'; '.join(said) or 'where there are some'}. By windows: "
        "whole ones are drawn anew (a seeded bootstrap), or Student's t is taken over fewer than 8."
    )


def _language_row(label: str, found: LanguageComparison) -> tuple[str, ...]:
    if found.error is not None:
        return (label, f"refused: {found.error}", *(_ABSENT,) * 4)
    shares = [100 * bound for bound in found.top1_interval or ()]
    share = " [{:.1f}, {:.1f}]".format(*shares) if shares else ""
    bounds = found.ratio_interval
    ratio = _ABSENT if found.perplexity_ratio is None else f"{found.perplexity_ratio:.4f}"
    return (
        label,
        _small(found.kl_mean),
        _small(found.kl_max),
        f"{words.share(found.top1_share, 1)}{share}",
        _or_absent(found.perplexity_candidate),
        f"{ratio} [{bounds[0]:.4f}, {bounds[1]:.4f}]" if bounds else ratio,
    )


def _case_rows(case: Case) -> tuple[tuple[str, ...], ...]:
    if case.error is not None:
        blank = (_ABSENT,) * 7
        return ((case.inputs, str(case.batch), f"refused: {case.error}", *blank),)
    return tuple(_output_row(case, output) for output in case.outputs)


def _output_row(case: Case, output: OutputComparison) -> tuple[str, ...]:
    odd = output.nan_candidate + output.inf_candidate
    return (
        case.inputs,
        str(case.batch),
        output.output,
        _small(output.max_abs),
        _small(output.relative),
        _ABSENT if output.cosine is None else f"{output.cosine:.7f}",
        _ABSENT if output.sqnr_db is None else f"{output.sqnr_db:.1f}",
        f"{output.top1_agree} of {output.top1_rows}" if output.top1_rows else _ABSENT,
        _small(case.row_relative),
        str(odd) if odd else "none",
    )


def _verified(artifact: ReportArtifact) -> str:
    if artifact.is_original:
        return "is the original"
    return artifact.verification.verdict.value if artifact.verification else "not verified"


def _samples(variant: VariantFigures) -> str:
    """How many, and of what where one is more than a call."""
    if variant.calls_per_sample == 1:
        return f"{variant.samples}"
    return f"{variant.samples} means of up to {variant.calls_per_sample} calls"


def _speed(variant: VariantFigures, is_baseline: bool, name: str) -> str:
    if is_baseline:
        return f"1× ({name})"
    if variant.ratio is None:
        return _ABSENT
    return f"{words.times(variant.ratio)} {words.verdict(variant.ratio)}"


def _small(value: float | None) -> str:
    if value is None:
        return _ABSENT
    return "0" if value == 0 else f"{value:.1e}"


def _interim(report: Report) -> str:
    """Where it stopped early, verdicts are drawn more carefully than the brackets show."""
    if report.measurement is None or report.measurement.stopped_at is None:
        return ""
    level = words.share(verdicts.level_of(report.measurement))
    return f" It stopped early, when all was settled: verdicts were drawn with {level} intervals."


def _footnote(variants: tuple[VariantFigures, ...]) -> str:
    """How likely chance alone is, for every comparison."""
    found = [(v.name, v.ratio) for v in variants if v.ratio is not None]
    if not found:
        return ""
    how = "Wilcoxon's signed ranks" if found[0][1].rounds >= paired.FEW else "Student's t"
    several = "" if len(found) == 1 else ", each adjusted for how many there are (Holm)"
    chances = "; ".join(f"{name} {words.chance(ratio.p_adjusted)}" for name, ratio in found)
    return f" No difference at all would give as much with ({how} over rounds{several}): {chances}."


def _share(value: float | None) -> str:
    return _ABSENT if value is None else words.share(value, 1)


def _or_absent(value: float | None) -> str:
    return _ABSENT if value is None else words.number(value)
