"""What a worker may see: its own folder, what the task names, and what Python itself needs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine

CODE: tuple[Path, ...] = (Path(engine.__file__).resolve().parent,)
"""Our own code."""
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_LINKER = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
_KERNEL = (
    *("/sys/devices/system", "/sys/kernel/mm"),
    *("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/memory.max"),
)
_NOUNS: Mapping[str, str] = {
    "artifact": "artifact",
    "baseline": "original",
    "data": "data",
    "source": "model's file",
    "config": "configuration",
    "reference": "reference's answers",
}
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True, slots=True)
class Grants:
    """``home`` is written; ``code`` is read and run; ``data`` is read; ``devices`` are a GPU's."""

    home: Path
    code: tuple[Path, ...]
    data: tuple[Path, ...]
    devices: tuple[Path, ...] = ()

    @property
    def kernel(self) -> tuple[Path, ...]:
        """What libraries ask of the processors and the memory; a GPU's driver asks for more."""
        return _there(map(Path, ("/sys",) if self.devices else _KERNEL))

    def as_json(self) -> str:
        """As the worker is told them."""
        named = {"code": self.code, "data": self.data, "devices": self.devices}
        return json.dumps(
            {"home": str(self.home), **{k: list(map(str, v)) for k, v in named.items()}}
        )

    @classmethod
    def from_json(cls, text: str) -> Grants:
        """What ``as_json`` wrote."""
        told = json.loads(text)
        paths = {name: tuple(map(Path, told[name])) for name in ("code", "data", "devices")}
        return cls(home=Path(told["home"]), **paths)


def grants_for(request: Mapping[str, Any], home: Path, devices: tuple[Path, ...] = ()) -> Grants:
    """What a task with this request, in this folder, may see."""
    runtime = (*map(Path, (*_SYSTEM, *_LINKER)), *_interpreter(), *CODE)
    return Grants(home.resolve(), _there(runtime), _there(_named(request)), devices)


def missing(request: Mapping[str, Any]) -> str | None:
    """What a task is to read and is not there any more, as a person calls it; None if all is."""
    for key, noun in _NOUNS.items():
        named = request.get(key)
        path = named.get("path") if isinstance(named, Mapping) else named
        if isinstance(path, str) and os.path.isabs(path) and not os.path.exists(path):
            return noun
    return None


def _interpreter() -> tuple[Path, ...]:
    """Python and its packages, under every name they are reached by."""
    found = {Path(place) for place in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    return tuple(found | {place.resolve() for place in found})


def _named(request: Mapping[str, Any]) -> tuple[Path, ...]:
    """The paths of a request, by the keys under which a pipeline puts them, and no others.

    Never whatever looks like a path: a prompt is a person's text, and a lineage a worker's.
    """
    found: list[str] = []
    for key in ("artifact", "baseline"):
        if isinstance(artifact := request.get(key), Mapping):
            # An artifact has a folder of its own: its weights and its card may lie beside it.
            found.append(os.path.dirname(artifact["path"]))
    if isinstance(data := request.get("data"), Mapping):
        found.append(data["path"])
    found += [request[key] for key in ("source", "config", "reference") if request.get(key)]
    return tuple(Path(path) for path in found if os.path.isabs(path))


def _there(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those that exist, each once, in a stable order."""
    return tuple(sorted({path for path in paths if path.exists()}))
