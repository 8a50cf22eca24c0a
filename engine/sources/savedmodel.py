"""TensorFlow SavedModels: a folder, a zip of it, or the numbered versions that are served from."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import InvalidModel, UnsafeModel
from engine.files import files_of
from engine.registry import format_named
from engine.sources import archive, graphs
from engine.sources.model import UNPACKED, Found, Progress, Recognised, Wanted
from engine.sources.originals import bring, place, recognised
from engine.sources.trying import agreed, bounded, steady
from engine.sources.words import one_line

KINDS = ("savedmodel",)
_PARTS = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra/assay.json")
"""What loading takes, and Assay's own notes on names and axes; other files stay behind."""


def recognise(found: Found, wanted: Wanted, out: Path, progress: Progress) -> Recognised:
    """Read the graph as data and check it, then keep the folder, then run it once."""
    progress("Unpacking", 0.1)
    home, notes = _newest(_unpacked(found.path, out / UNPACKED))
    progress("Reading the graph without running it", 0.2)
    graph = graphs.read(home / graphs.FILE)
    path = place(out, "savedmodel")
    _keep(home, path)
    _check_variables(graph, path)
    progress("Reading the signatures", 0.5)
    spec = format_named("savedmodel")
    assert spec.read_signature is not None
    signature = spec.read_signature(path)
    progress("Loading it", 0.6)
    spec.load(path)
    rows = graphs.lookup_rows(graph, {item.name for item in signature.inputs})
    signature = bounded(signature, rows)
    if wanted.signature:
        signature = agreed(signature, wanted.signature)
    progress("Running it once", 0.8)
    steady("savedmodel", path, signature)
    return recognised(found, path, "savedmodel", signature, wanted.origin("carried"), notes=notes)


def _unpacked(path: Path, scratch: Path) -> Path:
    if path.is_dir():
        return path
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise InvalidModel(
                f"This is the {graphs.FILE} of a SavedModel alone; its weights lie beside it.",
                hint="Bring the whole folder as a zip, 'variables' included.",
            )
    with archive.opened(path) as source:
        source.extract(scratch)
    return scratch


def _newest(home: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder with the graph; of numbered versions the highest, as a server takes it."""
    if (home / graphs.FILE).is_file():
        return home, ()
    folders = [path.parent for path in home.glob(f"[0-9]*/{graphs.FILE}")]
    found = {int(folder.name): folder for folder in folders if folder.name.isdecimal()}
    number = max(found)
    note = f"Version {number} was taken, the highest of {len(found)}."
    return found[number], (note,) if len(found) > 1 else ()


def _keep(home: Path, target: Path) -> None:
    """The parts that loading takes, each a plain file. Raises UnsafeModel for a link."""
    for part in _PARTS:
        for path in _files_below(home / part):
            info = os.lstat(path)
            inside = path.resolve().is_relative_to(home.resolve())
            name = PurePosixPath(path.relative_to(home))
            if not stat.S_ISREG(info.st_mode) or not inside:
                raise UnsafeModel(
                    f"This SavedModel was refused: {one_line(str(name))!r} is a link or special "
                    "file.",
                    hint="Bring a folder of plain files: copy it with its links followed.",
                )
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            bring(path, target / name)


def _check_variables(graph: Any, path: Path) -> None:
    """A graph with variables needs the files they lie in."""
    wanted = sum(node.WhichOneof("kind") == "variable" for node in graph.object_graph_def.nodes)
    if wanted and not (path / "variables" / "variables.index").is_file():
        raise InvalidModel(
            f"This SavedModel has {wanted} variables, and no variables/variables.index.",
            hint="Bring saved_model.pb together with the whole folder 'variables'.",
        )


def _files_below(path: Path) -> tuple[Path, ...]:
    return files_of(path) if path.exists() or path.is_symlink() else ()
