"""What may be chosen about half precision."""

from __future__ import annotations

from dataclasses import dataclass

from engine.options import choice


@dataclass(frozen=True, slots=True)
class HalfOptions:
    """The same for FP16 and BF16."""

    keep_io: bool = choice(
        True,
        "Inputs and outputs stay float32",
        "A server then feeds it as it fed the original; off, it takes and gives half precision.",
    )
    anyway: bool = choice(
        False,
        "Even where this processor only gets slower",
        "A processor without arithmetic in half precision converts every value back and forth: "
        "the file is half the size, and the answers come later. Refused unless asked for here.",
    )
