"""The line of Python that stands in a converter's way, taken from what PyTorch says about it."""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_OWN = ("/site-packages/torch/", "torch/_dynamo", "torch/_export", "torch/fx")


@dataclass(frozen=True, slots=True)
class Line:
    """A place in somebody's code."""

    file: str
    number: int
    code: str

    def __str__(self) -> str:
        said = f": `{self.code}`" if self.code else ""
        return f"{_short(self.file)}, line {self.number}{said}"


def line_at(file: str, number: int) -> Line:
    """The line of a file, with its text where the file is still there."""
    return Line(file, number, linecache.getline(file, number).strip()[:160])


def line_in(text: str) -> Line | None:
    """The innermost line of a model's own that a PyTorch message shows; None where it shows none.

    PyTorch's own lines are passed over: nobody can change them.
    """
    frames = [(found["file"], int(found["line"])) for found in _FRAME.finditer(text)]
    theirs = [frame for frame in frames if not any(own in frame[0] for own in _OWN)]
    return line_at(*theirs[-1]) if theirs else None


def _short(file: str) -> str:
    """The file as a person knows it: from its package on, or by its name."""
    if "/site-packages/" in file:
        return file.rpartition("/site-packages/")[2]
    path = Path(file)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
