"""The verdict: cases in, one of four words and the sentence that justifies it out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.verify.model import (
    Case,
    LanguageComparison,
    OutputComparison,
    Thresholds,
    Verdict,
    Verification,
)
from engine.verify.wilson import wilson

EXPLAINS = math.inf
"""The weight of a finding that says why, against one that says how much."""
_LEADS = 1e9
"""The weight of what a text says of a language model: more than any one output of it."""

_ORDER = (Verdict.EXACT, Verdict.EQUIVALENT, Verdict.DEGRADED, Verdict.BROKEN)
_CLOSE = _ORDER[:2]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict and why; ``weight`` orders judgements of the same verdict, worst first."""

    verdict: Verdict
    why: str
    weight: float = 0.0


def judge(
    artifact_id: str,
    cases: tuple[Case, ...],
    thresholds: Thresholds,
    input_hashes: Mapping[str, str],
    seed: int,
    language: LanguageComparison | None = None,
) -> Verification:
    """The worst case decides. ``cases`` hold ``row_relative`` only where rows ought to be free.

    With ``language``, how large differences may be is decided by the text alone: the logits of a
    language model may move together and leave every chance where it was.
    """
    outputs = [output for case in cases for output in case.outputs]
    agree, rows = sum(o.top1_agree for o in outputs), sum(o.top1_rows for o in outputs)
    top1 = agree / rows if rows else None
    runs_at = tuple(dict.fromkeys(case.batch for case in cases if not case.error))
    reads = language is not None
    found = [
        item for case in cases for item in _judgements(case, thresholds, top1, runs_at, reads=reads)
    ]
    if language is not None:
        found.append(_judge_language(language, thresholds))
    worst = max(found, key=_severity, default=Judgement(Verdict.BROKEN, "nothing was compared"))
    return Verification(
        artifact_id=artifact_id,
        verdict=worst.verdict,
        sentence=_sentence(worst, cases, agree, rows),
        thresholds=thresholds,
        cases=cases,
        top1_agreement=top1,
        top1_interval=wilson(agree, rows) if rows else None,
        input_hashes=input_hashes,
        seed=seed,
        language=language,
    )


def _judgements(
    case: Case,
    thresholds: Thresholds,
    top1: float | None,
    runs_at: tuple[int, ...],
    *,
    reads: bool,
) -> Iterable[Judgement]:
    where = f"on {case.inputs} inputs at batch {case.batch}"
    if case.error:
        static = runs_at and case.batch not in runs_at
        known = (
            f"; the batch axis behaves static: it runs at batch {_listed(runs_at)}"
            if static
            else ""
        )
        yield Judgement(
            Verdict.BROKEN, f"it fails {where}: {case.error.rstrip('.')}{known}", EXPLAINS
        )
        return
    for output in case.outputs:
        judged = _judge_output(output, thresholds, top1, where)
        if not reads or judged.weight == EXPLAINS or judged.verdict in _CLOSE:
            yield judged
    yield from _judge_rows(case, thresholds, where, reads=reads)


def _judge_output(
    output: OutputComparison, thresholds: Thresholds, top1: float | None, where: str
) -> Judgement:
    if broken := _mismatch(output, thresholds):
        return Judgement(Verdict.BROKEN, f"{broken} {where}", EXPLAINS)
    if output.max_abs == 0 or not _size(output):
        return Judgement(Verdict.EXACT, "every output is bit for bit the original's")
    if output.relative is None:
        return _judge_whole_numbers(output, thresholds, where)
    allowed = _allowed(output, thresholds)
    figure = f"{output.output!r} differs by {output.relative:.2g} of its size {where}"
    if output.relative <= allowed:
        return Judgement(
            Verdict.EQUIVALENT, f"{figure} (equivalent up to {allowed:.2g})", output.relative
        )
    if output.relative > thresholds.degraded_relative:
        limit = f"{thresholds.degraded_relative:.2g}"
        return Judgement(Verdict.BROKEN, f"{figure} (usable up to {limit})", output.relative)
    if top1 is not None and top1 < thresholds.degraded_top1:
        why = f"{figure}, and the top answer agrees on only {top1:.1%} of all rows"
        return Judgement(Verdict.BROKEN, why.replace("%", " %"), output.relative)
    return Judgement(
        Verdict.DEGRADED,
        f"{figure} (equivalent up to {allowed:.2g}, usable up to "
        f"{thresholds.degraded_relative:.2g})",
        output.relative,
    )


def _judge_whole_numbers(output: OutputComparison, thresholds: Thresholds, where: str) -> Judgement:
    share = output.top1_agree / output.top1_rows
    why = f"{output.top1_agree} of {output.top1_rows} values of {output.output!r} are equal {where}"
    usable = share >= thresholds.degraded_top1
    return Judgement(Verdict.DEGRADED if usable else Verdict.BROKEN, why, 1 - share)


def _judge_language(found: LanguageComparison, thresholds: Thresholds) -> Judgement:
    if found.error:
        return Judgement(Verdict.BROKEN, f"it fails on a text: {found.error}", EXPLAINS)
    kl, ratio = found.kl_mean, found.perplexity_ratio
    if kl is None or ratio is None:
        return Judgement(
            Verdict.BROKEN, "on a text, its chances of the next word are not finite", EXPLAINS
        )
    if kl == 0 and found.top1_agree == found.places:
        return Judgement(Verdict.EXACT, "on a text, every chance of the next word is the same")
    said = (
        f"on {found.places:,} places of an unseen text the chances of the next word diverge by "
        f"{kl:.2g} nats (equivalent up to {thresholds.equivalent_kl:g}, usable up to "
        f"{thresholds.degraded_kl:g}), the likeliest word is the same at "
        f"{found.top1_share * 100:.1f} % (usable from {thresholds.degraded_language_top1 * 100:g} "
        f"%), and the perplexity is {ratio:.4g} times the original's (usable up to "
        f"{thresholds.degraded_perplexity:g})"
    )
    if kl <= thresholds.equivalent_kl and ratio <= thresholds.equivalent_perplexity:
        return Judgement(Verdict.EQUIVALENT, said, _LEADS)
    usable = (
        kl <= thresholds.degraded_kl
        and found.top1_share >= thresholds.degraded_language_top1
        and ratio <= thresholds.degraded_perplexity
    )
    return Judgement(Verdict.DEGRADED if usable else Verdict.BROKEN, said, _LEADS)


def _mismatch(output: OutputComparison, thresholds: Thresholds) -> str | None:
    """What makes figures pointless: another shape or dtype, NaN or infinity elsewhere."""
    name = repr(output.output)
    if output.shape_reference != output.shape_candidate:
        expected, found = list(output.shape_reference), list(output.shape_candidate)
        return f"{name} has the shape {found}, the original's is {expected},"
    if output.dtype_reference != output.dtype_candidate and not (
        thresholds.precision != "float32" and _both_floating(output)
    ):
        return f"{name} is {output.dtype_candidate}, the original's is {output.dtype_reference},"
    if output.nan_reference != output.nan_candidate:
        return f"{name} has {output.nan_candidate} NaN, the original's has {output.nan_reference},"
    if output.inf_reference != output.inf_candidate:
        counts = output.inf_candidate, output.inf_reference
        return f"{name} has {counts[0]} infinite values, the original's has {counts[1]},"
    if output.relative is None and _both_floating(output) and _size(output):
        return f"{name} has NaN or infinity in other places than the original"
    return None


def _judge_rows(
    case: Case, thresholds: Thresholds, where: str, *, reads: bool
) -> Iterable[Judgement]:
    if case.row_relative is None:
        return
    allowed = max(
        [thresholds.equivalent_relative, *(_allowed(o, thresholds) for o in case.outputs)]
    )
    if thresholds.precision != "float32" or reads:
        # Quantisation may scale by the whole batch: rows then differ a little, honestly.
        allowed = max(allowed, thresholds.degraded_relative)
    if case.row_relative > allowed:
        yield Judgement(
            Verdict.BROKEN,
            f"a row of the batch differs by {case.row_relative:.2g} from the same row run alone "
            f"{where} (allowed {allowed:.2g}): the batch axis behaves static or mixes rows, "
            "which the original does not do",
            EXPLAINS,
        )


def _allowed(output: OutputComparison, thresholds: Thresholds) -> float:
    noise = output.noise_relative or 0.0
    return max(thresholds.equivalent_relative, thresholds.noise_multiple * noise)


def _both_floating(output: OutputComparison) -> bool:
    kinds = (output.dtype_reference, output.dtype_candidate)
    return all(np.issubdtype(np.dtype(kind), np.inexact) for kind in kinds)


def _size(output: OutputComparison) -> int:
    return int(np.prod(output.shape_reference, dtype=np.int64))


def _listed(batches: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(batches)))


def _severity(item: Judgement) -> tuple[int, float]:
    return _ORDER.index(item.verdict), item.weight


def _sentence(worst: Judgement, cases: tuple[Case, ...], agree: int, rows: int) -> str:
    words = {
        Verdict.EXACT: "Exact",
        Verdict.EQUIVALENT: "Equivalent",
        Verdict.DEGRADED: "Degraded but usable",
        Verdict.BROKEN: "Broken",
    }
    said = f"{words[worst.verdict]}: {worst.why.rstrip('.')}"
    if worst.verdict is Verdict.BROKEN or worst.weight == _LEADS:
        return f"{said}."
    many = f"{len(cases)} input sets at batch {_listed({case.batch for case in cases})}"
    answers = f"; the top answer agrees on {agree} of {rows} rows" if rows else ""
    lead = "" if worst.verdict is Verdict.EXACT else "at worst, of "
    return f"{said}, {lead or 'on '}{many}{answers}."
