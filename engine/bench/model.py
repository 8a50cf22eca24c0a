"""The records of a measurement: what was planned and every raw value. No statistics in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from engine.bench.observations import (
    BatchSweep,
    ColdStart,
    EnergyLoad,
    LargestBatch,
    LoadRun,
    Roofline,
    Writing,
)
from engine.types import Scalar


@dataclass(frozen=True, slots=True)
class Preset:
    """How long to measure. Times in seconds; iterations are calls of ``infer``.

    ``spare_rounds`` may replace rounds that the machine, not the model, disturbed. After
    ``checkpoints`` rounds it is looked whether everything is settled. ``control`` measures the
    original a second time, as its own control (A/A). ``delta`` is the smallest share that is
    called a difference. ``gate_tries``: looks at the machine before the first round, so many
    seconds apart as ``gate_pause_s`` says.
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
    checkpoints: tuple[int, ...] = ()
    control: bool = False
    delta: float = 0.03
    gate_tries: int = 1
    gate_pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that is measured: an artifact at a batch size and thread count.

    ``is_original`` marks the model as it was brought, the baseline of every comparison.
    ``pinned`` keeps its process on ``threads`` CPUs. ``control_of`` is the key of the variant that
    this one is a second copy of.
    """

    key: str
    artifact_id: str
    format: str
    label: str
    batch: int
    threads: int
    is_original: bool = False
    pinned: bool = False
    control_of: str | None = None


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """What is measured, in which order: ``order[r]`` lists the variant keys of round *r*.

    ``studies`` names what is found beside the times (``engine.bench.studies``). ``prompt_tokens``
    is a length that the person asked for, where tokens are timed; 0 for none.
    """

    preset: Preset
    variants: tuple[Variant, ...]
    order: tuple[tuple[str, ...], ...]
    seed: int
    protocol: str = "MDP-1"
    studies: tuple[str, ...] = ()
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What a GPU and its driver say of one block; None, or nothing, where they do not say.

    ``compute_ns``: an inference of each sample by the GPU's own clock, copies left out. Memory is
    as it is after the last sample: of this process, and of all on the card, there also before the
    model was loaded. ``clock_mhz``: before the first sample and after the last; ``slowed``: what
    held it back at these moments.
    """

    compute_ns: tuple[int, ...]
    clock_mhz: tuple[int, ...]
    slowed: tuple[str, ...]
    memory_bytes: int | None
    card_before_bytes: int | None
    card_bytes: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """One fresh process running one variant once through. Durations in ns or s as named.

    ``canary_ns`` is a fixed piece of work timed before and after; ``steal_share`` and ``psi_share``
    are shares of the block's wall time, from the kernel, None where it does not say.
    ``others_cpus`` is how many CPUs other processes kept busy meanwhile, ``throttled`` how often
    the control group was stopped for its quota. With ``calls_per_sample`` above 1 every sample is
    the mean of so many calls. ``anon_bytes``: the process's own memory before the first sample and
    after the last. ``cpu_s`` is of all samples, of the process and of those it started. ``gpu``:
    the second clock, where it ran on a device. ``cpu_mhz``: the CPU's clock after the last sample.
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
    calls_per_sample: int = 1
    others_cpus: float | None = None
    throttled: int | None = None
    voluntary_switches: int | None = None
    anon_bytes: tuple[int, int] | None = None
    gpu: GpuUse | None = None
    cpu_mhz: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryPhase:
    """What a process and all below it hold at the end of a phase, in bytes, each page once a row.

    ``peak_bytes`` (VmHWM) is since the phase began; of processes below, since they began.
    Anonymous, file-mapped and shared pages are what is resident. PSS counts a page that is shared
    by its share, USS not at all; None where the kernel does not tell. ``own_file_bytes``: of the
    file-mapped, pages of the artifact itself. ``calls``: inferences in this phase.
    """

    name: str
    peak_bytes: int
    anon_bytes: int
    file_bytes: int
    shared_bytes: int
    pss_bytes: int | None
    uss_bytes: int | None
    own_file_bytes: int = 0
    processes: int = 1
    calls: int = 0

    @property
    def resident_bytes(self) -> int:
        """All that is resident."""
        return self.anon_bytes + self.file_bytes + self.shared_bytes


@dataclass(frozen=True, slots=True)
class SecondCopy:
    """What the same artifact costs once more in a process that runs it already, in bytes.

    Freed memory is given back (``malloc_trim``) before and after, so that neither what a runtime
    sets up once a process nor what its allocator keeps is in it. ``freed_bytes`` is what was given
    back before. Pages of the artifact's own file are in none of these.

    ``weights_bytes``: resident more once it is open. ``workspace_bytes``: how far its inferences
    rise above that, of which ``held_bytes`` stay when they are done.
    """

    freed_bytes: int
    weights_bytes: int
    workspace_bytes: int
    held_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryPass:
    """One fresh process, memory only: kernel peaks (VmHWM) in bytes after each phase.

    ``baseline_bytes`` is what is resident once the framework is imported; until reports of schema 8
    it was the peak of a process that only imports it. ``phases`` are import, load, first, steady.
    ``copy`` is None where there was too little memory to open it twice. ``tensor_bytes``: what its
    tensors come to as its file stores them. ``cache_bytes``: keys and values of a language model's
    context, computed from its header; ``cache_told_bytes``, as its runtime reports them.
    """

    variant: str
    baseline_bytes: int
    loaded_bytes: int
    peak_bytes: int
    resident_anon_bytes: int
    resident_file_bytes: int
    phases: tuple[MemoryPhase, ...] = ()
    copy: SecondCopy | None = None
    tensor_bytes: int | None = None
    cache_bytes: int | None = None
    cache_told_bytes: int | None = None

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
class GateReading:
    """One look at the machine before timing. Shares are 0 to 1; None where the kernel is silent.

    ``canary_ns`` is a fixed piece of work, timed again and again; ``psi_avg10`` and ``load1`` are
    the kernel's averages, over ten seconds and a minute, and ``others_cpus`` how many CPUs other
    processes kept busy during this very look. ``memory_needed`` is twice the largest peak that was
    weighed, ``disk_needed`` twice the largest artifact.
    """

    canary_ns: tuple[int, ...]
    cpus: int
    psi_avg10: float | None
    steal_share: float | None
    load1: float | None
    others_cpus: float | None
    memory_available: int | None
    memory_needed: int
    disk_free: int
    disk_needed: int


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """How far a model seemed from itself on a host: the half-width of its A/A interval, as a share.

    ``host`` is a fingerprint of the machine, ``measured_at`` ISO 8601 UTC.
    """

    share: float
    rounds: int
    host: str
    measured_at: str
    schema_version: int = 1

    SCHEMA_VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement, raw. Every figure on a page can be computed from this again.

    ``gate``: every look at the machine before timing, the last of which decided. ``floor``: the
    noise floor of this host as it was known before. ``stopped_at``: the checkpoint, in rounds, at
    which everything was settled and the rest not run. ``failures`` says by variant why it was not
    timed, ``memory_failures`` why its memory was not weighed. What a study found stands in the
    field of its name; ``study_failures`` says by ``study: variant`` why it found nothing.
    """

    plan: MeasurePlan
    blocks: tuple[Block, ...]
    memory: tuple[MemoryPass, ...]
    environment: Environment
    failures: Mapping[str, str]
    started_at: str
    seconds: float
    gate: tuple[GateReading, ...] = ()
    floor: NoiseFloor | None = None
    stopped_at: int | None = None
    memory_failures: Mapping[str, str] = field(default_factory=dict)
    cold: tuple[ColdStart, ...] = ()
    batches: tuple[BatchSweep, ...] = ()
    clients: tuple[LoadRun, ...] = ()
    largest: tuple[LargestBatch, ...] = ()
    roofline: tuple[Roofline, ...] = ()
    energy: tuple[EnergyLoad, ...] = ()
    tokens: tuple[Writing, ...] = ()
    study_failures: Mapping[str, str] = field(default_factory=dict)
