"""The records of a measurement: what was planned and every raw value. No statistics in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.types import Scalar


@dataclass(frozen=True, slots=True)
class Preset:
    """How long to measure. Times in seconds; iterations are calls of ``infer``.

    ``spare_rounds`` may replace rounds that the machine, not the model, disturbed.
    """

    name: str
    rounds: int
    spare_rounds: int
    warmup_iterations: int
    warmup_s: float
    iterations: int
    measure_s: float
    cap_s: float
    memory_passes: int


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that is measured: an artifact at a batch size and thread count.

    ``is_original`` marks the model as it was brought, the baseline of every comparison.
    """

    key: str
    artifact_id: str
    format: str
    label: str
    batch: int
    threads: int
    is_original: bool = False


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """What is measured, in which order: ``order[r]`` lists the variant keys of round *r*."""

    preset: Preset
    variants: tuple[Variant, ...]
    order: tuple[tuple[str, ...], ...]
    seed: int
    protocol: str = "MDP-1/spine"


@dataclass(frozen=True, slots=True)
class Block:
    """One fresh process running one variant once through. Durations in ns or s as named.

    ``canary_ns`` is a fixed piece of work timed before and after; ``steal_share`` and ``psi_share``
    are shares of the block's wall time, from the kernel, None where it does not say.
    """

    variant: str
    round: int
    import_s: float
    load_s: float
    first_s: float
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]
    cpu_s: float
    involuntary_switches: int
    canary_ns: tuple[int, int]
    steal_share: float | None
    psi_share: float | None
    load1: float | None
    discarded: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryPass:
    """One fresh process, memory only: kernel peaks (VmHWM) in bytes after each phase.

    ``baseline_bytes`` is the peak of a process that only imports the framework.
    """

    variant: str
    baseline_bytes: int
    loaded_bytes: int
    peak_bytes: int
    resident_anon_bytes: int
    resident_file_bytes: int

    @property
    def above_baseline_bytes(self) -> int:
        """What the model itself costs at its worst moment."""
        return max(0, self.peak_bytes - self.baseline_bytes)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where it was measured: facts by name, in the order they are shown."""

    facts: Mapping[str, Scalar]
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement, raw. Every figure on a page can be computed from this again."""

    plan: MeasurePlan
    blocks: tuple[Block, ...]
    memory: tuple[MemoryPass, ...]
    environment: Environment
    failures: Mapping[str, str]
    started_at: str
    seconds: float
