"""Pictures: a zip of PNG and JPEG, with the classes as folders or in a CSV of file and label."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine.data import recipe
from engine.data.arrays import CSV_LIMIT, LABEL_FILES, read_labels
from engine.data.source import Sample, Source
from engine.errors import BadRequest
from engine.sources import archive
from engine.types import Scalar, Signature

ENDINGS = (".png", ".jpg", ".jpeg")
MOST_PIXELS = 64_000_000
"""Of one picture: more is refused before it is unpacked."""
_LARGEST = 128 << 20


def from_zip(
    path: Path, name: str, signature: Signature, asked: Mapping[str, Scalar], held: ExitStack
) -> Source:
    """Every picture in a zip, in the order of their names, as the recipe makes them."""
    steps = recipe.steps_for(asked, signature)
    opened = held.enter_context(archive.opened(path))
    names = sorted(one for one in opened.names if one.lower().endswith(ENDINGS))
    named = _labels(opened, names)
    classes = _classes(named)
    index = {label: at for at, label in enumerate(classes)}
    labels = {one: index.get(label, -1) if classes else int(label) for one, label in named.items()}

    def samples() -> Iterator[Sample]:
        for one in names:
            array = recipe.apply(_picture(opened, one), steps)
            yield Sample({signature.inputs[0].name: array}, one, labels.get(one))

    notes = (steps.sentence, *((_said_of(classes),) if classes else ()))
    return Source("images", name, samples(), len(names), classes, notes)


def _labels(opened: archive.Archive, names: list[str]) -> dict[str, str]:
    """The label of every picture, as it is written; nothing where there are none."""
    inside = {one.removeprefix(opened.root): one for one in names}
    listed = next((one for one in opened.names if one.rsplit("/", 1)[-1] in LABEL_FILES), None)
    if listed is None:
        folders = {one: short.rpartition("/")[0] for short, one in inside.items()}
        return folders if len(set(folders.values())) > 1 and all(folders.values()) else {}
    pairs = dict(read_labels(opened.read(listed, CSV_LIMIT)))
    bare = {short.rsplit("/", 1)[-1]: one for short, one in inside.items()}
    found = {inside.get(short) or bare.get(short): label for short, label in pairs.items()}
    if unknown := [short for short in pairs if short not in inside and short not in bare]:
        raise BadRequest(
            f"{listed} names {unknown[0]!r}, which is not in the zip.",
            hint="Each line is the name of a picture and its label.",
        )
    if missing := [one for one in names if one not in found]:
        raise BadRequest(
            f"{listed} has no label for {missing[0]!r} and {len(missing) - 1:,} others.",
            hint="Give every picture a label, or leave the list out.",
        )
    return {one: label for one, label in found.items() if one is not None}


def _classes(named: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the classes in alphabetical order; none where labels are numbers already."""
    labels = set(named.values())
    return () if all(label.isdecimal() for label in labels) else tuple(sorted(labels))


def _said_of(classes: tuple[str, ...]) -> str:
    shown = ", ".join(f"{label} = {at}" for at, label in enumerate(classes[:4]))
    more = ", …" if len(classes) > 4 else ""
    return (
        f"{len(classes)} classes in alphabetical order ({shown}{more}). If the model counts them "
        "otherwise, call the folders by their numbers."
    )


def _picture(opened: archive.Archive, name: str) -> Any:
    """One picture, decoded. Raises BadRequest naming it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with opened.open(name) as member:
            picture = Image.open(_whole(member.read(_LARGEST + 1), name), formats=("PNG", "JPEG"))
            _check(picture, name)
            picture.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise BadRequest(
            f"{name} is no PNG or JPEG that can be read.",
            hint="Take it out of the zip, or save it again.",
        ) from error
    return picture


def _whole(data: bytes, name: str) -> Any:
    if len(data) > _LARGEST:
        raise BadRequest(f"{name} has more than {_LARGEST:,} bytes.", hint="Save it smaller.")
    return io.BytesIO(data)


def _check(picture: Any, name: str) -> None:
    """Refuse by the header alone what would take too much, or would lose what it holds."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise BadRequest(
            f"{name} would unpack to {width:,} × {height:,} pixels; at most {MOST_PIXELS:,} are "
            "decoded.",
            hint="Save it smaller: the model sees a small part of that.",
        )
    if picture.mode.startswith(("I", "F")):
        raise BadRequest(
            f"{name} has 16 bits a channel.", hint="Save it with 8, or bring arrays instead."
        )
