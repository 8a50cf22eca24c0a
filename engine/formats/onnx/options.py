"""What may be chosen about an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.opsets import NEWEST, OLDEST
from engine.options import choice

Optimized = Literal["no", "basic", "extended", "all"]


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """``optimized`` is the level of ONNX Runtime's graph optimizations that is saved."""

    opset: int = choice(
        20,
        "ONNX opset",
        "The version of ONNX's operators. 20 is read by ONNX Runtime 1.17 or newer and by "
        "TensorRT 10; take 17 for TensorRT 8.5 and ONNX Runtime 1.12.",
        low=OLDEST,
        high=NEWEST,
    )
    fold: bool = choice(
        True,
        "Fold constants",
        "Compute once, now, what depends on no input. The answers stay the same.",
    )
    shapes: bool = choice(
        True,
        "Infer shapes",
        "Write the shape of every value between the operators into the file.",
    )
    optimized: Optimized = choice(
        "no",
        "Optimized by ONNX Runtime",
        "ONNX Runtime optimizes whenever it loads a model; saved, loading is faster. Beyond basic "
        "only ONNX Runtime reads the file, and 'all' fits processors like this one only.",
        values={
            "no": "As exported: any runtime reads it",
            "basic": "Basic: standard operators only",
            "extended": "Extended: with fusions of ONNX Runtime's own",
            "all": "All: laid out for processors like this one",
        },
    )

    @property
    def variant(self) -> str:
        """What tells the result from the plain one: ``"opset 17, extended"``."""
        opset = "" if self.opset == OnnxOptions().opset else f"opset {self.opset}"
        level = "" if self.optimized == "no" else f"optimized ({self.optimized})"
        return ", ".join(filter(None, (opset, level)))
