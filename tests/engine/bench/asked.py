"""What a session asks one process of a study for: to run one alone."""

from __future__ import annotations

from typing import Any

from engine.bench.plan import PRESETS
from engine.jobs.protocol import Task
from engine.records import dump
from engine.types import Artifact


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
