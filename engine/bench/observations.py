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
