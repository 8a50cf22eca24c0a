"""The promise that no weight changes: made for a model that keeps it, and for no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine import registry
from engine.formats.savedmodel import artifact as saved
from engine.formats.savedmodel import packing
from engine.jobs.isolation.launching import _minimal
from engine.jobs.isolation.tiers import Tier
from engine.types import OWN_PROCESS, Artifact
from tests import models

RNG = np.random.default_rng(0)
FILTER = RNG.standard_normal((8, 3, 3, 3)).astype(np.float32)
BIAS = RNG.standard_normal(8).astype(np.float32)
TABLE = RNG.standard_normal((16, 16)).astype(np.float32)
PICTURE = ("batch", 3, 6, 6)
RUN = """
import json, os, sys
from pathlib import Path
import numpy as np
from engine import registry
from engine.formats.savedmodel.packing import FROZEN
from engine.records import parse
from engine.types import Artifact, RunnerOptions
asked = json.loads(Path(sys.argv[1]).read_text())
found = []
with registry.open_runner(parse(Artifact, asked["artifact"]), RunnerOptions()) as runner:
    for given in asked["feeds"]:
        feed = {name: np.asarray(value, np.float32) for name, value in given.items()}
        found.append(runner.infer(feed)["y"].tolist())
print(json.dumps([FROZEN in os.environ, found]))
"""


def made(tmp_path: Path, nodes: Any, known: Mapping[str, Any], shape: Any = PICTURE) -> Artifact:
    onnx = models.onnx_model(tmp_path / "m.onnx", nodes, known, shape=shape)
    return models.converted(onnx, "savedmodel", tmp_path / "made")


def is_frozen(model: Artifact) -> bool:
    folder = saved.home(model.path)
    return packing.is_frozen(saved.meta_graph(folder), saved.signature_name(folder))


def convolved(tmp_path: Path) -> Artifact:
    nodes = [("Conv", ["x", "w", "b"], ["a"]), ("Relu", ["a"], ["y"])]
    return made(tmp_path, nodes, {"w": FILTER, "b": BIAS})


def computed(tmp_path: Path) -> Artifact:
    """Its filter is scaled by the mean of the picture: another one at every run."""
    nodes = [
        ("ReduceMean", ["x"], ["mean"], {"keepdims": 0}),
        ("Mul", ["w", "mean"], ["scaled"]),
        ("Conv", ["x", "scaled", "b"], ["y"]),
    ]
    return made(tmp_path, nodes, {"w": FILTER, "b": BIAS})


def run(model: Artifact, feeds: list[dict[str, np.ndarray]], tmp_path: Path) -> tuple[bool, Any]:
    """Whether the promise was made, and the answers, in a process of the model's own."""
    from engine.records import dump

    asked = tmp_path / "asked.json"
    plain = [{name: array.tolist() for name, array in given.items()} for given in feeds]
    asked.write_text(json.dumps({"artifact": dump(model), "feeds": plain}))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, str(asked)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, OWN_PROCESS: "1"},
    )
    promised, found = json.loads(done.stdout.splitlines()[-1])
    return promised, found


@pytest.mark.parametrize("make", [convolved, computed])
def test_answers_are_right_at_every_run(make: Any, tmp_path: Path) -> None:
    model = make(tmp_path)
    feeds = [{"x": RNG.random((2, 3, 6, 6)).astype(np.float32) * scale} for scale in (1, 5, 1)]
    promised, found = run(model, feeds, tmp_path)
    assert promised == is_frozen(model) == (make is convolved)
    for given, answer in zip(feeds, found, strict=True):
        wanted = models.infer(original(tmp_path), given)["y"]
        np.testing.assert_allclose(np.asarray(answer), wanted, rtol=1e-4, atol=1e-4)


def original(tmp_path: Path) -> Artifact:
    path = tmp_path / "m.onnx"
    read = registry.format_named("onnx").read_signature
    assert read is not None
    return models.artifact("onnx", path, read(path))


def test_a_table_that_is_only_turned_stays_as_it_is(tmp_path: Path) -> None:
    nodes = [("Gemm", ["x", "t"], ["y"], {"transB": 1})]
    assert is_frozen(made(tmp_path, nodes, {"t": TABLE}, ("batch", 16)))


def test_a_product_of_two_computed_matrices_is_found(tmp_path: Path) -> None:
    nodes = [
        ("MatMul", ["x", "t"], ["a"]),
        ("Transpose", ["x"], ["b"]),
        ("MatMul", ["a", "b"], ["y"]),
    ]
    assert not is_frozen(made(tmp_path, nodes, {"t": TABLE}, ("batch", 16)))


def test_a_weight_that_a_loop_carries_is_found(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "state"], ["next"]),
            helper.make_node("Identity", ["on"], ["still"]),
        ],
        "body",
        [
            value("step", TensorProto.INT64, []),
            value("on", TensorProto.BOOL, []),
            value("state", TensorProto.FLOAT, [16, 16]),
        ],
        [value("still", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [16, 16])],
    )
    nodes = [("Loop", ["count", "", "t"], ["last"], {"body": body}), ("Add", ["x", "last"], ["y"])]
    known = {"count": np.asarray(3), "t": TABLE}
    assert not is_frozen(made(tmp_path, nodes, known, (16, 16)))


def test_a_worker_has_a_process_of_its_own(tmp_path: Path) -> None:
    assert _minimal(tmp_path, Tier.C)[OWN_PROCESS] == "1"
