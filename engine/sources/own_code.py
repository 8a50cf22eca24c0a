"""A model.py with its weights, zipped or in a folder. Its code runs only where that is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.architectures import folder, own_code
from engine.errors import BadRequest, InvalidModel, UnsafeModel
from engine.records import parse
from engine.sources import archive, weights
from engine.sources.detect import WEIGHTS
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import place, recognised
from engine.sources.state_dict import read_config
from engine.types import Signature

KINDS = ("own_code",)
_ARGUMENTS, _SIGNATURE = "kwargs.json", "signature.json"


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Keep the code, build its class, fit the weights into it."""
    own_code.check_allowed()
    progress("Unpacking", 0.1)
    home = found.path if found.path.is_dir() else _unpacked(found.path, out / UNPACKED)
    arguments = _arguments(home, wanted)
    named = arguments.pop("class", None)
    signature = wanted.signature or _signature(home)
    path = place(out, "torch")
    own_code.keep(home, path)
    progress("Reading the weights", 0.3)
    tensors, notes = weights.read(_weight_file(home))
    progress("Running model.py", 0.5)
    spec = own_code.spec_of(path, wanted.architecture or named, arguments)
    signature, more = folder.write(path, spec, tensors, signature)
    ran = f"{own_code.MAIN} was run: the class {spec.config['class']} is its own code."
    origin = wanted.origin("carried")
    return recognised(found, path, "torch", signature, origin, notes=(*notes, *more, ran))


def _unpacked(path: Path, scratch: Path) -> Path:
    with archive.opened(path) as source:
        source.extract(scratch)
    return scratch


def _arguments(home: Path, wanted: Wanted) -> dict[str, Any]:
    """What the class is called with: the config that was given, else kwargs.json."""
    given = wanted.config or _own(home, _ARGUMENTS)
    return read_config(given) if given.is_file() else {}


def _own(home: Path, name: str) -> Path:
    """A file beside model.py. Raises UnsafeModel where it is a link to somewhere else."""
    path = home / name
    if path.resolve().parent != home.resolve():
        raise UnsafeModel(f"{name} is a link that leads elsewhere.", hint="Bring the file itself.")
    return path


def _signature(home: Path) -> Signature:
    path = _own(home, _SIGNATURE)
    if not path.is_file():
        raise BadRequest(
            "Code of your own does not say what goes into the model.",
            hint="Give the inputs: on the Model page, with --signature 'x:float32[batch,3,64,64]', "
            f"or as {_SIGNATURE} beside model.py.",
        )
    try:
        return parse(Signature, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InvalidModel(
            f"{_SIGNATURE} holds no signature: {error}",
            hint='Write {"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3]}]}.',
        ) from error


def _weight_file(home: Path) -> Path:
    files = [path for path in sorted(home.iterdir()) if path.suffix.lower() in WEIGHTS]
    if len(files) != 1 or files[0].resolve().parent != home.resolve():
        names = ", ".join(path.name for path in files[:4]) or "none"
        raise InvalidModel(
            f"There should be one file of weights beside model.py; there is {names}.",
            hint=f"Expected one of {', '.join(WEIGHTS)}, a state_dict of the model.",
        )
    return files[0]
