"""GGUF files byte by byte: whole ones that run, and ones that lie."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

U32, F32, BOOL, TEXT, ARRAY, U64, I32 = 4, 6, 7, 8, 9, 10, 5
_CODES = {U32: "<I", F32: "<f", BOOL: "<?", U64: "<Q", I32: "<i"}
WORDS, WIDTH = 320, 32


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(kind: int, content: Any) -> bytes:
    """A metadata value with its type. An array is ``(kind of elements, list)``."""
    if kind == ARRAY:
        inner, items = content
        listed = b"".join(value(inner, item)[4:] for item in items)
        return struct.pack("<IIQ", ARRAY, inner, len(items)) + listed
    body = text(content) if kind == TEXT else struct.pack(_CODES[kind], content)
    return struct.pack("<I", kind) + body


def header(
    metadata: Mapping[str, tuple[int, Any]],
    tensors: Sequence[tuple[str, Sequence[int], int, int]] = (),
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """Everything before the weights; ``tensors`` are (name, ggml's shape, type, offset)."""
    told = counts or (len(tensors), len(metadata))
    data = b"GGUF" + struct.pack("<IQQ", version, *told)
    for key, (kind, content) in metadata.items():
        data += text(key) + value(kind, content)
    for name, shape, kind, offset in tensors:
        data += text(name) + struct.pack("<I", len(shape))
        data += b"".join(struct.pack("<Q", size) for size in shape)
        data += struct.pack("<IQ", kind, offset)
    return data


def llama_metadata(width: int = WIDTH) -> dict[str, tuple[int, Any]]:
    """What a tiny Llama says of itself."""
    octets = [f"<0x{octet:02X}>" for octet in range(256)]
    pieces = ["<unk>", "<s>", "</s>", *octets, *(f"▁w{index}" for index in range(WORDS - 259))]
    return {
        "general.architecture": (TEXT, "llama"),
        "general.file_type": (U32, 0),
        "llama.context_length": (U32, 64),
        "llama.embedding_length": (U32, width),
        "llama.block_count": (U32, 1),
        "llama.feed_forward_length": (U32, 2 * width),
        "llama.attention.head_count": (U32, 2),
        "llama.attention.head_count_kv": (U32, 2),
        "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
        "llama.rope.dimension_count": (U32, width // 2),
        "tokenizer.ggml.model": (TEXT, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (TEXT, pieces)),
        "tokenizer.ggml.scores": (ARRAY, (F32, [-float(index) for index in range(WORDS)])),
        "tokenizer.ggml.token_type": (ARRAY, (I32, [2, 3, 3, *[6] * 256, *[1] * (WORDS - 259)])),
        "tokenizer.ggml.bos_token_id": (U32, 1),
        "tokenizer.ggml.eos_token_id": (U32, 2),
    }


def llama_shapes(width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    """The weights of its one layer, rows first."""
    square, up = (width, width), (2 * width, width)
    layer = {f"attn_{name}": square for name in ("q", "k", "v", "output")}
    layer |= {"ffn_gate": up, "ffn_up": up, "ffn_down": up[::-1]}
    norms = dict.fromkeys(("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"), (width,))
    whole = {"token_embd": (WORDS, width), "output": (WORDS, width)}
    named = {**whole, **norms, **{f"blk.0.{name}": shape for name, shape in layer.items()}}
    return {f"{name}.weight": shape for name, shape in named.items()}


def expert_shapes(width: int = WIDTH, experts: int = 4) -> dict[str, tuple[int, ...]]:
    """The same with experts in the feed-forward part."""
    dense = {k: v for k, v in llama_shapes(width).items() if "ffn_" not in k or "norm" in k}
    up = (experts, 2 * width, width)
    layer = {"ffn_gate_inp": (experts, width), "ffn_gate_exps": up, "ffn_up_exps": up}
    layer |= {"ffn_down_exps": (experts, width, 2 * width)}
    return dense | {f"blk.0.{name}.weight": shape for name, shape in layer.items()}


def write_experts(path: Path) -> Path:
    """A Llama of four experts, of which each token is sent to two."""
    count = {"llama.expert_count": (U32, 4), "llama.expert_used_count": (U32, 2)}
    return _write(path, llama_metadata() | count, expert_shapes())


def write_llama(path: Path, width: int = WIDTH, **changed: tuple[int, Any]) -> Path:
    """A Llama of one layer in F32 that llama.cpp runs; ``changed`` replaces metadata."""
    return _write(path, llama_metadata(width) | changed, llama_shapes(width))


def _write(
    path: Path, metadata: Mapping[str, tuple[int, Any]], shapes: Mapping[str, tuple[int, ...]]
) -> Path:
    stream = np.random.default_rng(0)
    infos, data, offset = [], b"", 0
    for name, shape in shapes.items():
        weights = stream.standard_normal(shape).astype(np.float32) / 4
        infos.append((name, shape[::-1], 0, offset))
        data += weights.tobytes()
        offset += weights.nbytes
    head = header(metadata, infos)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path
