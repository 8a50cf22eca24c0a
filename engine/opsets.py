"""Opsets of ONNX: which runtime reads which, and a graph moved from one to another.

Imports onnx only inside functions. A converter calls ``at_most`` where what comes
after knows older opsets better.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.errors import UnsupportedModel

STANDARD = ("", "ai.onnx")
"""The two spellings of the domain of ONNX's own operators."""
OLDEST, NEWEST = 7, 25
"""What may be asked for: the oldest opset ONNX Runtime reads, the newest torch's exporter writes
and TensorRT reads."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A runtime, the opsets it reads, and who says so. Releases the source has not are left out."""

    runtime: str
    low: int
    high: int
    source: str


_ORT = "onnxruntime.ai/docs/reference/compatibility.html"
_TRT = "the ONNX operator support pages of NVIDIA's TensorRT documentation"
READERS = (
    Reader("ONNX Runtime 1.12", 7, 17, _ORT),
    Reader("ONNX Runtime 1.14", 7, 18, _ORT),
    Reader("ONNX Runtime 1.15 to 1.16", 7, 19, _ORT),
    Reader("ONNX Runtime 1.17", 7, 20, _ORT),
    Reader("ONNX Runtime 1.18 to 1.20", 7, 21, _ORT),
    Reader("ONNX Runtime 1.32", 7, 28, "loaded a model of each with the installed version"),
    Reader("TensorRT 8.5", 7, 17, _TRT),
    Reader("TensorRT 10", 9, 24, _TRT),
    Reader("TensorRT 11", 9, 25, _TRT),
    Reader("TensorFlow, by Assay's lowering", 7, 28, "operator by operator, before lowering"),
)


def readers_of(opset: int) -> tuple[Reader, ...]:
    """The runtimes that read a model of this opset."""
    return tuple(item for item in READERS if item.low <= opset <= item.high)


def said_of(opset: int) -> str:
    """One sentence: the oldest ONNX Runtime and TensorRT that read this opset."""
    read = [item.runtime for item in readers_of(opset)]
    oldest = [next((name for name in read if name.startswith(kind)), "") for kind in _KINDS]
    named = " and ".join(f"{name.split(' to ')[0]} or newer" for name in oldest if name)
    return f"Opset {opset} is read by {named}." if named else f"No runtime reads opset {opset}."


_KINDS = ("ONNX Runtime", "TensorRT")


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators that a ``ModelProto`` asks for; 1 where it is silent."""
    return next((int(i.version) for i in model.opset_import if i.domain in STANDARD), 1)


def moved(model: Any, opset: int) -> Any:
    """The ``ModelProto``, weights inline, at another opset: up or down, checked in full.

    Raises UnsupportedModel naming the operator that has no form there.
    """
    import onnx
    from onnx import version_converter

    found = opset_of(model)
    if found == opset:
        return model
    try:
        made = version_converter.convert_version(_plainer(model), opset)
        onnx.checker.check_model(made, full_check=True)
    except MemoryError:
        raise
    except Exception as error:
        why = _why(error, opset < found)
        raise UnsupportedModel(
            f"This graph cannot be moved from opset {found} to {opset}: {why}",
            hint="Choose an opset nearer to the one it has, or export the model again with the "
            "opset that is wanted.",
        ) from error
    return made


def _plainer(model: Any) -> Any:
    """A copy without attributes that only repeat a default: older opsets do not know them."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    for node in made.graph.node:
        kept = [item for item in node.attribute if item.name != "noop_with_empty_axes" or item.i]
        if len(kept) < len(node.attribute):
            del node.attribute[:]
            node.attribute.extend(kept)
    return made


def at_most(model: Any, opset: int) -> tuple[Any, tuple[str, ...]]:
    """The model, downgraded where its opset is above ``opset``, and a note that says so."""
    found = opset_of(model)
    if found <= opset:
        return model, ()
    return moved(model, opset), (f"Moved from opset {found} down to {opset}.",)


def _why(error: Exception, down: bool) -> str:
    """What the version converter said, without its own source lines."""
    text = " ".join(str(error).split())
    adapter = re.search(r"No Adapter (?:From|To) Version \$?(\d+) for (\w+)", text)
    if adapter:
        form = "an older" if down else "a newer"
        return f"onnx does not know {form} form of {adapter[2]} {adapter[1]} that means the same."
    newer = re.search(r"No Previous Version of (\w+) exists", text)
    if newer:
        return f"{newer[1]} does not exist in that opset."
    return re.sub(r"^\S+\.(?:h|cc|cpp):\d+: \S+ ", "", text)[:300]
