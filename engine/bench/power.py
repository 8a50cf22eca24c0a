"""What this machine counts of the energy it takes: joules since some moment, by counter.

RAPL of the kernel (https://docs.kernel.org/power/powercap/powercap.html) for processors and their
memory, NVML for GPUs. Nothing is guessed: what no counter says is not known.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from types import TracebackType
from typing import Protocol, Self

from engine.bench import nvml

POWERCAP = Path("/sys/class/powercap")
PERIOD_S = 0.2
"""Between two readings: the shortest counters begin again after a minute or more."""


class NoEnergy(Exception):
    """No energy can be read here, and why, as the middle of a sentence."""


class Counter(Protocol):
    """One counter, by what it counts."""

    @property
    def name(self) -> str: ...

    @property
    def wraps_uj(self) -> int:
        """The highest it goes before it begins again from 0; 0 where it never does."""
        ...

    def read_uj(self) -> int:
        """Microjoules since some moment. Raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class _Zone:
    """One zone of RAPL: the folder the kernel shows it as."""

    name: str
    wraps_uj: int
    folder: Path

    def read_uj(self) -> int:
        return int((self.folder / "energy_uj").read_text())


def rapl(root: Path = POWERCAP) -> tuple[Counter, ...]:
    """The processor packages and the memory beside them. Raises NoEnergy with the reason.

    Cores and graphics are inside the packages, and ``intel-rapl-mmio`` shows these a second time:
    neither is counted again.
    """
    if not root.is_dir():
        raise NoEnergy(f"this kernel has no {root}, as on most virtual machines")
    found: list[Counter] = []
    for folder in sorted(root.glob("intel-rapl:*")):
        name = (folder / "name").read_text().strip()
        if not name.startswith(("package", "dram")):
            continue
        try:
            zone = _Zone(name, int((folder / "max_energy_range_uj").read_text()), folder)
            zone.read_uj()
        except PermissionError as error:
            raise NoEnergy(
                f"{folder}/energy_uj may be read by root alone, as Linux has it since 5.10"
            ) from error
        except (OSError, ValueError) as error:
            raise NoEnergy(f"{folder}/energy_uj cannot be read ({error})") from error
        found.append(zone)
    if not found:
        raise NoEnergy(f"{root} has no counter of a processor package")
    return tuple(found)


def gpu(library: str = nvml.LIBRARY) -> tuple[Counter, ...]:
    """The first GPU, on which models run. Raises NoEnergy with the reason."""
    try:
        card = nvml.card(library)
        card.read_uj()
    except (nvml.NoGpu, OSError) as error:
        raise NoEnergy(str(error)) from error
    return (card,)


def counters() -> tuple[Counter, ...]:
    """Every counter of this machine that can be read. Raises NoEnergy with every reason."""
    found: list[Counter] = []
    reasons: list[str] = []
    for what, look in (("RAPL", rapl), ("NVML", gpu)):
        try:
            found += look()
        except NoEnergy as error:
            reasons.append(f"{what}: {error}")
    if not found:
        raise NoEnergy("; ".join(reasons))
    return tuple(found)


@dataclass(slots=True)
class Log:
    """Reads counters again and again, on a thread of its own, while something else goes on.

    ``readings`` are (monotonic ns, µJ of each counter since the log began, wraps undone). Use it as
    a context manager; what a counter raised meanwhile is raised on leaving, as OSError.
    """

    counters: Sequence[Counter]
    readings: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    _last: list[int] = field(default_factory=list)
    _failed: OSError | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.read()
        self._thread = threading.Thread(target=self._go_on, name="energy", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if kind is None:
            if self._failed is not None:
                raise self._failed
            self.read()

    def read(self) -> None:
        """Read every counter once, now."""
        found = [counter.read_uj() for counter in self.counters]
        if not self.readings:
            sums = (0,) * len(found)
        else:
            sums = tuple(
                before + risen(last, now, counter.wraps_uj)
                for before, last, now, counter in zip(
                    self.readings[-1][1], self._last, found, self.counters, strict=True
                )
            )
        self._last = found
        self.readings.append((monotonic_ns(), sums))

    def between(self, begin_ns: int, end_ns: int) -> list[tuple[int, tuple[int, ...]]]:
        """The readings that were taken within this span of ``monotonic_ns``."""
        return [reading for reading in self.readings if begin_ns <= reading[0] <= end_ns]

    def _go_on(self) -> None:
        while not self._over.wait(PERIOD_S):
            try:
                self.read()
            except OSError as error:
                self._failed = error
                return


def risen(before: int, now: int, wraps: int) -> int:
    """How much a counter rose; one that stands lower than before has begun again from 0."""
    return now - before if now >= before or not wraps else now - before + wraps + 1
