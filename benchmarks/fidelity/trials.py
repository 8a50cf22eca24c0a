"""One measurement through Assay's own session, with a load beside it where one is wanted."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine import processor
from engine.bench import session
from engine.bench.model import Measurement, MeasurePlan, Preset, Variant
from engine.bench.plan import PRESETS, rounds
from engine.jobs.protocol import StepView
from engine.jobs.steps import DirectSteps, clear_outputs
from engine.types import Artifact

STANDARD = PRESETS["standard"]

_BUSY = """
import os, sys
while os.getppid() == int(sys.argv[1]): pass
"""
_LIGHT = """
import os, random, sys, time
while os.getppid() == int(sys.argv[1]):
    end = time.monotonic() + random.uniform(0.01, 0.05)
    while time.monotonic() < end: pass
    time.sleep(random.uniform(0.05, 0.25))
"""


def measured(
    artifacts: Mapping[str, Artifact],
    preset: Preset,
    seed: int,
    when: Callable[[int], None] = lambda blocks: None,
) -> Measurement:
    """Measure these against the first of them. ``when`` is told how many blocks have run."""
    threads = processor.worker_threads()
    variants = tuple(
        Variant(
            key=name,
            artifact_id=name,
            format=artifact.format,
            label=name,
            batch=1,
            threads=threads,
            is_original=place == 0,
            pinned=threads < processor.cores(),
        )
        for place, (name, artifact) in enumerate(artifacts.items())
    )

    def show(steps: tuple[StepView, ...], partial: Mapping[str, Any]) -> None:
        when(len(partial.get("live", {}).get("strip", ())))

    steps = DirectSteps(f"fidelity-{secrets.token_hex(6)}", show)
    order = rounds(tuple(artifacts), preset.rounds, seed)
    plan = MeasurePlan(preset, variants, order, seed)
    signature = next(iter(artifacts.values())).signature
    try:
        return session.run(steps, plan, artifacts, signature)
    finally:
        clear_outputs(steps.job_id)


@dataclass
class Load:
    """Work beside the measurement: off until it is asked for, and never longer than we live."""

    script: str = _BUSY
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def begin(self) -> None:
        """Keep a CPU busy from now on."""
        if self._process is None:
            self._process = subprocess.Popen([sys.executable, "-c", self.script, str(os.getpid())])

    def end(self) -> None:
        """And no longer."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def load() -> Iterator[Load]:
    """A load that keeps one CPU busy from when it is begun until the end."""
    made = Load()
    try:
        yield made
    finally:
        made.end()


@contextmanager
def light_noise() -> Iterator[None]:
    """Bursts of work on one CPU, about a sixth of the time."""
    made = Load(_LIGHT)
    made.begin()
    try:
        yield
    finally:
        made.end()


def shuffled(names: tuple[str, ...], seed: int) -> list[str]:
    """The names in an order of chance, the same for the same seed."""
    order = list(names)
    random.Random(seed).shuffle(order)
    return order
