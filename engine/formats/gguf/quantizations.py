"""How many bits a GGUF file's weights may have: everything that llama.cpp writes.

Bits per weight are what llama.cpp's own dry run predicts for a model of LLaMA-7B's shape; small
models differ, because their embeddings weigh more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.options import choice

_BLOCKS = {"F32": 1, "F16": 1, "BF16": 1, "IQ4_NL": 32, "Q1_0": 128, "Q2_0": 64}


@dataclass(frozen=True, slots=True)
class Quantization:
    """One of llama.cpp's file types. ``number`` is its ``llama_ftype``; ``bits`` are per weight.

    ``needs_matrix``: it throws away so much that it needs to know which weights matter.
    """

    name: str
    number: int
    bits: float
    group: str
    note: str = ""
    needs_matrix: bool = False

    @property
    def block(self) -> int:
        """How many weights of a row it stores together, in most tensors."""
        return _BLOCKS.get(self.name, 256 if re.match("Q.*_K|IQ|TQ", self.name) else 32)

    @property
    def words(self) -> str:
        """Its line in a list to choose from, the name first: lines are cut on a phone."""
        matrix = "needs an importance matrix, which Assay does not make yet"
        about = (self.group, self.note, matrix if self.needs_matrix else "")
        return f"{self.name}: {self.bits:g} bits per weight, {'; '.join(filter(None, about))}"


def _all() -> tuple[Quantization, ...]:
    whole, plain, k, i = "not quantized", "a scale for 32 weights", "K-quant", "I-quant"
    few = "for models trained so"
    return (
        Quantization("F32", 0, 32, whole, "every bit kept"),
        Quantization("F16", 1, 16, whole),
        Quantization("BF16", 32, 16, whole, "the range of F32"),
        Quantization("Q8_0", 7, 8.5, plain),
        Quantization("Q5_1", 9, 6.01, plain),
        Quantization("Q5_0", 8, 5.52, plain),
        Quantization("Q4_1", 3, 5.03, plain),
        Quantization("Q4_0", 2, 4.54, plain),
        Quantization("Q6_K", 18, 6.56, k),
        Quantization("Q5_K_M", 17, 5.68, k),
        Quantization("Q5_K_S", 16, 5.52, k),
        Quantization("Q4_K_M", 15, 4.84, k, "the usual choice"),
        Quantization("Q4_K_S", 14, 4.58, k),
        Quantization("Q3_K_L", 13, 4.27, k),
        Quantization("Q3_K_M", 12, 3.91, k),
        Quantization("Q3_K_S", 11, 3.5, k),
        Quantization("Q2_K", 10, 3.01, k),
        Quantization("Q2_K_S", 21, 2.75, k, needs_matrix=True),
        Quantization("IQ4_NL", 25, 4.57, i),
        Quantization("IQ4_XS", 30, 4.33, i),
        Quantization("IQ3_M", 27, 3.7, i),
        Quantization("IQ3_S", 26, 3.5, i),
        Quantization("IQ3_XS", 22, 3.32, i, needs_matrix=True),
        Quantization("IQ3_XXS", 23, 3.21, i, needs_matrix=True),
        Quantization("IQ2_M", 29, 2.8, i, needs_matrix=True),
        Quantization("IQ2_S", 28, 2.61, i, needs_matrix=True),
        Quantization("IQ2_XS", 20, 2.42, i, needs_matrix=True),
        Quantization("IQ2_XXS", 19, 2.2, i, needs_matrix=True),
        Quantization("IQ1_M", 31, 1.96, i, needs_matrix=True),
        Quantization("IQ1_S", 24, 1.81, i, needs_matrix=True),
        Quantization("MXFP4_MOE", 38, 8.5, few, "4 bits for experts only, the rest as Q8_0"),
        Quantization("TQ2_0", 37, 2.2, few, "three values a weight"),
        Quantization("TQ1_0", 36, 1.84, few, "three values a weight"),
        Quantization("Q2_0", 41, 2.38, few),
        Quantization("Q1_0", 40, 1.23, few, "one bit a weight"),
    )


QUANTIZATIONS: Mapping[str, Quantization] = {item.name: item for item in _all()}
BY_NUMBER: Mapping[int, Quantization] = {item.number: item for item in QUANTIZATIONS.values()}


@dataclass(frozen=True, slots=True)
class GgufOptions:
    """How the weights are stored. ``F32`` changes nothing; every other type is a choice."""

    type: str = choice(
        "F32",
        "Type of the weights",
        "Fewer bits make a smaller and often faster model whose answers differ more. "
        "Bits per weight are for LLaMA-7B's shape.",
        values={name: item.words for name, item in QUANTIZATIONS.items()},
        many=True,
    )
