"""What TensorRT says while it builds, and what it means: fallbacks, and operators it lacks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

HEARD = ("INTERNAL_ERROR", "ERROR", "WARNING")
_SHOWN = 5
_MEANS = (
    (
        re.compile(r"Missing scale and zero-point for tensor (?P<what>.+?), expect fall back"),
        "No INT8 range for some tensors, so the layers at them are not INT8",
    ),
    (
        re.compile(r"(?P<what>layernorm) (?:nodes in FP16|after self-attention)", re.IGNORECASE),
        "Layer normalisation in FP16 may overflow: compare the outputs closely",
    ),
    (
        re.compile(r"(?P<what>[Ss]ubnormal FP16|smallest positive FP16|converted to FP16)"),
        "Some weights do not fit into FP16",
    ),
    (
        re.compile(r"(?P<what>INT64) weights, while TensorRT does not natively support"),
        "This TensorRT has no INT64 and takes INT32 instead",
    ),
    (
        re.compile(r"tactics do not have (?:sufficient|enough) (?P<what>workspace)"),
        "Some kernels were left out for want of workspace: allow more of it",
    ),
    (
        re.compile(r"No importer registered for op: (?P<what>\w+)"),
        "Operators looked for among plugins",
    ),
)
_FLOAT32 = re.compile(r"FP32|\bFloat\b", re.IGNORECASE)
_MOVERS = ("Reformat", "NoOp", "Constant")
"""Layers that carry data over and compute nothing."""


def listener(trt: Any) -> Any:
    """A TensorRT logger that keeps what is worth reading, as ``said``: (severity, text) pairs."""

    class Listener(trt.ILogger):  # type: ignore[misc]  # the package has no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said: list[tuple[str, str]] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity.name in HEARD:
                self.said.append((severity.name, msg.strip()))

    return Listener()


def errors(said: Sequence[tuple[str, str]]) -> str:
    """The errors, in one line; what to say when there were none."""
    found = [text.splitlines()[0] for severity, text in said if severity != "WARNING"]
    return "; ".join(dict.fromkeys(found[:_SHOWN])) or "it gave no reason"


def warnings(said: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Warnings as notes: the known ones in words with what they were about, the others as said."""
    known: dict[str, list[str]] = {}
    others: list[str] = []
    for severity, text in said:
        if severity != "WARNING":
            continue
        for pattern, means in _MEANS:
            found = pattern.search(text)
            if found:
                known.setdefault(means, []).append(found["what"])
                break
        else:
            others.append(text.splitlines()[0])
    notes = [f"{means}: {_listed(what)}." for means, what in known.items()]
    unknown = list(dict.fromkeys(others))
    notes += [f"TensorRT warned: {text}" for text in unknown[:_SHOWN]]
    if len(unknown) > _SHOWN:
        notes.append(f"TensorRT warned of {len(unknown) - _SHOWN} more things; the log has them.")
    return tuple(notes)


def layers_of(information: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """(layers by type, those that compute and give FP32) from the inspector's JSON.

    Written as ``Format/Datatype`` up to TensorRT 10, as two fields from 11 on. Nothing where it is
    no JSON: an engine is not the worse for that.
    """
    try:
        listed = json.loads(information).get("Layers", ())
    except (ValueError, AttributeError):
        return {}, ()
    layers = [item for item in listed if isinstance(item, dict)]
    counted = Counter(str(item.get("LayerType", "unknown")) for item in layers)
    wide = [
        str(item.get("Name", "unnamed"))
        for item in layers
        if item.get("LayerType") not in _MOVERS
        and any(_FLOAT32.search(_kind(out)) for out in item.get("Outputs", ()))
    ]
    return dict(counted.most_common()), tuple(wide)


def _kind(tensor: Mapping[str, Any]) -> str:
    """All that is said of a tensor's type."""
    return " ".join(
        str(value)
        for key, value in tensor.items()
        if key.lower().startswith(("format", "datatype"))
    )


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _SHOWN} more" if len(unique) > _SHOWN else ""
    return ", ".join(unique[:_SHOWN]) + more
