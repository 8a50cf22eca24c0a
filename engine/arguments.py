"""Words of the command line as what they mean: each reader raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine import changes, registry
from engine.bench.studies import checked
from engine.errors import EngineError
from engine.options import parse_target, read
from engine.records import parse
from engine.samples import SAMPLES, sample_named
from engine.types import Signature, Target, TensorSpec

S = TypeVar("S")
T = TypeVar("T")
ALL = "all"
_TENSOR = re.compile(r"(?P<name>[^:\s]+):(?P<dtype>\w+)\[(?P<shape>[^\]]*)\]")


def sample(text: str) -> str:
    """A sample by its name, or by the label a report shows."""
    for item in SAMPLES:
        if text.lower() in (item.name.lower(), item.label.lower()):
            return item.name
    return _usable(sample_named, text).name


def path(text: str) -> Path:
    """A file or folder that is there."""
    found = Path(text).expanduser().resolve()
    if not found.exists():
        raise argparse.ArgumentTypeError(f"there is nothing at {text}")
    return found


def targets(text: str) -> tuple[Target, ...]:
    """``onnx,gguf:type=Q4_K_M``: formats, each with its options; none of them for ``all``."""
    if text.strip() == ALL:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("name at least one format")
    return tuple(_usable(_target, name) for name in names)


def _target(text: str) -> Target:
    target = parse_target(text)
    made = registry.format_named(target.format)
    read(made.options, target.options, made.label)
    for change in target.passes:
        known = changes.pass_named(change.name)
        read(known.options, change.options, known.label)
    return target


def batches(text: str) -> tuple[int, ...]:
    """Batch sizes, each once."""
    return tuple(sorted({positive(part) for part in text.split(",")}))


def studies(text: str) -> tuple[str, ...]:
    """Studies by name (``engine.bench.studies``)."""
    return _usable(checked, tuple(part.strip() for part in text.split(",")))


def positive(text: str) -> int:
    """A whole number from 1 up."""
    if not text.strip().isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def signature(text: str) -> Signature:
    """``name:dtype[dim,…] …`` or a JSON file holding a signature."""
    if text.endswith(".json"):
        content = path(text).read_text(encoding="utf-8")
        try:
            return parse(Signature, json.loads(content))
        except (ValueError, EngineError) as error:
            raise argparse.ArgumentTypeError(f"{text} holds no signature: {error}") from error
    inputs = []
    for part in text.split():
        found = _TENSOR.fullmatch(part)
        if found is None:
            raise argparse.ArgumentTypeError(
                f"{part!r} is not an input; write it as name:dtype[dim,dim] with no spaces"
            )
        dims = (dim.strip() for dim in found["shape"].split(",") if dim.strip())
        shape = tuple(int(dim) if dim.isdigit() else dim for dim in dims)
        inputs.append(TensorSpec(found["name"], found["dtype"], shape))
    return Signature(tuple(inputs))


def _usable(look_up: Callable[[S], T], text: S) -> T:
    """What is known by this text, or a usage error in the engine's own words."""
    try:
        return look_up(text)
    except EngineError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
