"""The oldest versions that strangers' files are opened with: older ones have known holes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata

from engine.errors import MissingDependency

FLOORS: Mapping[str, tuple[str, str]] = {
    "torch": ("2.10", "CVE-2026-24747: weights_only could be made to write past its memory"),
    "onnx": ("1.21", "external data could be read through links"),
    "onnxruntime": ("1.24", "external data could be read from anywhere"),
    "keras": ("3.15", "safe mode let code through"),
    "transformers": ("5.10", "CVE-2026-9856: files were written outside the folder"),
    "picklescan": ("1.0.5", "every scan could be evaded"),
    "tensorflow": ("2.12", "CVE-2023-25668: operators read outside their memory"),
    "tensorflow-cpu": ("2.12", "CVE-2023-25668: operators read outside their memory"),
    "llama-cpp-python": ("0.2.72", "CVE-2024-34359: the chat template of a file ran code"),
    "pillow": ("12.1.1", "CVE-2026-25990: a PSD image was written outside its memory"),
    "pyarrow": ("23.0.1", "CVE-2026-25087: an Arrow file was read into memory given back"),
    "streamlit": ("1.57", "the web before it was another"),
}
"""By distribution: the version, and what was wrong before it."""


def below() -> tuple[str, ...]:
    """A sentence for each installed package that is older than it may be."""
    found = {name: _version(name) for name in FLOORS}
    return tuple(
        f"{name} {version} is older than {FLOORS[name][0]} ({FLOORS[name][1]}). "
        f"Install it with: pip install '{name}>={FLOORS[name][0]}'"
        for name, version in found.items()
        if version and _numbers(version) < _numbers(FLOORS[name][0])
    )


def check() -> None:
    """Raises MissingDependency where a package is too old to open strangers' files with."""
    if old := below():
        raise MissingDependency(old[0], hint=" ".join(old[1:]) or "Then start it again.")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The release, without what follows it; (2, 13, 0) of ``2.13.0+cpu``."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()
