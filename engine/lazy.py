"""Frameworks, asked for by name and imported only where they are used."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from engine.errors import MissingDependency

_seen: ContextVar[dict[str, bool] | None] = ContextVar("seen", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within the block every module is looked for once: a page asks after each a dozen times."""
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A module a format needs, and the distribution that brings it."""

    module: str
    distribution: str

    @property
    def installed(self) -> bool:
        """Whether it can be found. Looks it up; never imports it."""
        seen = _seen.get()
        if seen is None:
            return importlib.util.find_spec(self.module) is not None
        if self.module not in seen:
            seen[self.module] = importlib.util.find_spec(self.module) is not None
        return seen[self.module]

    @property
    def version(self) -> str | None:
        """The installed distribution's version; None when it is not installed."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None

    @property
    def install_line(self) -> str:
        """The one line that installs it; empty where no line can."""
        return f"pip install {self.distribution}"

    @property
    def elsewhere(self) -> bool:
        """Whether it is a matter of the machine: another host may have what this one cannot."""
        return False

    @property
    def lack(self) -> str:
        """What to say where it is not there."""
        return f"{self.distribution} is not installed"


def require(module: str, distribution: str | None = None) -> Any:
    """The module, imported now. Raises MissingDependency with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name.split(".")[0]):
            raise
        wanted = Requirement(module, distribution or module.split(".")[0])
        raise MissingDependency(
            f"This needs the package {wanted.distribution!r}, which is not installed.",
            hint=f"Install it with: {wanted.install_line}",
        ) from error
