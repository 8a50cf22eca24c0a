"""What is measured: samples converted the ordinary way, and ONNX files with something known in."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from engine import store
from engine.files import hash_path, size_of
from engine.jobs.steps import DirectSteps
from engine.onnxfile import file_of
from engine.pipeline import ConvertRequest, ImportRequest, convert, import_model
from engine.types import Artifact, Signature, Target, TensorSpec

MIB = 1024**2


@cache
def converted(sample: str, target: str, kind: str = "") -> Artifact:
    """A sample in a format, converted and verified by Assay's own jobs."""
    job = f"fidelity-{secrets.token_hex(6)}"
    steps = [DirectSteps(f"{job}-{what}", lambda views, partial: None) for what in ("a", "b")]
    model = import_model(steps[0], ImportRequest("sample", sample))["model_id"]
    asked = Target(target, {"type": kind} if kind else {})
    made = convert(steps[1], ConvertRequest(model, (asked,)))
    if made["failures"]:
        raise SystemExit(f"{sample} could not be converted: {made['failures']}")
    return store.artifacts.load(made["artifacts"][0])[0]


def with_loop(artifact: Artifact, turns: int, home: Path) -> Artifact:
    """The same ONNX model with a loop behind it: so many turns of one small operation.

    The loop needs the answer and changes nothing in it, so that no optimiser can leave it out.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(file_of(artifact.path))
    answer = model.graph.output[0].name
    body = helper.make_graph(
        [
            helper.make_node("Sin", ["s_in"], ["s_out"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s_in", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s_out", TensorProto.FLOAT, []),
        ],
    )
    constants = {"assay_turns": np.int64(turns), "assay_go": np.bool_(True)}
    constants["assay_zero"] = np.float32(0)
    for node in model.graph.node:
        node.output[:] = [f"{name}_before" if name == answer else name for name in node.output]
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()
    )
    model.graph.node.extend(
        [
            helper.make_node("ReduceSum", [f"{answer}_before"], ["assay_sum"], keepdims=0),
            helper.make_node(
                "Loop", ["assay_turns", "assay_go", "assay_sum"], ["assay_s"], body=body
            ),
            helper.make_node("Mul", ["assay_s", "assay_zero"], ["assay_nothing"]),
            helper.make_node("Add", [f"{answer}_before", "assay_nothing"], [answer]),
        ]
    )
    path = home / f"loop-{turns}-{secrets.token_hex(4)}.onnx"
    onnx.save(model, path)
    return _at(artifact, path)


def of_weights(mib: int, home: Path, pieces: int = 1) -> Artifact:
    """An ONNX model that is so many MiB in equal matrices, and answers with 64 numbers."""
    import onnx
    from onnx import TensorProto, helper

    rows = mib * MIB // 4 // 64 // pieces
    draw = np.random.default_rng(0).standard_normal
    looks = [helper.make_node("Gather", [f"w{at}", "x"], [f"y{at}"]) for at in range(pieces)]
    graph = helper.make_graph(
        [*looks, helper.make_node("Sum", [f"y{at}" for at in range(pieces)], ["y"])],
        "weights",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [
            onnx.numpy_helper.from_array(draw((rows, 64), dtype=np.float32), f"w{at}")
            for at in range(pieces)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = home / f"weights-{mib}-{pieces}.onnx"
    onnx.save(model, path)
    signature = Signature(
        (TensorSpec("x", "int64", ("batch",)),), (TensorSpec("y", "float32", ("batch", 64)),)
    )
    return _at(Artifact("", "onnx", path, "", 0, signature), path)


def _at(artifact: Artifact, path: Path) -> Artifact:
    return replace(
        artifact, id=path.stem, path=path, sha256=hash_path(path), size_bytes=size_of(path)
    )
