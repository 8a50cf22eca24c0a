"""How many bits a GGUF file's weights may have: everything that llama.cpp writes.

Bits per weight are what llama.cpp's own dry run predicts for a model of LLaMA-7B's shape; small
models differ, because their embeddings weigh more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.options import Group, choice

NO_MATRIX, SHIPPED, DATA = "none", "shipped", "data"
"""Where an importance matrix comes from: nowhere, from our text, from the data of the job."""
_BLOCKS = {"F32": 1, "F16": 1, "BF16": 1, "IQ4_NL": 32, "Q1_0": 128, "Q2_0": 64}


@dataclass(frozen=True, slots=True)
class Quantization:
    """One of llama.cpp's file types. ``number`` is its ``llama_ftype``; ``bits`` are per weight.

    ``needs_matrix``: it throws away so much that it needs to know which weights matter. ``weighs``:
    it rounds otherwise where it knows that.
    """

    name: str
    number: int
    bits: float
    needs_matrix: bool = False
    weighs: bool = True

    @property
    def block(self) -> int:
        """How many weights of a row it stores together, in most tensors."""
        return _BLOCKS.get(self.name, 256 if re.match("Q.*_K|IQ|TQ", self.name) else 32)

    @property
    def words(self) -> str:
        """Its name and its size."""
        return f"{self.name} · {self.bits:g} bits"


_NOT_QUANTIZED = (
    Quantization("F32", 0, 32, weighs=False),
    Quantization("F16", 1, 16, weighs=False),
    Quantization("BF16", 32, 16, weighs=False),
)
_PLAIN = (
    Quantization("Q8_0", 7, 8.5, weighs=False),
    Quantization("Q5_1", 9, 6.01),
    Quantization("Q5_0", 8, 5.52),
    Quantization("Q4_1", 3, 5.03),
    Quantization("Q4_0", 2, 4.54),
)
_K_QUANTS = (
    Quantization("Q6_K", 18, 6.56),
    Quantization("Q5_K_M", 17, 5.68),
    Quantization("Q5_K_S", 16, 5.52),
    Quantization("Q4_K_M", 15, 4.84),
    Quantization("Q4_K_S", 14, 4.58),
    Quantization("Q3_K_L", 13, 4.27),
    Quantization("Q3_K_M", 12, 3.91),
    Quantization("Q3_K_S", 11, 3.5),
    Quantization("Q2_K", 10, 3.01),
)
_I_QUANTS = (
    Quantization("IQ4_NL", 25, 4.57),
    Quantization("IQ4_XS", 30, 4.33),
    Quantization("IQ3_M", 27, 3.7),
    Quantization("IQ3_S", 26, 3.5),
)
_WITH_MATRIX = (
    Quantization("IQ3_XS", 22, 3.32, needs_matrix=True),
    Quantization("IQ3_XXS", 23, 3.21, needs_matrix=True),
    Quantization("IQ2_M", 29, 2.8, needs_matrix=True),
    Quantization("Q2_K_S", 21, 2.75, needs_matrix=True),
    Quantization("IQ2_S", 28, 2.61, needs_matrix=True),
    Quantization("IQ2_XS", 20, 2.42, needs_matrix=True),
    Quantization("IQ2_XXS", 19, 2.2, needs_matrix=True),
    Quantization("IQ1_M", 31, 1.96, needs_matrix=True),
    Quantization("IQ1_S", 24, 1.81, needs_matrix=True),
)
_TRAINED_SO = (
    Quantization("MXFP4_MOE", 38, 8.5, weighs=False),
    Quantization("Q2_0", 41, 2.38, weighs=False),
    Quantization("TQ2_0", 37, 2.2, weighs=False),
    Quantization("TQ1_0", 36, 1.84, weighs=False),
    Quantization("Q1_0", 40, 1.23, weighs=False),
)
FAMILIES: Mapping[str, tuple[str, tuple[Quantization, ...]]] = {
    "Not quantized": ("F32 keeps every bit; BF16 keeps the range of F32.", _NOT_QUANTIZED),
    "Plain blocks": ("A scale for every 32 weights, in 4 to 8 bits.", _PLAIN),
    "K-quants": (
        "Blocks of 256 weights whose scales are quantized too, more bits where they matter. "
        "Q4_K_M is the usual choice.",
        _K_QUANTS,
    ),
    "I-quants": (
        "Weights rounded to the entries of a table: often better than a K-quant of the same size, "
        "and slower on a CPU.",
        _I_QUANTS,
    ),
    "Only with an importance matrix": (
        "So few bits that llama.cpp asks which weights matter: choose a text above.",
        _WITH_MATRIX,
    ),
    "For models trained so": (
        "Two or three values a weight; MXFP4_MOE has 4 bits for experts and Q8_0 for the rest. "
        "Other models lose nearly everything.",
        _TRAINED_SO,
    ),
}
"""Every type under its family's name, with what a person should know of the family."""

QUANTIZATIONS: Mapping[str, Quantization] = {
    item.name: item for _, family in FAMILIES.values() for item in family
}
BY_NUMBER: Mapping[int, Quantization] = {item.number: item for item in QUANTIZATIONS.values()}


def _groups() -> tuple[Group, ...]:
    return tuple(
        Group(
            label,
            note,
            tuple(item.name for item in family),
            needs="matrix" if all(item.needs_matrix for item in family) else "",
        )
        for label, (note, family) in FAMILIES.items()
    )


@dataclass(frozen=True, slots=True)
class GgufOptions:
    """How the weights are stored. ``F32`` changes nothing; every other type is a choice."""

    matrix: str = choice(
        NO_MATRIX,
        "Importance matrix",
        "Which weights matter is seen while the model reads a text, once for each type; then those "
        "are rounded with more care. It helps most below 4 bits.",
        values={
            NO_MATRIX: "None",
            SHIPPED: "From the text Assay ships",
            DATA: "From your text",
        },
    )
    type: str = choice(
        "F32",
        "Type of the weights",
        "Fewer bits make a smaller and often faster model whose answers differ more. "
        "Bits are per weight, for LLaMA-7B's shape.",
        values={name: item.words for name, item in QUANTIZATIONS.items()},
        many=True,
        groups=_groups(),
    )
