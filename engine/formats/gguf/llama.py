"""The seam to llama.cpp: its library opened once, and what it says turned into our errors."""

from __future__ import annotations

import ctypes
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from engine.errors import EngineError, InvalidModel, UnsupportedModel
from engine.lazy import Requirement, require

LLAMA = Requirement("llama_cpp", "llama-cpp-python")
_KEPT = 400
_WARNING = 3
"""ggml's level of a warning; errors are above it."""
_MEMORY = ("failed to allocate", "unable to allocate", "bad_alloc", "out of memory")
_CACHE = re.compile(r"KV buffer size = +([\d.]+) MiB")
_said: deque[tuple[int, str]] = deque(maxlen=_KEPT)


@cache
def library() -> Any:
    """The ``llama_cpp`` module, ready to use, its log kept by us instead of printed."""
    # An abort inside would otherwise start a debugger.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    llama = require("llama_cpp", "llama-cpp-python")

    def said(level: int, text: bytes, _: Any) -> None:
        _said.append((level, text.decode("utf-8", "replace")))

    keep = llama.llama_log_callback(said)
    llama.llama_log_set(keep, ctypes.c_void_p(0))
    llama.assay_log = keep  # the library keeps no reference of its own
    llama.llama_backend_init()
    return llama


def last_words() -> str:
    """llama.cpp's own reason for the latest failure: its last warning or error, as one line."""
    lines = [
        line.split(": ", 1)[-1].strip()
        for level, text in _said
        if level >= _WARNING
        for line in text.splitlines()
        if line.strip()
    ]
    told = [line for line in lines if not line.startswith("failed to load model")]
    return " ".join((told or lines or ["no reason given"])[-1].split())[:300].rstrip(".")


def told_cache_bytes() -> int | None:
    """Keys and values as llama.cpp has just reported them, to a hundredth of a MiB; None if not."""
    found = [float(size) for _, text in _said for size in _CACHE.findall(text)]
    return round(sum(found) * 1024**2) if found else None


@contextmanager
def llama_errors(doing: str) -> Iterator[None]:
    """Forget what was said before; turn failures inside into InvalidModel or UnsupportedModel."""
    _said.clear()
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        raise failed(doing, str(error)) from error


def failed(doing: str, why: str = "") -> EngineError:
    """The error that fits what llama.cpp last said. Raises MemoryError where it had too little."""
    why = why or last_words()
    if any(word in text for word in _MEMORY for _, text in _said):
        raise MemoryError(why)
    if "unknown model architecture" in why:
        return UnsupportedModel(
            f"This llama.cpp does not run this model: {why}.",
            hint="A newer llama-cpp-python may know it; the format itself is fine.",
        )
    return InvalidModel(
        f"llama.cpp failed while {doing}: {why}.",
        hint="Convert the model again; if the file came from elsewhere, fetch it again.",
    )
