"""Arrays: .npy for a model of one input, .npz or a zip of .npy with an array for each by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine.data.rows import RowReader
from engine.data.source import Sample, Source
from engine.errors import BadRequest
from engine.sources import archive
from engine.types import Signature

LABELS = "labels"
LABEL_FILES = ("labels.csv", "labels.txt")
CSV_LIMIT = 64 << 20


def from_npy(path: Path, name: str, signature: Signature, held: ExitStack) -> Source:
    """A single array, one row a sample."""
    if len(signature.inputs) != 1:
        names = ", ".join(repr(spec.name) for spec in signature.inputs)
        raise BadRequest(
            f"The model takes {len(signature.inputs)} inputs ({names}); an .npy file holds one.",
            hint="Save them together: numpy.savez('samples.npz', name=array, …).",
        )
    rows = RowReader(held.enter_context(path.open("rb")), name)
    return _source(name, {signature.inputs[0].name: rows}, None)


def from_zip(path: Path, name: str, signature: Signature, held: ExitStack) -> Source:
    """An .npz, or a zip of .npy files: an array for every input by its name."""
    opened = held.enter_context(archive.opened(path))
    members = {_stem(member): member for member in opened.names if member.endswith(".npy")}
    names = [spec.name for spec in signature.inputs]
    if len(names) == 1 and len(set(members) - {LABELS}) == 1:
        # With one input there is nothing to mix up, whatever the array is called.
        members = {names[0] if key != LABELS else key: member for key, member in members.items()}
    if missing := [one for one in names if one not in members]:
        raise BadRequest(
            f"There is no array for {', '.join(map(repr, missing))}; it holds "
            f"{', '.join(map(repr, sorted(members))) or 'none'}.",
            hint="Name the arrays as the model's inputs: "
            f"numpy.savez('samples.npz', {', '.join(f'{one}=…' for one in names)}).",
        )
    rows = {
        one: RowReader(held.enter_context(opened.open(members[one])), members[one])
        for one in (*names, *([LABELS] if LABELS in members else []))
    }
    labels = _labels(rows.pop(LABELS)) if LABELS in rows else _listed(opened, name)
    return _source(name, rows, labels)


def _source(name: str, rows: Mapping[str, RowReader], labels: Mapping[int, int] | None) -> Source:
    counts = {reader.name: reader.count for reader in rows.values()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{one} has {count:,}" for one, count in counts.items())
        raise BadRequest(
            f"The arrays do not hold the same number of samples: {found}.",
            hint="The first axis of each must count the same samples.",
        )
    count = next(iter(counts.values()))
    if labels is not None and set(labels) != set(range(count)):
        raise BadRequest(
            f"There are {len(labels):,} labels for {count:,} samples.",
            hint="Give a label for every sample, or none.",
        )
    return Source("arrays", name, _samples(rows, labels), count)


def _samples(rows: Mapping[str, RowReader], labels: Mapping[int, int] | None) -> Iterator[Sample]:
    for index, arrays in enumerate(zip(*rows.values(), strict=True)):
        label = None if labels is None else labels[index]
        yield Sample(dict(zip(rows, arrays, strict=True)), f"sample {index}", label)


def _labels(rows: RowReader) -> dict[int, int]:
    """Labels that lie beside the samples, one whole number each."""
    if rows.shape not in ((), (1,)) or not np.issubdtype(rows.dtype, np.integer):
        raise BadRequest(
            f"The labels are {rows.dtype} of the shape {[rows.count, *rows.shape]}.",
            hint="Labels are one whole number a sample: the index of its class.",
        )
    return {index: int(label.reshape(-1)[0]) for index, label in enumerate(rows)}


def _listed(opened: archive.Archive, name: str) -> dict[int, int] | None:
    """Labels by index from a CSV in the zip."""
    listed = next((one for one in opened.names if one.rsplit("/", 1)[-1] in LABEL_FILES), None)
    if listed is None:
        return None
    found: dict[int, int] = {}
    for where, label in read_labels(opened.read(listed, CSV_LIMIT)):
        if not (where.isdecimal() and label.lstrip("-").isdecimal()):
            raise BadRequest(
                f"{listed} in {name} has the line {where!r}, {label!r}.",
                hint="Each line is the index of a sample and the index of its class: 17,3.",
            )
        found[int(where)] = int(label)
    return found


def read_labels(data: bytes) -> list[tuple[str, str]]:
    """The lines of a CSV of two columns, its heading left out."""
    try:
        lines = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(
            "The list of labels is not CSV.", hint="Save it as UTF-8 with two columns."
        ) from error
    if any(len(row) != 2 for row in lines):
        raise BadRequest(
            "The list of labels does not have two columns throughout.",
            hint="Each line is a file (or the index of a sample) and its label.",
        )
    pairs = [(row[0].strip(), row[1].strip()) for row in lines]
    heads = pairs and pairs[0][0].lower() in ("index", "file", "filename", "name", "image")
    return pairs[1:] if heads else pairs


def _stem(member: str) -> str:
    return member.rsplit("/", 1)[-1].removesuffix(".npy")
