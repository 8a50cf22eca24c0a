"""A Hugging Face folder, zipped or on this machine. Code in it is not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.architectures import folder, spec_for
from engine.errors import InvalidModel, UnsafeModel, UnsupportedModel
from engine.settings import settings
from engine.sources import archive, weights
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import place, recognised
from engine.sources.state_dict import read_config
from engine.sources.words import one_line

KINDS = ("huggingface",)


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read config and weights, then build the class transformers has for them."""
    progress("Unpacking", 0.1)
    home = found.path if found.path.is_dir() else _unpacked(found.path, out / UNPACKED)
    config = read_config(home / "config.json")
    said = _check_code(home, config)
    files = _weight_files(home)
    progress("Reading the weights", 0.3)
    tensors, notes = _read(files)
    progress("Fitting them into the architecture", 0.6)
    path = place(out, "torch")
    spec = spec_for(wanted.architecture or "transformers", config)
    signature, more = folder.write(path, spec, tensors, wanted.signature)
    folder.keep_tokenizer(home, path)
    origin = wanted.origin("proposed")
    notes = (*notes, *more, *said)
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


def _check_code(home: Path, config: dict[str, Any]) -> tuple[str, ...]:
    """Refuse a folder that asks for code of its own; where that is allowed, say it was not run."""
    kernel = next((text for text in _attentions(config) if "/" in text), None)
    if kernel:
        raise UnsafeModel(
            f"This config.json asks for an attention kernel from elsewhere ({one_line(kernel)!r}), "
            "which is code.",
            hint="Take the entry out of config.json: Assay writes attention out as plain steps.",
        )
    files = sorted(path.name for path in home.rglob("*.py"))
    if "auto_map" not in config and not files:
        return ()
    if settings().model_code:
        return ("The folder brings Python code of its own; it was not run.",)
    what = f"the file {one_line(files[0])!r}" if files else "an 'auto_map' in config.json"
    raise UnsupportedModel(
        f"This folder brings Python code of its own ({what}), and running such code is off.",
        hint="Where transformers knows the model itself, bring the folder without *.py files and "
        "without auto_map. Otherwise save the model as torch.export (.pt2) or ONNX.",
    )


def _attentions(config: dict[str, Any]) -> Iterator[str]:
    """What a config and the configs inside it say attention is computed by."""
    pending: list[Any] = [config]
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending += here
        elif isinstance(here, dict):
            pending += here.values()
            named = (key for key in here if key.startswith(("_attn", "attn_implementation")))
            yield from (str(here[key]) for key in named)
