"""A Hugging Face folder, zipped or on this machine. Code in it is not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.architectures import folder, spec_for
from engine.errors import InvalidModel
from engine.sources import archive, weights
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import place, recognised
from engine.sources.state_dict import read_config

KINDS = ("huggingface",)


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read config and weights, then build the class transformers has for them."""
    progress("Unpacking", 0.1)
    home = found.path if found.path.is_dir() else _unpacked(found.path, out / UNPACKED)
    config = read_config(home / "config.json")
    files = _weight_files(home)
    progress("Reading the weights", 0.3)
    tensors, notes = _read(files)
    progress("Fitting them into the architecture", 0.6)
    path = place(out, "torch")
    spec = spec_for(wanted.architecture or "transformers", config)
    signature, more = folder.write(path, spec, tensors, wanted.signature)
    folder.keep_tokenizer(home, path)
    origin = wanted.origin("proposed")
    notes = (*notes, *more, *_about_code(home, config))
    return recognised(found, path, "torch", signature, origin, notes=notes)


def _unpacked(path: Path, scratch: Path) -> Path:
    with archive.opened(path) as source:
        source.extract(scratch)
    return scratch


def _weight_files(home: Path) -> tuple[Path, ...]:
    """The safetensors files, else the torch ones; never a file reached through a link."""
    for pattern in ("model*.safetensors", "*.safetensors", "pytorch_model*.bin"):
        files = tuple(sorted(path for path in home.glob(pattern) if path.is_file()))
        for path in files:
            if path.resolve().parent != home.resolve():
                raise InvalidModel(
                    f"{path.name} is a link to another folder.",
                    hint="Put the weights themselves into the folder.",
                )
        if files:
            return files
    raise InvalidModel(
        "There are no weights beside this config.json.",
        hint="Expected model.safetensors (or its numbered parts) or pytorch_model.bin.",
    )


def _read(files: tuple[Path, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """All parts together. Raises InvalidModel when two parts hold the same name."""
    tensors: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    for path in files:
        part, said = weights.read(path)
        twice = next((name for name in part if name in tensors), None)
        if twice is not None:
            raise InvalidModel(
                f"The weight {twice[:60]!r} is in two of the files.",
                hint="Bring one set of weights only.",
            )
        tensors |= part
        notes += said
    return tensors, notes


def _about_code(home: Path, config: dict[str, Any]) -> tuple[str, ...]:
    if "auto_map" in config or any(home.glob("*.py")):
        return ("The folder brings Python code of its own; it was not run.",)
    return ()
