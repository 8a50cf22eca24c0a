"""What somebody brought as data, recognised by its bytes and opened as samples."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from engine.data import arrays, builtin
from engine.data.source import Source
from engine.errors import BadRequest
from engine.sources import archive
from engine.types import Artifact

TAKES = (
    "an .npz with an array for every input (and 'labels' where they are known), an .npy for a "
    "model of one input, a zip of .npy files"
)
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


def open_builtin(name: str, model: Artifact) -> Source:
    """Data of ours, for this model. Raises NotFound."""
    builtin.builtin_named(name)
    return builtin.digits(model.signature)


def open_file(path: Path, name: str, model: Artifact, held: ExitStack) -> Source:
    """The samples in a file; what is opened for them is closed with ``held``. Raises BadRequest."""
    if not path.is_file():
        raise BadRequest(f"{name} is a folder.", hint=f"Bring one file: {TAKES}.")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_NPY):
        return arrays.from_npy(path, name, model.signature, held)
    if head.startswith(_ZIP):
        return _zipped(path, name, model, held)
    raise BadRequest(f"{name} is no data that Assay reads.", hint=f"Bring {TAKES}.")


def _zipped(path: Path, name: str, model: Artifact, held: ExitStack) -> Source:
    with archive.opened(path) as opened:
        endings = {member.rsplit(".", 1)[-1].lower() for member in opened.names}
    if "npy" in endings:
        return arrays.from_zip(path, name, model.signature, held)
    raise BadRequest(f"The zip {name} holds no data that Assay reads.", hint=f"Bring {TAKES}.")
