"""The records of both questions: where quality goes, and where time goes. Figures are kept raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

DIVERGES_DB = 20.0
"""Below this SQNR the noise is more than a tenth of the signal: there a layer has diverged."""

TimeKind = Literal["int8", "half", "float", "conversion", "layout"]
"""What an operator did with its time. ``conversion`` goes from one number type to another,
``layout`` moves values without computing."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of ready text under their headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class LayerError:
    """What one quantized node gives, against the same node in float, over all samples.

    ``sqnr_db`` is 10·log10(Σ ref² / Σ Δ²) with everything before it quantized, too; ``alone_db``
    the same with this node alone quantized. None where nothing differs, or all is zero. ``depth``
    counts the quantized nodes from 1, in the order in which they run.
    """

    node: str
    operator: str
    layer: str
    depth: int
    sqnr_db: float | None
    alone_db: float | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Every quantized node of an artifact, by depth. ``unmatched`` have no counterpart in float."""

    artifact_id: str
    baseline_id: str
    samples: int
    source: str
    origin: Literal["given", "random"]
    layers: tuple[LayerError, ...]
    unmatched: tuple[str, ...]
    schema_version: int = 1

    SCHEMA_VERSION: ClassVar[int] = 1

    @property
    def table(self) -> Table:
        """Every quantized node, by depth."""
        rows = tuple(
            (str(one.depth), one.node, one.operator, one.layer, _db(one.sqnr_db), _db(one.alone_db))
            for one in self.layers
        )
        names = ("Depth", "Node", "Operator", "Layer", "SQNR so far, dB", "SQNR alone, dB")
        return Table(names, rows)

    @property
    def sentence(self) -> str:
        """Where it diverges, and which layer loses most by itself."""
        worst = next(iter(self.worst_first), None)
        where = f"over {self.samples} samples of {self.source}"
        if worst is None:
            return f"No layer loses anything {where}."
        most = f"{worst.layer or worst.node} ({worst.operator}, {_db(worst.alone_db)} dB)"
        lost = f"By itself {most} loses most, {where}."
        if (first := self.divergence) is None:
            return f"No layer falls below 20 dB: nowhere is the noise a tenth of the signal. {lost}"
        return (
            f"It diverges first at depth {first.depth} of {self.layers[-1].depth}, "
            f"{first.layer or first.node} ({first.operator}): {_db(first.sqnr_db)} dB, where the "
            f"noise is more than a tenth of the signal. {lost}"
        )

    @property
    def divergence(self) -> LayerError | None:
        """The first by depth whose SQNR is below ``DIVERGES_DB``; None where none is."""
        return next((one for one in self.layers if _below(one.sqnr_db, DIVERGES_DB)), None)

    @property
    def worst_first(self) -> tuple[LayerError, ...]:
        """Those that lose something by themselves, most first."""
        losing = [one for one in self.layers if one.alone_db is not None]
        return tuple(sorted(losing, key=lambda one: (one.alone_db, one.depth)))


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine reaches at most, measured: 10⁹ operations and 10⁹ bytes a second.

    A multiplication and an addition are two operations. ``int8_gops`` is of unsigned by signed.
    """

    processor: str
    threads: int
    float_gops: float
    int8_gops: float
    memory_gbs: float
    schema_version: int = 1

    SCHEMA_VERSION: ClassVar[int] = 1

    def best(self, other: Machine) -> Machine:
        """What was reached in either measurement: a busy moment takes nothing away."""
        return replace(
            self,
            float_gops=max(self.float_gops, other.float_gops),
            int8_gops=max(self.int8_gops, other.int8_gops),
            memory_gbs=max(self.memory_gbs, other.memory_gbs),
        )


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """All nodes of one operator: how many, what they are, and their share of the time, 0 to 1."""

    operator: str
    kind: TimeKind
    nodes: int
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One artifact under the profiler, at batch one.

    ``milliseconds`` is the median of ``runs`` that nobody watched; the shares are of others that
    the profiler did. ``outside`` is the share spent outside operators. ``operations`` and
    ``bytes`` are of one run, counted from the shapes it had; ``roof_ms`` is what they would take
    at the machine's limits, and ``compute_bound`` the share of the operators' time in those that
    more memory bandwidth would not help. None: not known.
    """

    artifact_id: str
    label: str
    runs: int
    milliseconds: float
    outside: float
    operators: tuple[OperatorTime, ...]
    operations: int | None = None
    bytes: int | None = None
    roof_ms: float | None = None
    compute_bound: float | None = None

    @property
    def by_kind(self) -> tuple[tuple[str, float], ...]:
        """Milliseconds of a run by kind, in words, in one order for every profile."""
        inside = self.milliseconds * (1 - self.outside)
        kinds = (
            ("INT8 kernels", self.share("int8")),
            ("16-bit kernels", self.share("half")),
            ("Float kernels", self.share("float")),
            ("Conversions", self.share("conversion")),
            ("Moving values", self.share("layout")),
        )
        spent = [(name, inside * share) for name, share in kinds]
        return (*spent, ("Outside operators", self.milliseconds - inside))

    def share(self, *kinds: TimeKind) -> float:
        """The share of the operators' time that is of these kinds."""
        return sum(one.share for one in self.operators if one.kind in kinds)


@dataclass(frozen=True, slots=True)
class Unfused:
    """Q/DQ pairs left in the graph that runs, by the operator they feed, which runs in float."""

    operator: str
    pairs: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an artifact is as fast as it is. ``sentences`` say it; the figures are beside them.

    ``features`` are instruction sets by name and whether they are here. ``pairs`` counts the Q/DQ
    pairs in the file; ``zeros`` is the share of the weights that are zero.
    """

    artifact_id: str
    machine: Machine
    features: Mapping[str, bool]
    gpu: str
    profile: Profile | None
    baseline: Profile | None
    pairs: int
    unfused: tuple[Unfused, ...]
    zeros: float | None
    sentences: tuple[str, ...]
    schema_version: int = 1

    SCHEMA_VERSION: ClassVar[int] = 1

    @property
    def table(self) -> Table:
        """Every operator of both profiles, most time first."""
        rows = tuple(
            (profile.label, one.operator, one.kind, str(one.nodes), f"{100 * one.share:.2f}")
            for profile in (self.profile, self.baseline)
            if profile is not None
            for one in profile.operators
        )
        return Table(("Artifact", "Operator", "Kind", "Nodes", "Share of the time, %"), rows)


GoalKind = Literal["accuracy", "agreement", "sqnr"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What quality must reach.

    ``accuracy``: at most ``limit`` percentage points less than the original's on labelled samples;
    ``agreement``: the original's answer in at least ``limit`` percent of the samples; ``sqnr``: at
    least ``limit`` decibels on the outputs of every case that is judged.
    """

    kind: GoalKind
    limit: float

    def said(self, value: float | None) -> str:
        """A figure in the goal's words."""
        if value is None:
            return "no figure"
        if self.kind == "accuracy":
            won = value < 0
            return f"{abs(value):.1f} points of accuracy {'won' if won else 'lost'}"
        if self.kind == "agreement":
            return f"the same answer as the original {value:.1f} % of the time"
        return f"an SQNR of {value:.1f} dB"

    def bounds_said(self, interval: tuple[float, float] | None) -> str:
        """A 95 % interval in the goal's unit, in brackets; nothing where there is none."""
        if interval is None:
            return ""
        low, high = (f"{bound:.1f}".replace("-", "−") for bound in interval)
        return f" [{low}, {high}{' lost' if self.kind == 'accuracy' else ''}]"

    def met_by(self, value: float | None) -> bool:
        """Whether a figure reaches it; one that could not be had does not."""
        if value is None:
            return False
        return value <= self.limit if self.kind == "accuracy" else value >= self.limit


@dataclass(frozen=True, slots=True)
class Trial:
    """One step of a search: so many of the worst layers left in float, and what came of it.

    ``value`` is of the samples that choose, in the goal's unit; ``milliseconds`` a rough median at
    batch one, for the chart.
    """

    excluded: tuple[str, ...]
    artifact_id: str
    size_bytes: int
    value: float | None
    met: bool
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was found, judged once on what neither calibrated nor chose: ``on`` says on what.

    ``value`` and its 95 % ``interval`` are in the goal's unit; the interval is None where the
    figure has none.
    """

    on: str
    value: float | None
    interval: tuple[float, float] | None
    met: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the fewest layers to leave in float.

    The trials are judged on ``chosen_on``; ``found`` is the id of what meets the goal there, and
    ``confirmed`` what it does elsewhere. ``target`` is written as the shell takes it:
    converting to it makes the artifact again.
    """

    artifact_id: str
    goal: Goal
    data_name: str
    trials: tuple[Trial, ...]
    found: str | None
    target: str
    sentence: str
    chosen_on: str
    confirmed: Confirmation | None = None
    schema_version: int = 2

    SCHEMA_VERSION: ClassVar[int] = 2

    @property
    def proven(self) -> bool:
        """Whether what was found meets the goal also where it was not chosen."""
        return self.confirmed is not None and self.confirmed.met

    @property
    def table(self) -> Table:
        """Every step, fewest layers first."""
        unit = {"accuracy": "Accuracy lost, points", "agreement": "Same answer, %"}
        rows = tuple(
            (
                str(len(one.excluded)),
                ", ".join(one.excluded) or "none",
                "–" if one.value is None else f"{one.value:.2f}",
                "yes" if one.met else "no",
                f"{one.milliseconds:.3g}",
                f"{one.size_bytes / 1e6:,.2f}",
            )
            for one in self.trials
        )
        names = ("In float", "Which", unit.get(self.goal.kind, "Least SQNR, dB"), "Goal met")
        return Table((*names, "A run, ms", "File, MB"), rows)


def _below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def _db(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
