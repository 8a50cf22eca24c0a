"""LLaMA-7B in shape, size and speed, with random weights: what its table promises can be measured.

Written tensor by tensor, so that making it takes little memory. The weights are drawn, block by
block, from a pool of blocks that llama.cpp's own package quantized: each block is a real one.
"""

from __future__ import annotations

import importlib
import math
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import MissingDependency, Reason, StorageFull, TaskFailed
from engine.files import disk_errors
from engine.samples import tokenizer
from engine.samples.model import SEED, Progress, Sample, SampleModel
from engine.settings import settings

_BLOCK = 32
_POOL = 1 << 15
"""Blocks to draw from: a million weights for each width of matrix."""
_NORM_BYTES = 4
_CONSONANTS, _VOWELS = "bdfghjklmnprstvwz", "aeiou"


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama. The defaults are LLaMA-7B's."""

    layers: int = 32
    width: int = 4096
    inner: int = 11008
    heads: int = 32
    vocabulary: int = 32000
    context: int = 2048

    @property
    def matrices(self) -> Iterator[tuple[str, int, int]]:
        """Every tensor in the file's order: its name, rows and columns; a norm has no rows."""
        yield "token_embd", self.vocabulary, self.width
        for layer in range(self.layers):
            yield f"blk.{layer}.attn_norm", 0, self.width
            for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
                yield f"blk.{layer}.{part}", self.width, self.width
            yield f"blk.{layer}.ffn_norm", 0, self.width
            yield f"blk.{layer}.ffn_gate", self.inner, self.width
            yield f"blk.{layer}.ffn_up", self.inner, self.width
            yield f"blk.{layer}.ffn_down", self.width, self.inner
        yield "output_norm", 0, self.width
        yield "output", self.vocabulary, self.width

    @property
    def cache_bytes(self) -> int:
        """Keys and values of a full context, in 16 bits."""
        return 2 * 2 * self.layers * self.width * self.context


@dataclass(frozen=True, slots=True)
class Stored:
    """How the matrices are stored: bytes of a block of 32 weights, llama.cpp's file type."""

    name: str
    nbytes: int
    file_type: int


SHAPE = Shape()
TYPES = {kind.name: kind for kind in (Stored("Q4_0", 18, 2), Stored("Q8_0", 34, 7))}
TYPES["F16"] = Stored("F16", 64, 1)


def size_of(shape: Shape, kind: Stored) -> int:
    """Bytes of the weights."""
    return sum(
        rows * columns // _BLOCK * kind.nbytes if rows else columns * _NORM_BYTES
        for _, rows, columns in shape.matrices
    )


def _sample(kind: Stored) -> Sample:
    size = f"{size_of(SHAPE, kind) / 1e9:.1f} GB"
    return Sample(
        f"llama7b-{kind.name.lower()}",
        f"LLaMA-7B shape, {kind.name}",
        f"A GGUF file of {size} as large and as fast as LLaMA-7B, the model of the founding "
        "document's table. Random weights: its answers mean nothing.",
        {
            "Weights": "random, from a fixed seed",
            "Shape": f"{SHAPE.layers} layers, width {SHAPE.width:,}, {SHAPE.inner:,} inside, "
            f"{SHAPE.heads} heads, {SHAPE.vocabulary:,} tokens",
        },
        "gguf",
    )


SAMPLES = tuple(_sample(kind) for kind in TYPES.values())


def write(sample: Sample, out: Path, progress: Progress) -> SampleModel:
    """Write the file, if disk and memory have room for it."""
    make(SHAPE, TYPES[sample.name.rpartition("-")[2].upper()], out, progress)
    note = f"Every block of weights was drawn with numpy's generator seeded with {SEED}."
    return SampleModel(sample.facts, (note,))


def make(shape: Shape, kind: Stored, out: Path, progress: Progress) -> None:
    """Write the GGUF file. Raises StorageFull or TaskFailed where it has no room."""
    refuse_without_room(out.parent, shape, kind)
    gguf = _library()
    writer = gguf.GGUFWriter(out, "llama")
    _describe(writer, shape, kind)
    raw = gguf.GGMLQuantizationType[kind.name]
    for name, rows, columns in shape.matrices:
        _announce(writer, f"{name}.weight", rows, columns, kind, raw)
    chance = np.random.default_rng(SEED)
    pools = {columns: _pool(gguf, raw, columns, chance) for columns in (shape.width, shape.inner)}
    whole, done = size_of(shape, kind), 0
    with disk_errors(), _short_writes():
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, rows, columns in shape.matrices:
            progress(f"Writing {name} ({done / 1e9:.1f} of {whole / 1e9:.1f} GB)", done / whole)
            if rows:
                picked = chance.integers(0, _POOL, rows * columns // _BLOCK, np.uint16)
                data = pools[columns][picked]
            else:
                data = np.ones(columns, np.float32)
            writer.write_tensor_data(data)
            done += data.nbytes
        writer.close()


def refuse_without_room(folder: Path, shape: Shape, kind: Stored) -> None:
    """Raise where the file does not fit on the disk, or the running model not into memory."""
    size = size_of(shape, kind)
    free = max(0, shutil.disk_usage(folder).free - settings().free_floor_bytes)
    if size > free:
        raise StorageFull(
            f"This file takes {size / 1e9:.1f} GB; the disk has {free / 1e9:.1f} GB for it.",
            hint="Free some space, or take a smaller type.",
        )
    needed, there = size + shape.cache_bytes, available_memory()
    if needed > there:
        raise TaskFailed(
            f"Running it takes {needed / 1e9:.1f} GB of memory ({size / 1e9:.1f} for the weights, "
            f"{shape.cache_bytes / 1e9:.1f} for {shape.context:,} tokens of context); "
            f"{there / 1e9:.1f} GB are available.",
            how=Reason.OUT_OF_MEMORY,
            hint="Close other programs, or take a smaller type.",
        )


def available_memory() -> int:
    """Bytes that new work can have, by the kernel's own estimate and this container's limit."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    known = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(known["MemAvailable"], int(text) if text.isdigit() else known["MemTotal"])


def _library() -> Any:
    """llama.cpp's own ``gguf`` package, of exactly the pinned version."""
    home = Path(sys.prefix) / "share" / "llama.cpp" / "gguf-py"
    if not home.is_dir():
        raise MissingDependency(
            "llama.cpp's gguf package is not in this environment.",
            hint="`make env` puts it there (scripts/llama_converter).",
        )
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    return importlib.import_module("gguf")


def _describe(writer: Any, shape: Shape, kind: Stored) -> None:
    """The metadata of LLaMA, and a vocabulary."""
    writer.add_name(f"LLaMA-7B shape, random weights ({kind.name})")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(kind.file_type)
    pieces, scores, kinds = vocabulary(shape.vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(tokenizer.BEGIN)
    writer.add_eos_token_id(tokenizer.END)
    writer.add_add_bos_token(True)


def vocabulary(size: int) -> tuple[list[str], list[float], list[int]]:
    """(pieces, scores, kinds): the sample tokenizer's, and made-up words for the rest."""
    known = tokenizer.pieces()[:size]
    pieces = [piece for piece, _, _ in known]
    used = set(pieces)
    words = (word for word in map(_word, count()) if word not in used)
    pieces += [next(words) for _ in range(size - len(pieces))]
    rest = size - len(known)
    lowest = min(score for _, score, _ in known)
    scores = [score for _, score, _ in known] + [lowest - 1 - index for index in range(rest)]
    return pieces, scores, [kind for _, _, kind in known] + [tokenizer.NORMAL] * rest


def _word(number: int) -> str:
    """The made-up word of that number: three syllables."""
    word = ""
    for _ in range(3):
        number, vowel = divmod(number, len(_VOWELS))
        number, consonant = divmod(number, len(_CONSONANTS))
        word += _CONSONANTS[consonant] + _VOWELS[vowel]
    return f"▁{word}"


def _announce(writer: Any, name: str, rows: int, columns: int, kind: Stored, raw: Any) -> None:
    """One line of the file's table of tensors."""
    if not rows:
        writer.add_tensor_info(name, (columns,), np.dtype(np.float32), columns * _NORM_BYTES)
        return
    row = columns // _BLOCK * kind.nbytes
    if kind.name == "F16":
        writer.add_tensor_info(name, (rows, columns), np.dtype(np.float16), rows * row)
    else:
        writer.add_tensor_info(name, (rows, row), np.dtype(np.uint8), rows * row, raw)


def _pool(gguf: Any, raw: Any, columns: int, chance: np.random.Generator) -> np.ndarray:
    """Blocks of weights as bytes, of the size at which a matrix keeps the size of what passes."""
    weights = chance.standard_normal((_POOL, _BLOCK), np.float32) / math.sqrt(columns)
    stored = gguf.quants.quantize(weights.astype(np.float32), raw)
    return np.ascontiguousarray(stored).view(np.uint8).reshape(_POOL, -1)


@contextmanager
def _short_writes() -> Iterator[None]:
    """numpy says a full disk in words of its own: ``N requested and M written``."""
    try:
        yield
    except OSError as error:
        if error.errno is None and "requested and" in str(error):
            raise StorageFull() from error
        raise
