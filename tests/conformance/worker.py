"""One process that runs a chunk: ``python -m tests.conformance.worker CASES RESULTS [open]``.

CASES is a JSON list of ids. RESULTS gets a JSON line when a case begins and one when it ends, so
that whoever started this process knows which case it died in. With ``open``, models are lowered
with every axis of every input left open: what a case then needs to know of sizes it must compute.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import EngineError
from engine.types import Artifact, Dim, Feed, RunnerOptions, Signature, TensorSpec
from tests.conformance.cases import Case, load, types

SAVED_EVERY = 25
"""One in so many node cases runs from a SavedModel that is written and read again."""

LINE = 200
"""Characters of an error that are kept."""
Infer = Callable[[Feed], list[Any]]


def main(cases: Path, results: Path, *, open_axes: bool = False) -> None:
    """Run the cases that are named in a file, in its order."""
    with results.open("a", encoding="utf-8") as out:
        for name in json.loads(cases.read_text(encoding="utf-8")):
            print(json.dumps({"begins": name}), file=out, flush=True)
            error = verdict(find(name), open_axes=open_axes)
            print(json.dumps({"case": name, "error": error}), file=out, flush=True)


def find(name: str) -> Case:
    """The case with that id."""
    kind = name.partition("/")[0]
    return next(case for case in load(kind) if case.id == name)


def verdict(case: Case, *, open_axes: bool = False) -> str | None:
    """None when every output is as expected; else why not, in one line."""
    try:
        judge(case, open_axes)
    except EngineError as error:
        return f"{type(error).__name__}: {error.message[:LINE]}"
    except AssertionError as error:
        return "Differs: " + " ".join(str(error).split())[:LINE]
    except Exception as error:  # A conformance run reports every failure and goes on.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:LINE]}"
    return None


def judge(case: Case, open_axes: bool = False) -> None:
    """Raises AssertionError, by onnx's own comparison, when an output is not as expected."""
    from onnx.backend.test.runner import Runner

    held = {tensor.name for tensor in case.model.graph.initializer}
    names = [value.name for value in case.model.graph.input if value.name not in held]
    feeds = [dict(zip(names, inputs, strict=False)) for inputs, _ in case.data]
    signature = signature_of(case.model, feeds[0], open_axes=open_axes)
    with (from_disk if _by_disk(case) else in_memory)(case.model, signature) as infer:
        for feed, (_, expected) in zip(feeds, case.data, strict=True):
            Runner.assert_similar_outputs(expected, infer(feed), rtol=case.rtol, atol=case.atol)


def _by_disk(case: Case) -> bool:
    """Of the other kinds all, of the node cases a sample that does not change from run to run."""
    if "bfloat16" in types(case.model):  # Not a type of numpy's own: runners do not take it.
        return False
    return case.kind != "node" or sum(case.name.encode()) % SAVED_EVERY == 0


@contextmanager
def in_memory(model: Any, signature: Signature) -> Iterator[Infer]:
    """The model lowered to a concrete TensorFlow function, and that called."""
    import tensorflow as tf

    from engine.formats.savedmodel import building, support

    support.check(model)
    built = building.build(model, signature)

    def infer(feed: Feed) -> list[Any]:
        made = built.serve(*[tf.constant(array) for array in feed.values()])
        return [made[built.names.outputs[item.name]].numpy() for item in model.graph.output]

    yield infer


@contextmanager
def from_disk(model: Any, signature: Signature) -> Iterator[Infer]:
    """The model converted as Assay converts, written, and read again by the format's runner."""
    import onnx

    with tempfile.TemporaryDirectory() as name:
        path, out = Path(name) / "model.onnx", Path(name) / "savedmodel"
        onnx.save(model, path)
        source = Artifact("case", "onnx", path, "", path.stat().st_size, signature)
        options = registry.format_named("savedmodel").options()
        made = registry.edge("onnx", "savedmodel")(source, out, options)
        target = Artifact("case", "savedmodel", out, "", 0, made.signature)
        with registry.open_runner(target, RunnerOptions()) as runner:
            yield lambda feed: [runner.infer(feed)[item.name] for item in model.graph.output]


def signature_of(model: Any, feed: Feed, *, open_axes: bool = False) -> Signature:
    """As the graph declares it; an axis it leaves open stays open, and on request every axis."""
    inputs = [value for value in model.graph.input if value.name in feed]
    return Signature(
        tuple(_spec(value, feed[value.name].shape, open_axes) for value in inputs),
        tuple(_spec(value, (), False) for value in model.graph.output),
    )


def _spec(value: Any, shape: tuple[Dim, ...], open_axes: bool) -> TensorSpec:
    from onnx import helper

    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    if tensor.HasField("shape"):
        shape = tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_{axis}"
            for axis, dim in enumerate(tensor.shape.dim)
        )
    if open_axes:
        shape = tuple(f"{value.name}_{axis}" for axis in range(len(shape)))
    return TensorSpec(value.name, dtype, shape)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), open_axes="open" in sys.argv[3:])
