"""A person's own architecture: a ``model.py`` kept beside the weights. Off unless it is allowed.

This is the one place that runs such code, so the one place that asks whether it may.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.architecture import Architecture, ArchitectureSpec, Config
from engine.branches import line_at
from engine.errors import BadRequest, EngineError, InvalidModel, UnsafeModel
from engine.files import disk_errors
from engine.settings import settings
from engine.types import Signature

NAME, CODE, MAIN = "model.py", "code", "model.py"
"""The architecture's name in ``architecture.json``; the folder of the code, and its main file."""
_LARGEST = 1 << 20


def check_allowed() -> None:
    """Raise UnsafeModel, saying why and what to do, unless the operator has allowed such code."""
    if not settings().model_code:
        raise UnsafeModel(
            "This model brings its own code (model.py), and running such code is switched off.",
            hint="Who runs Assay can allow it with ASSAY_ALLOW_MODEL_CODE=1, where workers are "
            "held by a sandbox; or save the model as torch.export (.pt2) or ONNX and bring that.",
        )


def keep(source: Path, home: Path) -> None:
    """Copy the Python files of the folder ``source`` into the model's folder ``home``."""
    target = home / CODE
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.py")):
        if path.resolve().parent != source.resolve() or path.stat().st_size > _LARGEST:
            raise InvalidModel(
                f"{path.name} is a link, or longer than a program is ({_LARGEST:,} bytes).",
                hint="Put the code itself into the folder.",
            )
        with disk_errors():
            shutil.copyfile(path, target / path.name)


def spec_of(home: Path, wanted: str | None, arguments: Mapping[str, Any]) -> ArchitectureSpec:
    """The class asked for, else the only one, with its arguments. Raises BadRequest."""
    from torch import nn

    module = _imported(home)
    classes = sorted(
        name
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, nn.Module)
        and item.__module__ == module.__name__
    )
    if wanted is None and len(classes) == 1:
        wanted = classes[0]
    if wanted not in classes:
        there = ", ".join(classes) or "none"
        raise BadRequest(
            f"{MAIN} has no class {wanted!r} that is an nn.Module; it has {there}."
            if wanted
            else f"{MAIN} defines {len(classes)} nn.Module classes: {there}.",
            hint="Name the class of the whole model: as the architecture, or as 'class' in "
            "kwargs.json.",
        )
    return ArchitectureSpec(NAME, {"class": wanted, "arguments": dict(arguments)})


def architecture_of(home: Path) -> Architecture:
    """The architecture that the code in the model's folder ``home`` defines."""
    return Architecture(NAME, "Your own model.py", partial(_build, home), _no_signature)


def _build(home: Path, config: Config) -> Any:
    kind = getattr(_imported(home), str(config["class"]))
    arguments = dict(config.get("arguments") or {})
    return _run(f"building {config['class']}", home, lambda: kind(**arguments))


def _no_signature(_: Config) -> Signature:
    raise BadRequest(
        "Code of your own does not say what goes into the model.",
        hint="Give the inputs: on the Model page, with --signature 'x:float32[batch,3,64,64]', or "
        "as signature.json beside model.py.",
    )


def _imported(home: Path) -> ModuleType:
    """``model.py`` as a module of this process, run once. Raises UnsafeModel unless allowed."""
    check_allowed()
    path = (home / CODE / MAIN).resolve()
    name = f"assay_model_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidModel(f"There is no {MAIN} in this model's folder.", hint="Import it again.")
    module = importlib.util.module_from_spec(spec)
    # Compiled files beside it would change the folder, whose hash is the model's name.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    loader = spec.loader
    try:
        _run("running model.py", home, lambda: loader.exec_module(module))
    except EngineError:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
        sys.dont_write_bytecode = written
    return module


def _run(doing: str, home: Path, act: Callable[[], Any]) -> Any:
    """What a person's code gives. Whatever it raises becomes InvalidModel, with its line."""
    try:
        return act()
    except MemoryError:
        raise
    except Exception as error:
        trace, where = error.__traceback__, ""
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if Path(file).is_relative_to((home / CODE).resolve()):
                where = f" at {line_at(file, trace.tb_lineno)}"
            trace = trace.tb_next
        raise InvalidModel(
            f"{doing.capitalize()} failed{where}: {type(error).__name__}: {str(error)[:300]}",
            hint="Put everything it needs beside it, and its arguments into kwargs.json.",
        ) from error
