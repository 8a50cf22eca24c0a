"""What a GGUF file says of itself, read without trusting it: every count and length is bounded.

The layout is that of the published GGUF specification, versions 2 and 3, little endian.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from engine.errors import InvalidModel, UnsupportedModel
from engine.formats.gguf.blocks import BLOCKS, Block

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_KEYS, _MOST_TENSORS = 65_536, 100_000
_LONGEST_KEY, _LONGEST_NAME, _LONGEST_TEXT = 65_535, 64, 16 << 20
_MOST_DIMENSIONS = 4
_HEAD = 8
"""Of an array, this many elements are kept: vocabularies have hundreds of thousands."""
_MOST_LAYERS = 512
"""llama.cpp aborts the process above, and at 0."""
_ALIGNMENT = 32
_TOKENS = "tokenizer.ggml.tokens"

_NUMBERS: Mapping[int, str] = {
    **dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?"))),
    **dict(enumerate(("<Q", "<q", "<d"), start=10)),
}
_TEXT, _ARRAY = 8, 9

Plain = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Array:
    """A list in the metadata: its length, its first few elements, and its bytes' place."""

    count: int
    head: tuple[Plain, ...]
    start: int
    end: int


Value = Plain | Array


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight. ``shape`` has the rows first, as numpy and PyTorch write it."""

    name: str
    shape: tuple[int, ...]
    block: Block
    offset: int

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes it takes in the file."""
        return self.weights // self.block.weights * self.block.nbytes


@dataclass(frozen=True, slots=True)
class Header:
    """Everything before the weights."""

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    end: int
    """Where it ends and the weights begin, in bytes."""

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture; empty where the file names none."""
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """A text of the metadata; empty where there is none."""
        found = self.metadata.get(key)
        return found if isinstance(found, str) else ""

    def number(self, key: str) -> int | None:
        """A whole number of the metadata; of one for each layer, the first."""
        found = self.metadata.get(key)
        if isinstance(found, Array):
            found = next(iter(found.head), None)
        return int(found) if isinstance(found, int) and not isinstance(found, bool) else None

    def own(self, key: str) -> int | None:
        """A whole number kept under the architecture's name: ``context_length``, say."""
        return self.number(f"{self.architecture}.{key}")

    @property
    def vocabulary(self) -> int | None:
        """How many tokens the model knows."""
        tokens = self.metadata.get(_TOKENS)
        return tokens.count if isinstance(tokens, Array) else self.own("vocab_size")

    @property
    def mix(self) -> Mapping[str, tuple[int, int]]:
        """For each tensor type, how many tensors and how many weights, most weights first."""
        counts, weights = Counter[str](), Counter[str]()
        for tensor in self.tensors:
            counts[tensor.block.name] += 1
            weights[tensor.block.name] += tensor.weights
        return {name: (counts[name], total) for name, total in weights.most_common()}

    def stores_only(self, name: str) -> bool:
        """Whether every tensor is of that type."""
        return set(self.mix) == {name}


def read(path: Path) -> Header:
    """The header of the file. Raises InvalidModel, UnsupportedModel."""
    size = path.stat().st_size
    if size < 24:
        _damaged(f"a header takes 24 bytes and this file has {size}")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(data).header()


def check(path: Path) -> Header:
    """The header of a file that llama.cpp may be given. Raises InvalidModel, UnsupportedModel."""
    header = read(path)
    refuse_unfit(header)
    return header


def refuse_unfit(header: Header) -> None:
    """Raise InvalidModel or UnsupportedModel where llama.cpp must not be given such a file."""
    if not header.architecture:
        _damaged("it names no architecture")
    parts = header.number("split.count") or 1
    if parts > 1:
        raise UnsupportedModel(
            f"This is one of {parts} parts of a model.",
            hint="Merge them first: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf.",
        )
    layers = header.own("block_count")
    if layers is not None and not 1 <= layers <= _MOST_LAYERS:
        raise InvalidModel(
            f"This file claims {layers:,} layers; llama.cpp takes 1 to {_MOST_LAYERS}.",
            hint="Convert the model again.",
        )


def check_tokens(path: Path, header: Header) -> None:
    """Raise InvalidModel where two tokens have the same text: llama.cpp would abort the process.

    Apart from ``check``, because it looks at every token, and that would show in loading times.
    """
    tokens = header.metadata.get(_TOKENS)
    if not isinstance(tokens, Array) or not isinstance(next(iter(tokens.head), None), str):
        return
    with path.open("rb") as file:
        file.seek(tokens.start)
        data = file.read(tokens.end - tokens.start)
    unpack, at, seen = struct.Struct("<Q").unpack_from, 0, set[bytes]()
    for _ in range(tokens.count):
        end = at + 8 + unpack(data, at)[0]
        text = data[at + 8 : end]
        if text in seen:
            _damaged(f"the token {text.decode('utf-8', 'replace')[:60]!r} is there twice")
        seen.add(text)
        at = end


class _Reader:
    """A place in the bytes. Nothing is read or counted past their end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._size = len(data)
        self._at = 0

    def header(self) -> Header:
        version = self._opening()
        tensors, keys = self._number("<Q"), self._number("<Q")
        self._bound("tensors", tensors, _MOST_TENSORS)
        self._bound("metadata entries", keys, _MOST_KEYS)
        metadata = self._metadata(keys)
        found = tuple(self._tensor() for _ in range(tensors))
        end = self._check_tensors(found, metadata)
        return Header(version, metadata, found, end)

    def _opening(self) -> int:
        if self._data[:4] != MAGIC:
            _damaged("it does not begin with the letters GGUF")
        self._at = 4
        version = self._number("<I")
        if version not in _VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            kind = "is for big-endian machines" if swapped in _VERSIONS else f"is {version}"
            raise UnsupportedModel(
                f"The version of this GGUF file {kind}; Assay reads versions 2 and 3, "
                "little endian.",
                hint="Convert the model again with a current llama.cpp.",
            )
        return version

    def _metadata(self, keys: int) -> dict[str, Value]:
        metadata: dict[str, Value] = {}
        for _ in range(keys):
            key = self._text(_LONGEST_KEY)
            if key in metadata:
                _damaged(f"the metadata key {key[:60]!r} is there twice")
            metadata[key] = self._value(self._number("<I"))
        return metadata

    def _value(self, kind: int) -> Value:
        if kind == _ARRAY:
            return self._array(self._number("<I"), self._number("<Q"))
        return self._plain(kind)

    def _plain(self, kind: int) -> Plain:
        if kind == _TEXT:
            return self._text(_LONGEST_TEXT)
        if kind not in _NUMBERS:
            _damaged(f"a metadata value has the unknown type {kind}")
        (found,) = struct.unpack(_NUMBERS[kind], self._take(struct.calcsize(_NUMBERS[kind])))
        plain: Plain = found
        return plain

    def _array(self, kind: int, count: int) -> Array:
        if kind not in _NUMBERS and kind != _TEXT:
            _damaged(f"a metadata list has elements of the type {kind}")
        width = 8 if kind == _TEXT else struct.calcsize(_NUMBERS[kind])
        left = self._size - self._at
        if count * width > left:
            _damaged(f"a metadata list claims {count:,} elements and {left:,} bytes are left")
        start = self._at
        head = tuple(self._plain(kind) for _ in range(min(count, _HEAD)))
        rest = count - len(head)
        if kind == _TEXT:
            self._skip_texts(rest)
        else:
            self._at += rest * width  # there are so many bytes: that was checked above
        return Array(count, head, start, self._at)

    def _skip_texts(self, count: int) -> None:
        """Step over texts, as quickly as Python can: a vocabulary is read at every load."""
        unpack, at = struct.Struct("<Q").unpack_from, self._at
        for _ in range(count):
            if at + 8 > self._size:
                self._cut_short()
            at += 8 + unpack(self._data, at)[0]
        if at > self._size:
            self._cut_short()
        self._at = at

    def _tensor(self) -> Tensor:
        name = self._text(_LONGEST_NAME)
        dimensions = self._number("<I")
        self._bound(f"dimensions of the tensor {name!r}", dimensions, _MOST_DIMENSIONS)
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in BLOCKS:
            raise UnsupportedModel(
                f"The tensor {name!r} is of the type {kind}, which this llama.cpp does not have.",
                hint="It was written by another version, or is damaged: convert it again.",
            )
        block = BLOCKS[kind]
        if not all(shape) or math.prod(shape) >= 1 << 60:
            _damaged(f"the tensor {name!r} has the shape {list(reversed(shape))}")
        if (shape[0] if shape else 1) % block.weights:
            _damaged(
                f"the rows of the tensor {name!r} have {shape[0] if shape else 1} weights, and "
                f"{block.name} stores {block.weights} at a time"
            )
        return Tensor(name, tuple(reversed(shape)), block, offset)

    def _check_tensors(self, tensors: Iterable[Tensor], metadata: Mapping[str, Value]) -> int:
        """Where their weights begin. Raises InvalidModel."""
        alignment = metadata.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
            _damaged(f"its alignment is {alignment!r}")
        start = -(-self._at // alignment) * alignment
        names: set[str] = set()
        for tensor in tensors:
            if tensor.name in names:
                _damaged(f"the tensor {tensor.name!r} is there twice")
            names.add(tensor.name)
            end = start + tensor.offset + tensor.nbytes
            if tensor.offset % alignment or end > self._size:
                _damaged(
                    f"the tensor {tensor.name!r} would end at byte {end:,}, and the file has "
                    f"{self._size:,}"
                )
        return start

    def _text(self, most: int) -> str:
        return self._take(self._length(most)).decode("utf-8", "replace")

    def _length(self, most: int) -> int:
        length = self._number("<Q")
        if length > most:
            _damaged(f"a text claims {length:,} bytes, and at most {most:,} are read")
        return length

    def _number(self, code: str) -> int:
        (found,) = struct.unpack(code, self._take(struct.calcsize(code)))
        return int(found)

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > self._size:
            self._cut_short()
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _cut_short(self) -> NoReturn:
        _damaged(f"it ends in the middle of its header, after {self._size:,} bytes")

    @staticmethod
    def _bound(what: str, count: int, most: int) -> None:
        if count > most:
            _damaged(f"it claims {count:,} {what}, and at most {most:,} are read")


def _damaged(why: str) -> NoReturn:
    raise InvalidModel(
        f"This GGUF file is damaged: {why}.",
        hint="It was cut short or changed: fetch it again, or convert the model again.",
    )
