"""What tests of studies ask for: one process alone, or a measurement that is short beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.bench import canary
from engine.bench.model import MeasurePlan, Variant
from engine.bench.plan import PRESETS
from engine.jobs.protocol import Task
from engine.records import dump
from engine.types import Artifact
from tests.engine.bench.test_session import TINY, plan

ONCE = replace(TINY, rounds=1, spare_rounds=0)


def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the machine's pace for a moment only: nothing here is judged by it."""
    monkeypatch.setattr(canary, "_READINGS", 2)
    monkeypatch.setattr(canary, "_REPEATS", 1)


def studying(name: str, *variants: Variant) -> MeasurePlan:
    """One round of these, or of the two that every test has, and then the study."""
    chosen = variants or plan().variants
    keys = tuple(variant.key for variant in chosen)
    return MeasurePlan(ONCE, chosen, (keys,), seed=1, studies=(name,))


def study_task(name: str, artifact: Artifact, **more: Any) -> Task:
    """One process of the study for an artifact that is its own original, at one thread."""
    request = {
        "study": name,
        "variant": "a",
        "label": "A",
        "artifact": dump(artifact),
        "signature": dump(artifact.signature),
        "threads": 1,
        "pinned": False,
        "batch": 1,
        "seed": 1,
        "preset": dump(PRESETS["quick"]),
        **more,
    }
    return Task("study", "One process", request)
