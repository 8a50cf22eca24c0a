"""What a job waits for: a host that has what it needs (a GPU for instance), or those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import registry, store
from engine.access import who
from engine.store.jobs import JobRow

MEASURING = ("measure", "explain")
"""Kinds of jobs that use a machine alone, one after the other."""


def lacks(request: Mapping[str, Any]) -> str | None:
    """What this machine lacks for a job that may wait, in words; None when it can be run here.

    ``request`` is a ``ConvertRequest`` as stored; every other kind of job runs anywhere.
    """
    if not request.get("wait"):
        return None
    known = registry.formats()
    asked = (known[target["format"]] for target in request["targets"] if target["format"] in known)
    lacking = [f"{form.label}: {form.lacks}" for form in asked if form.elsewhere]
    return "; ".join(lacking) or None


def behind(row: JobRow) -> str:
    """What a queued job waits for, in words; empty when nothing is before it."""
    if row.kind not in MEASURING:
        return ""
    before = [
        other
        for other in store.jobs.unfinished()
        if other.kind in MEASURING and (other.created_at, other.id) < (row.created_at, row.id)
    ]
    if not before:
        return ""
    last = before[-1]
    named = f" ({last.title} is the last of them)" if who().sees(last.owner) else ""
    jobs = "1 job has" if len(before) == 1 else f"{len(before)} jobs have"
    return (
        f"Waiting in line: {jobs} this machine first{named}. Only one thing is measured at a time."
    )
