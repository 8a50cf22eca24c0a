"""Web and host together in processes of their own, as ``make run`` starts them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m engine serve``, from its greeting to its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "serve", "--port", str(port), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Assay is at"):
                break
        else:
            pytest.fail("".join(said))
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def host_pid(parent: int) -> int | None:
    """The host among a process's children."""
    return _child(parent, lambda words: words[-2:-1] == [b"host"])


def web_pid(parent: int) -> int | None:
    """The web process among a process's children."""
    return _child(parent, lambda words: b"streamlit_app.py" in words)


def _child(parent: int, wanted: Callable[[list[bytes]], bool]) -> int | None:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if wanted(Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")):
            return int(child)
    return None
