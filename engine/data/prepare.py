"""From a source of samples to a data set on the disk: checked, counted once, split in two."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.data import thumbnails
from engine.data.channels import Channels
from engine.data.checks import Checks, sample_shape
from engine.data.model import PARTS, RECOMMENDED, Channel, Kind, Part
from engine.data.rows import RowWriter
from engine.data.source import Sample, Source
from engine.data.stored import HASHES, LABELS, PARTS_FILE, TEXTS
from engine.errors import BadRequest, StorageFull
from engine.files import disk_errors
from engine.settings import settings
from engine.sources.model import Progress
from engine.types import Signature, TensorSpec


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was written, but for its place and its name."""

    name: str
    kind: Kind
    inputs: tuple[TensorSpec, ...]
    calibration: int
    evaluation: int
    duplicates: int
    labelled: bool
    classes: tuple[str, ...]
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Kept:
    """What is known of the samples that were written."""

    hashes: list[bytes] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)
    parts: list[Part | None] = field(default_factory=list)
    blank: list[bool] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    duplicates: int = 0

    def new(self, sample: Sample, arrays: Sequence[np.ndarray]) -> bool:
        """Remember a sample; False where the same one is there already."""
        digest = sample_hash(arrays)
        if digest in self.seen:
            self.duplicates += 1
            return False
        self.seen.add(digest)
        self.hashes.append(digest)
        self.labels.append(sample.label)
        self.parts.append(sample.part)
        self.blank.append(not any(array.any() for array in arrays))
        return True


def prepare(source: Source, signature: Signature, out: Path, progress: Progress) -> Prepared:
    """Write the samples of ``source`` into the folder ``out``, made new.

    Raises BadRequest naming the samples that do not fit, StorageFull where they have no room.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if source.count < 2:
        raise _too_few(source.count)
    checks, kept = Checks(signature, classes_of(signature)), _Kept()
    channels, shown = Channels(signature), thumbnails.Sheet(signature)
    with ExitStack() as held:
        writers = [
            held.enter_context(RowWriter(out / f"{at}.npy")) for at in range(len(signature.inputs))
        ]
        for number, sample in enumerate(source.samples):
            arrays = checks.fitted(sample)
            if number == 0:
                _check_room(source.count, arrays, out)
            if number % max(1, source.count // 50) == 0:
                progress(f"Reading {sample.where}", 0.9 * number / source.count)
            if kept.new(sample, arrays):
                for writer, array in zip(writers, arrays, strict=True):
                    writer.add(array)
                channels.add(arrays)
                shown.add(arrays)
    checks.close()
    parts = split(kept.hashes, kept.parts, kept.blank)
    _write(out, kept, parts, source.texts)
    shown.write(out)
    return _prepared(source, signature, kept, parts, channels.found(), tuple(checks.notes))


def split(
    hashes: Sequence[bytes], said: Sequence[Part | None], blank: Sequence[bool]
) -> list[Part]:
    """To which part each sample belongs: as its source says, else half and half by hash.

    The order of the samples plays no part in it, so that the same data is always split alike. A
    sample of zeros alone is never calibrated on: verification has one too.
    """
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    half = set(order[: len(order) // 2])
    return [
        "evaluation" if blank[at] else said[at] or ("calibration" if at in half else "evaluation")
        for at in range(len(hashes))
    ]


def sample_hash(arrays: Iterable[np.ndarray]) -> bytes:
    """sha256 over types, shapes and bytes of a sample."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def classes_of(signature: Signature) -> int | None:
    """How many classes the model tells apart; None where it does not answer with one.

    One row of numbers a sample is taken for the scores of classes.
    """
    first = signature.outputs[0] if signature.outputs else None
    if first is None or len(first.shape) != 2 or not isinstance(first.shape[1], int):
        return None
    floating = np.issubdtype(np.dtype(first.dtype), np.floating)
    return first.shape[1] if floating and first.shape[1] > 1 else None


def _write(
    out: Path, kept: _Kept, parts: Sequence[Part], texts: Sequence[tuple[str, Part]]
) -> None:
    hashes = np.frombuffer(b"".join(kept.hashes), np.uint8).reshape(-1, 32)
    with disk_errors():
        np.save(out / HASHES, hashes)
        np.save(out / PARTS_FILE, np.array([PARTS.index(part) for part in parts], np.uint8))
        if _labelled(kept):
            np.save(out / LABELS, np.array(kept.labels, np.int64))
        if texts:
            lines = (json.dumps({"part": part, "text": text}) + "\n" for text, part in texts)
            (out / TEXTS).write_text("".join(lines), encoding="utf-8")


def _prepared(
    source: Source,
    signature: Signature,
    kept: _Kept,
    parts: Sequence[Part],
    channels: tuple[Channel, ...],
    notes: tuple[str, ...],
) -> Prepared:
    counts: Mapping[Part, int] = {part: parts.count(part) for part in PARTS}
    if len(parts) < 2 or not all(counts.values()):
        if kept.duplicates and len(parts) == 1:
            raise BadRequest(
                f"All {kept.duplicates + 1:,} samples are the same.",
                hint="A range cannot be learnt from one value: bring samples that differ.",
            )
        raise _too_few(len(parts))
    return Prepared(
        name=source.name,
        kind=source.kind,
        inputs=_fixed(signature),
        calibration=counts["calibration"],
        evaluation=counts["evaluation"],
        duplicates=kept.duplicates,
        labelled=_labelled(kept),
        classes=source.classes,
        channels=channels,
        notes=(*source.notes, *notes, *_said_of(counts, kept)),
    )


def _said_of(counts: Mapping[Part, int], kept: _Kept) -> Iterable[str]:
    """What a person must know of the numbers."""
    if kept.duplicates:
        yield (
            f"{kept.duplicates:,} samples were there before and are left out, so that none is in "
            "both parts."
        )
    if counts["calibration"] < RECOMMENDED:
        yield (
            f"{counts['calibration']} samples to calibrate on are few: ranges settle from about "
            f"{RECOMMENDED}."
        )


def _labelled(kept: _Kept) -> bool:
    return all(label is not None for label in kept.labels)


def _fixed(signature: Signature) -> tuple[TensorSpec, ...]:
    """The inputs as the samples fill them: one sample, whatever the batch."""
    return tuple(
        TensorSpec(spec.name, spec.dtype, sample_shape(spec, signature), spec.low, spec.high)
        for spec in signature.inputs
    )


def _check_room(count: int, arrays: Sequence[np.ndarray], out: Path) -> None:
    """Refuse before the first byte what the disk cannot hold."""
    needed = count * sum(array.nbytes for array in arrays)
    free = shutil.disk_usage(out).free - settings().free_floor_bytes
    if needed > free:
        raise StorageFull(
            f"These {count:,} samples need {needed / 1e9:.1f} GB as the model takes them; the disk "
            f"has room for {max(0, free) / 1e9:.1f} GB.",
            hint="Bring fewer: a few hundred calibrate as well as many thousand.",
        )


def _too_few(count: int) -> BadRequest:
    found = "There are no samples in it." if not count else f"There is {count} sample in it."
    if count > 1:
        found = f"Of these {count} samples none can be put aside to judge by."
    return BadRequest(
        found,
        hint=f"Bring at least two that differ, better {2 * RECOMMENDED}: half of them calibrate, "
        "the other half judge.",
    )
