"""GGUF: one file of a language model with its tokenizer, in 1 to 32 bits, run by llama.cpp."""

from __future__ import annotations

from engine.formats.gguf import conversion, quantize
from engine.formats.gguf.about import (
    describe,
    graph_bytes,
    read_signature,
    read_variant,
    tensor_bytes,
)
from engine.formats.gguf.contents import inspect
from engine.formats.gguf.llama import LLAMA
from engine.formats.gguf.quantizations import GgufOptions
from engine.formats.gguf.runner import load, open_runner
from engine.registry import Format

__all__ = ["FORMAT", "conversion", "quantize"]

FORMAT = Format(
    name="gguf",
    label="GGUF",
    suffix=".gguf",
    requires=(LLAMA,),
    load=load,
    open_runner=open_runner,
    read_signature=read_signature,
    describe=describe,
    import_module="llama_cpp",
    runtime="llama.cpp",
    options=GgufOptions,
    read_variant=read_variant,
    inspect=inspect,
    graph_bytes=graph_bytes,
    tensor_bytes=tensor_bytes,
    writes_text=True,
)
