"""Sources: untrusted bytes in, an identified and runnable original out.

``locate`` runs in the host and only finds the bytes; ``recognise`` reads them, in a worker.
"""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from pathlib import Path
from types import ModuleType
from typing import Literal

from engine.access import Role, who
from engine.errors import BadRequest
from engine.files import files_of
from engine.settings import settings
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted

__all__ = [
    "Found",
    "Progress",
    "Recognised",
    "Wanted",
    "data_folder",
    "locate",
    "models_folder",
    "recognise",
]

_LISTED = 500
_MODEL_SUFFIXES = frozenset(
    (".onnx", ".pt", ".pth", ".pt2", ".safetensors", ".bin", ".zip", ".ckpt", ".gguf")
)

_DATA_SUFFIXES = frozenset((".npz", ".npy", ".csv", ".parquet", ".txt", ".jsonl", ".zip"))


def locate(
    origin: Literal["sample", "upload", "path"], source: str, config_upload: str | None
) -> tuple[str, str, str | None]:
    """(what the worker opens, the name a person knows it by, the config's path).

    Raises NotFound or UploadError for an upload that is not there, BadRequest for a path outside
    the models folder.
    """
    from engine.sources import uploads

    if origin == "sample":
        from engine.samples import sample_named

        sample = sample_named(source)
        return sample.name, sample.label, None
    if origin == "upload":
        config = str(uploads.path_of(config_upload)) if config_upload else None
        return str(uploads.path_of(source)), uploads.info(source).name, config
    path = _in_models_folder(source)
    config = str(_in_models_folder(config_upload)) if config_upload else None
    return str(path), path.name, config


def models_folder() -> tuple[str, ...]:
    """Files and the folders that are models, below the models folder, as paths within it.

    None for whoever may not run them.
    """
    home = settings().models_dir
    if home is None or not home.is_dir() or not who().may(Role.RUNNER):
        return ()
    names = ("config.json", "model.py")
    folders = [path.parent for name in names for path in home.rglob(name)]
    saved = (path.parent for path in home.rglob("saved_model.pb"))
    # Of numbered versions, the folder above is the model.
    folders += (path.parent if path.name.isdecimal() else path for path in saved)
    files = (path for path in files_of(home) if path.suffix.lower() in _MODEL_SUFFIXES)
    inside = {path for path in (*folders, *files) if path != home and _stays(path, home)}
    return tuple(sorted(str(path.relative_to(home)) for path in inside))[:_LISTED]


def data_folder() -> tuple[str, ...]:
    """Files below the models folder that could be data, as paths within it."""
    home = settings().models_dir
    if home is None or not home.is_dir() or not who().may(Role.RUNNER):
        return ()
    files = (path for path in files_of(home) if path.suffix.lower() in _DATA_SUFFIXES)
    inside = (str(path.relative_to(home)) for path in files if _stays(path, home))
    return tuple(sorted(inside))[:_LISTED]


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Turn identified bytes into a runnable original below ``out/original``."""
    module = next(module for module in _modules() if found.kind in module.KINDS)
    try:
        made: Recognised = module.recognise(found, wanted, out, progress)
    finally:
        shutil.rmtree(out / UNPACKED, ignore_errors=True)
    return made


def _modules() -> list[ModuleType]:
    """The files here that name the ``KINDS`` they recognise. The folder is the list."""
    names = (entry.name for entry in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return [module for module in modules if hasattr(module, "KINDS")]


def _in_models_folder(source: str) -> Path:
    """The path, resolved, below the models folder. Raises BadRequest."""
    home = settings().models_dir
    if home is None:
        raise BadRequest(
            "No models folder is configured, so nothing is opened by path.",
            hint="Upload the file, or start Assay with ASSAY_MODELS set to the folder.",
        )
    path = (home / source).resolve()
    if "\x00" in source or not path.is_relative_to(home) or path == home:
        raise BadRequest(
            f"{source[:120]!r} is not inside the models folder.",
            hint="Give a path within the folder, without '..' and without links that lead out.",
        )
    if not path.exists():
        raise BadRequest(
            f"There is no {source[:120]!r} in the models folder.",
            hint="The Model page lists what there is.",
        )
    return path


def _stays(path: Path, home: Path) -> bool:
    return path.resolve().is_relative_to(home)
