"""How strongly workers are held here: found by trying, once a process, and never weakened later."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from engine.errors import Reason, TaskFailed
from engine.jobs.isolation import bubblewrap, landlock, seccomp
from engine.jobs.isolation.grants import grants_for
from engine.settings import settings


class Tier(StrEnum):
    """A: bubblewrap. B: Landlock and a system-call filter. C: limits alone."""

    A = "A"
    B = "B"
    C = "C"


NAMES = {
    Tier.A: "A (bubblewrap, system-call filter)",
    Tier.B: "B (Landlock, system-call filter)",
    Tier.C: "C (limits alone)",
}
WORDS = {
    Tier.A: "A: bubblewrap and a system-call filter. A worker sees its own files, Python and "
    "nothing else: no network, no other process.",
    Tier.B: "B: Landlock and a system-call filter. A worker opens its own files, Python and "
    "nothing else, and has no network.",
    Tier.C: "C: limits alone. A worker can read what Assay can read, so models that hold code "
    "are refused.",
}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The tier workers run in, and why not in a stronger one; ``tier`` is None where none may."""

    tier: Tier | None
    why: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """In a few words, for a report."""
        return NAMES[self.tier] if self.tier else "none"

    @property
    def words(self) -> str:
        """For a person: what holds, and what would make it stronger."""
        held = WORDS[self.tier] if self.tier else "none: no task is run."
        why = "; ".join(self.why)
        return f"{held} {why[0].upper()}{why[1:]}." if why else held


def tier() -> Tier:
    """The tier to run a worker in. Raises TaskFailed where the one that is required cannot be."""
    found = sandbox(settings().sandbox)
    if found.tier is None:
        raise unavailable(found.words)
    return found.tier


@cache
def sandbox(required: str) -> Sandbox:
    """What there is here; ``required`` is one tier, or nothing for the strongest that works."""
    if required and required not in set(Tier):
        return Sandbox(None, (f"ASSAY_SANDBOX is {required!r}, and can be A, B or C",))
    lacks: dict[Tier, str] = {}
    for candidate in Tier:
        if required and candidate != required:
            continue
        why = _lack(candidate)
        if why is None:
            return Sandbox(candidate, tuple(lacks.values()))
        lacks[candidate] = why
    return Sandbox(None, (f"ASSAY_SANDBOX requires {required}", *lacks.values()))


def unavailable(what: str) -> TaskFailed:
    """The error of a task that was not run, since it would have run unheld."""
    return TaskFailed(
        f"The sandbox cannot be set up, so nothing was run. {what}".strip(),
        how=Reason.SANDBOX_UNAVAILABLE,
        hint="System says which sandbox this machine has; ASSAY_SANDBOX asks for one.",
    )


def _lack(candidate: Tier) -> str | None:
    """Why a tier does not work here; None where it does."""
    if candidate is Tier.C:
        return None
    if not seccomp.available():
        return "this kernel has no system-call filters"
    if candidate is Tier.B:
        if landlock.version() >= landlock.ENOUGH:
            return None
        return "this kernel has no Landlock, or one older than Linux 6.2's"
    with tempfile.TemporaryDirectory() as home:
        return bubblewrap.trial(grants_for({}, Path(home)))
