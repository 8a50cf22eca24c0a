"""Studies: what a measurement may find beside its times. The folder is the list.

One module a study: ``STUDY`` says what it finds, ``run(bench)`` asks for its processes and gives
raw records (``engine.bench.observations``), ``observe(request, context)`` is what one of these
processes does. The records become the field of ``Measurement`` that has the study's name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from engine.bench.model import MeasurePlan, Variant
from engine.errors import BadRequest
from engine.jobs.protocol import Context, Limits
from engine.types import Artifact


def _every(artifact: Artifact) -> str | None:
    """For a study of any model."""
    return None


@dataclass(frozen=True, slots=True)
class Study:
    """What a person is told before choosing it.

    ``about`` says what it answers and about how long it takes. ``fits`` says in one sentence why
    an original cannot be studied so; None where it can.
    """

    name: str
    title: str
    about: str
    fits: Callable[[Artifact], str | None] = _every


class Bench(Protocol):
    """What a study works with: the measurement it belongs to, and its own processes."""

    @property
    def plan(self) -> MeasurePlan: ...

    @property
    def artifacts(self) -> Mapping[str, Artifact]: ...

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Those to study: no controls, none that could not be timed or failed in this study."""
        ...

    def observe(
        self,
        variant: Variant,
        request: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> dict[str, Any] | None:
        """What ``observe`` of this study gives in one fresh process, with the variant's threads.

        Its request holds what ``subject_of`` reads, and ``request`` beside it. None when it failed:
        the reason is kept with the measurement, and the variant is studied no further.
        """
        ...

    def attempt(
        self,
        variant: Variant,
        request: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> dict[str, Any]:
        """The same, for a process whose failure is an answer. Raises EngineError."""
        ...

    def leave_out(self, variant: Variant, why: str) -> None:
        """Study this variant no further, and keep the reason with the measurement."""
        ...


class Module(Protocol):
    """What a module in this folder holds."""

    STUDY: Study

    def run(self, bench: Bench) -> tuple[Any, ...]: ...

    def observe(self, request: Mapping[str, Any], context: Context) -> dict[str, Any]: ...


@cache
def studies() -> Mapping[str, Study]:
    """Every study by name."""
    names = sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return {name: module(name).STUDY for name in names}


def module(name: str) -> Module:
    """The module of a study, whose name is that of its file."""
    return cast(Module, importlib.import_module(f"{__name__}.{name}"))


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each once, in the order of the studies. Raises BadRequest for an unknown one."""
    if unknown := sorted(set(names) - set(studies())):
        raise BadRequest(
            f"There is no study {unknown[0]!r}.", hint=f"Studies: {', '.join(studies())}."
        )
    return tuple(name for name in studies() if name in names)
