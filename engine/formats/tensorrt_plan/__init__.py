"""An ONNX graph made ready for TensorRT, with the plan for building it. Needs no GPU.

A folder of ``model.onnx`` and ``tensorrt.json``. It is still ONNX: ONNX Runtime verifies and runs
it, and what is measured then is ONNX Runtime. The engine is made from it on a GPU host.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from engine import registry
from engine.errors import BadRequest, InvalidModel
from engine.files import hash_path
from engine.formats.tensorrt_plan import prepare
from engine.formats.tensorrt_plan.prepare import GRAPH, PLAN
from engine.lazy import Requirement
from engine.nvidia import PLAN_SCHEMA, Plan
from engine.records import parse
from engine.registry import Format
from engine.types import Artifact, Runner, RunnerOptions, Signature


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``load`` gives: where the graph lies, and the plan for it."""

    graph: Path
    plan: Plan


def load(path: Path) -> Prepared:
    """The graph's path and its plan. Raises InvalidModel when they do not belong together."""
    graph = path / GRAPH
    try:
        text = json.loads((path / PLAN).read_text(encoding="utf-8"))
        if text.get("schema") != PLAN_SCHEMA:
            raise InvalidModel(
                f"The plan has the schema {text.get('schema')!r}; this Assay reads {PLAN_SCHEMA}.",
                hint="Prepare the model again with this version.",
            )
        plan = parse(Plan, text)
        found = hash_path(graph)
    except (OSError, ValueError, AttributeError, BadRequest) as error:
        raise InvalidModel(
            f"A prepared model is a folder of {GRAPH} and {PLAN}; this is not one: {error}",
            hint="Convert the ONNX model again.",
        ) from error
    if found != plan.onnx_sha256:
        raise InvalidModel(
            f"{GRAPH} is not the graph that {PLAN} was made for (its sha256 differs).",
            hint="Convert the ONNX model again, instead of changing the prepared one.",
        )
    return Prepared(graph, plan)


def open_runner(artifact: Artifact, options: RunnerOptions) -> Runner:
    """A Runner over ONNX Runtime: what is measured is ONNX Runtime, not TensorRT."""
    graph = load(artifact.path).graph
    return registry.open_runner(replace(artifact, format="onnx", path=graph), options)


def read_signature(path: Path) -> Signature:
    """As the graph declares it."""
    read = registry.format_named("onnx").read_signature
    assert read is not None
    return read(load(path).graph)


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """As of any ONNX graph, and what the plan says."""
    prepared = load(path)
    parameters, operators, facts = registry.format_named("onnx").describe(prepared.graph)
    plan = prepared.plan
    shapes = "; ".join(
        f"{name} {list(span.min)} to {list(span.max)}" for name, span in plan.profile.items()
    )
    told = {
        "Prepared for": f"TensorRT {plan.tensorrt}",
        "Precision": plan.precision,
        "Shapes": shapes,
        "On the GPU host": plan.commands["assay"],
    }
    return parameters, operators, facts | told


FORMAT = Format(
    name="tensorrt_plan",
    label="ONNX prepared for TensorRT",
    runtime="ONNX Runtime",
    suffix=".prepared",
    requires=(Requirement("onnx", "onnx"), Requirement("onnxruntime", "onnxruntime")),
    load=load,
    open_runner=open_runner,
    read_signature=read_signature,
    describe=describe,
    import_module="onnxruntime",
    concurrent=True,
    options=prepare.PlanOptions,
)
