"""The records of a verification. Figures are kept raw; the verdict says by which thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

FEW = 8
"""With fewer groups of places (windows of a text, samples) a bootstrap over them is too narrow:
Student's t is taken, which is wide."""


class Verdict(StrEnum):
    """How close a candidate is to its reference, from best to worst."""

    EXACT = "exact"
    EQUIVALENT = "equivalent"
    DEGRADED = "degraded"
    BROKEN = "broken"

    @property
    def usable(self) -> bool:
        """Whether an artifact with this verdict may be measured and called ready."""
        return self is not Verdict.BROKEN


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When is an output equivalent, and when merely usable. Shown, and changeable.

    An output is *equivalent* when its relative error ‖Δ‖/‖ref‖ is at most ``noise_multiple`` times
    the reference's own noise or ``equivalent_relative``, whichever is larger; *degraded* up to
    ``degraded_relative`` while the top-1 answer agrees at least ``degraded_top1``; else *broken*.

    A language model that read a text is judged by that instead: *equivalent* up to
    ``equivalent_kl`` nats and ``equivalent_perplexity`` times the original's perplexity; *degraded*
    up to ``degraded_kl`` and ``degraded_perplexity`` while the likeliest word is the same at least
    ``degraded_language_top1``. By Pinsker's inequality a divergence of 0.001 moves no chance by
    more than 2.3 percentage points, and one of 0.2 none by more than 32.

    ``leave_out`` names kinds of inputs that are not judged: a calibrated model clips, on purpose,
    what lies outside the range it was calibrated on.
    """

    precision: str = "float32"
    equivalent_relative: float = 1e-4
    noise_multiple: float = 10.0
    degraded_relative: float = 0.1
    degraded_top1: float = 0.99
    equivalent_kl: float = 0.001
    equivalent_perplexity: float = 1.01
    degraded_kl: float = 0.2
    degraded_perplexity: float = 1.2
    degraded_language_top1: float = 0.75
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """One output of one case. ``None`` where a figure has no meaning (integers, empty, infinite).

    ``max_abs`` is in the output's own unit; ``relative`` is ‖Δ‖₂/‖ref‖₂ (zero-safe);
    ``sqnr_db`` is 20·log10(‖ref‖/‖Δ‖); ``noise_relative`` is the reference's own spread.
    """

    output: str
    shape_reference: tuple[int, ...]
    shape_candidate: tuple[int, ...]
    dtype_reference: str
    dtype_candidate: str
    max_abs: float | None
    relative: float | None
    cosine: float | None
    sqnr_db: float | None
    noise_relative: float | None
    nan_reference: int
    nan_candidate: int
    inf_reference: int
    inf_candidate: int
    top1_agree: int
    top1_rows: int


@dataclass(frozen=True, slots=True)
class Case:
    """One input set: which values (``random``, ``zeros`` …), which batch, and what came of it.

    ``row_relative`` is the largest relative error between row *i* of the batch and the same row
    run alone: a dynamic batch axis that in truth is static shows here. ``error`` is the
    candidate's refusal, if it refused.
    """

    inputs: str
    batch: int
    outputs: tuple[OutputComparison, ...]
    row_relative: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Sums over the ``places`` of one piece of text that was read at once, in nats.

    ``reference`` and ``candidate`` are of minus the log chances of the words that follow; None
    where they are not finite.
    """

    places: int
    agree: int
    reference: float | None
    candidate: float | None


@dataclass(frozen=True, slots=True)
class LanguageComparison:
    """A language model on a text of ours, place by place, against the original.

    ``kl_mean`` and ``kl_max`` are the Kullback-Leibler divergence of the candidate's chances of
    the next word from the original's, in nats; ``top1_agree`` counts the ``places`` where both
    find the same word likeliest; ``top1_interval`` and ``ratio_interval`` are the 95 % intervals
    of their share and of the ratio of the perplexities, by whole ``windows``. None where a figure
    is not finite, or of one window; ``error`` is the candidate's refusal.
    """

    text_sha256: str
    places: int
    kl_mean: float | None = None
    kl_max: float | None = None
    top1_agree: int = 0
    top1_interval: tuple[float, float] | None = None
    perplexity_reference: float | None = None
    perplexity_candidate: float | None = None
    ratio_interval: tuple[float, float] | None = None
    error: str | None = None
    windows: tuple[Window, ...] = ()

    @property
    def intervals(self) -> str:
        """How its intervals were taken, and what that means."""
        many = len(self.windows)
        if not many:
            return "by places, as Assay once did: too narrow, for places of a text are alike"
        if many == 1:
            return "not to be had from one window"
        few = ", so few that they are wide" if many < FEW else ""
        return f"by the {many} windows the text was read in{few}"

    @property
    def top1_share(self) -> float:
        """The share of places with the same likeliest word; 0 where nothing was read."""
        return self.top1_agree / self.places if self.places else 0.0

    @property
    def perplexity_ratio(self) -> float | None:
        """How much more unsure the candidate is: 1 is the same."""
        if not self.perplexity_reference or self.perplexity_candidate is None:
            return None
        return self.perplexity_candidate / self.perplexity_reference


@dataclass(frozen=True, slots=True)
class Verification:
    """A candidate judged. ``sentence`` says the verdict in words, with the figure that decided."""

    artifact_id: str
    verdict: Verdict
    sentence: str
    thresholds: Thresholds
    cases: tuple[Case, ...]
    top1_agreement: float | None
    top1_interval: tuple[float, float] | None
    input_hashes: Mapping[str, str]
    seed: int
    language: LanguageComparison | None = None
