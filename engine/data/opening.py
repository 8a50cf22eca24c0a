"""What somebody brought as data, recognised by its bytes and opened as samples."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from engine.data import arrays, images, tables, texts
from engine.data.source import Source
from engine.errors import BadRequest
from engine.sources import archive
from engine.types import Artifact, Scalar

TAKES = (
    "an .npz with an array for every input (and 'labels' where they are known), an .npy for a "
    "model of one input, a zip of .npy files; a zip of PNG or JPEG pictures, with the classes as "
    "folders or in a labels.csv of file and label; a .csv or .parquet table, with a column 'label' "
    "where it is known; .txt or .jsonl for a language model"
)
_NPY, _ZIP, _PARQUET = b"\x93NUMPY", b"PK\x03\x04", b"PAR1"


def open_file(
    path: Path, name: str, model: Artifact, recipe: Mapping[str, Scalar], held: ExitStack
) -> Source:
    """The samples in a file; what is opened for them is closed with ``held``. Raises BadRequest.

    ``recipe`` holds what was chosen of ``engine.data.recipe.Recipe``, for pictures.
    """
    if not path.is_file():
        raise BadRequest(f"{name} is a folder.", hint=f"Bring one file: {TAKES}.")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_NPY):
        return arrays.from_npy(path, name, model.signature, held)
    if head.startswith(_ZIP):
        return _zipped(path, name, model, recipe, held)
    if head.startswith(_PARQUET):
        return tables.from_parquet(path, name, model.signature, held)
    if name.lower().endswith((".txt", ".jsonl", ".md")):
        return texts.from_file(path, name, model)
    if name.lower().endswith((".csv",)):
        return tables.from_csv(path, name, model.signature, held)
    raise BadRequest(f"{name} is no data that Assay reads.", hint=f"Bring {TAKES}.")


def _zipped(
    path: Path, name: str, model: Artifact, recipe: Mapping[str, Scalar], held: ExitStack
) -> Source:
    with archive.opened(path) as opened:
        endings = {member.rsplit(".", 1)[-1].lower() for member in opened.names}
    if "npy" in endings:
        return arrays.from_zip(path, name, model.signature, held)
    if any(f".{ending}" in images.ENDINGS for ending in endings):
        return images.from_zip(path, name, model.signature, recipe, held)
    raise BadRequest(f"The zip {name} holds no data that Assay reads.", hint=f"Bring {TAKES}.")
