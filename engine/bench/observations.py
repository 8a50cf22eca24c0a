"""The raw records of studies: what a measurement found beside its times. No statistics in here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One fresh process from its start to its first answer. Seconds.

    ``start_s``: from the start of the process until the framework's import begins, the interpreter
    and Assay's own worker. ``evicted``: the artifact's files had been dropped from the page cache
    of this system before; ``read_bytes`` is what was then really read from storage while loading
    and answering, None where the kernel does not say.
    """

    variant: str
    evicted: bool
    start_s: float
    import_s: float
    load_s: float
    first_s: float
    read_bytes: int | None


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One fresh process that answered one batch size again and again.

    Passes count from 0. Samples are durations of a call in ns, or the means of so many calls as
    ``calls_per_sample`` says; ``peak_bytes`` is the most that was resident. ``disturbed`` says what
    spoke against the machine meanwhile; empty for nothing.
    """

    batch: int
    turn: int
    samples_ns: tuple[int, ...]
    calls_per_sample: int
    peak_bytes: int
    disturbed: str = ""


@dataclass(frozen=True, slots=True)
class BatchSweep:
    """A variant at batch sizes 1, 2, 4 …, as they ran; ``stopped`` says why there is no larger."""

    variant: str
    points: tuple[BatchPoint, ...]
    stopped: str


@dataclass(frozen=True, slots=True)
class LoadWindow:
    """Every request of one window, by the time it was due, those of the lead among them. ns.

    ``due_ns`` counts from the window's begin: when a request was to start, which in a closed loop
    is when it did. ``latency_ns`` is from there to its answer, waiting included.
    """

    due_ns: tuple[int, ...]
    latency_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadRun:
    """One fresh process under one load, window by window.

    ``clients`` may wait for an answer at a time. In a closed loop (``rate`` and ``share`` None)
    each asks again as soon as it is answered; in an open one ``rate`` requests a second arrive
    whatever happens, ``share`` of the capacity. ``queued``: the model takes one call at a time,
    and a queue stands in front of it. Of each window ``lead_s`` seconds are not counted, then
    ``window_s`` are.
    """

    variant: str
    clients: int
    rate: float | None
    share: float | None
    queued: bool
    lead_s: float
    window_s: float
    windows: tuple[LoadWindow, ...]


@dataclass(frozen=True, slots=True)
class BatchTry:
    """One batch size that was to fit into ``limit_bytes``, the memory that was free.

    ``predicted_bytes`` is what the tries before it said it would take, None where they were too
    few; ``peak_bytes`` what was resident at most while it ran, None where it did not come to an
    end. ``refused`` says why it does not fit; empty for one that does.
    """

    batch: int
    limit_bytes: int
    predicted_bytes: int | None
    peak_bytes: int | None
    seconds: float | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class LargestBatch:
    """The search for the largest batch of a variant, try by try; ``stopped`` says what ended it."""

    variant: str
    tries: tuple[BatchTry, ...]
    stopped: str


@dataclass(frozen=True, slots=True)
class Roofline:
    """What one inference of a variant has to do, beside what this machine does at most.

    Operations (a multiplication and an addition are two) by what they are computed in: float32,
    16 bits, 8 bits; ``bytes``: weights, inputs and outputs, each once. ``counted_on`` is the
    variant whose graph was counted. ``float_gops`` and ``int8_gops`` are 10⁹ operations a second,
    ``memory_gbs`` 10⁹ bytes a second, each the best that was measured with the variant's threads;
    ``cache_bytes`` is the largest cache of a CPU, None where the kernel does not say.
    """

    variant: str
    counted_on: str
    float_operations: int
    half_operations: int
    int8_operations: int
    bytes: int
    float_gops: float
    int8_gops: float
    memory_gbs: float
    cache_bytes: int | None


@dataclass(frozen=True, slots=True)
class Writing:
    """One fresh process of a language model, writing after a prompt of one length again and again.

    ``keeps``: it keeps what it has read; else every token reads the whole text again. ``manner``
    says by what. Nanoseconds: ``first_ns`` by repetition, from the prompt until the first token was
    known, ``next_ns`` from each token to the next; ``warmup_ns`` is the process's very first token.
    Kernel peaks in bytes: after the import alone, and while writing; ``anon_bytes`` and
    ``file_bytes`` are what was resident at the end.
    """

    variant: str
    prompt_tokens: int
    keeps: bool
    manner: str
    import_ns: int
    load_ns: int
    warmup_ns: int
    first_ns: tuple[int, ...]
    next_ns: tuple[tuple[int, ...], ...]
    imported_bytes: int
    peak_bytes: int
    anon_bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What the counters of energy had risen to, in µJ each, so many ns after the first reading."""

    at_ns: int
    risen_uj: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EnergyLoad:
    """The energy of one process under steady load, and of the machine at rest just before.

    ``counters`` names what was read. ``inferences`` took ``load_ns`` together; ``load`` are the
    readings within that time, ``idle`` those before the process was started. ``others_cpus``: how
    many CPUs other processes kept busy under load, None where the kernel does not say.
    """

    variant: str
    counters: tuple[str, ...]
    inferences: int
    load_ns: int
    idle: tuple[Reading, ...]
    load: tuple[Reading, ...]
    others_cpus: float | None
