"""A block that runs on a GPU, by the GPU's own clock and its driver's account."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.bench import nvml
from engine.bench.model import GpuUse
from engine.types import OnDevice, Runner


def _card(on_gpu: bool) -> nvml.Card | None:
    if not on_gpu:
        return None
    try:
        return nvml.card()
    except nvml.NoGpu:
        return None  # its fields say so


@dataclass(slots=True)
class GpuWatch:
    """Made before the model is loaded; asked when the last sample is taken.

    What is not ``on_gpu`` is not followed: not even the driver is asked.
    """

    on_gpu: bool
    _card: nvml.Card | None = None
    _before: int | None = None
    _compute: list[int] = field(default_factory=list)
    _clocks: list[int] = field(default_factory=list)
    _slowed: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._card = _card(self.on_gpu)
        self._before = self._card.used_bytes() if self._card else None

    def listener(self, runner: Runner) -> Callable[[], None] | None:
        """What to call after every sample, outside its time; None for a runner on no device."""
        if not isinstance(runner, OnDevice):
            return None
        clock = runner.compute_ns
        return lambda: self._compute.append(clock())

    def look(self) -> None:
        """At the clock and what holds it back. Right after an inference: an idle card slows."""
        if self._card is None:
            return
        clock = self._card.clock_mhz()
        self._clocks += [] if clock is None else [clock]
        self._slowed |= dict.fromkeys(self._card.slowed())

    def use(self) -> GpuUse | None:
        """All of it, while the model is still loaded; None where nothing ran on a device."""
        if not self._compute:
            return None
        card = self._card
        return GpuUse(
            compute_ns=tuple(self._compute),
            clock_mhz=tuple(self._clocks),
            slowed=tuple(self._slowed),
            memory_bytes=card.process_bytes(os.getpid()) if card else None,
            card_before_bytes=self._before,
            card_bytes=card.used_bytes() if card else None,
        )
