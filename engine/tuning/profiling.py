"""An artifact under its runtime's own profiler: which operators take the time."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import registry
from engine.onnxfile import file_of, graph_only, onnx_errors
from engine.tuning import counting
from engine.tuning.model import Machine, OperatorTime, Profile, TimeKind, Unfused
from engine.tuning.pace import LEAST, repeated
from engine.tuning.pairs import DEQUANTIZE, QUANTIZE, QdqGraph
from engine.tuning.work import LOOKUPS, Work
from engine.types import Artifact, Feed, RunnerOptions

_NODE = "_kernel_time"
_RUN = "model_run"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the graph knows of a node: its constants (shape and bytes), its whole numbers."""

    constants: tuple[tuple[tuple[int, ...], int], ...] = ()
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """One node of the graph that ran, over all runs."""

    operator: str
    kind: TimeKind
    operations: int
    bytes: int
    seconds: float = 0.0


def profile_onnx(
    artifact: Artifact, feed: Feed, threads: int, machine: Machine, scratch: Path
) -> tuple[Profile, Any]:
    """ONNX Runtime's profile, and the graph it ran after its optimizations (``GraphProto``)."""
    scratch.mkdir(parents=True)
    _, seconds = _timed(artifact, feed, threads, None)
    watched, _ = _timed(artifact, feed, threads, scratch)
    told = Path(watched.end_profiling())
    events = json.loads(told.read_text(encoding="utf-8"))
    graph = graph_only(scratch / "optimized.onnx").graph
    return _profile(artifact, events, seconds, machine, _known(graph)), graph


def work_of_onnx(artifact: Artifact, feed: Feed, threads: int, scratch: Path) -> Work:
    """What one run computes and has to read, from the shapes that ONNX Runtime's profiler saw."""
    scratch.mkdir(parents=True)
    watched, _ = _timed(artifact, feed, threads, scratch)
    events = json.loads(Path(watched.end_profiling()).read_text(encoding="utf-8"))
    graph = graph_only(scratch / "optimized.onnx").graph
    nodes, _ = _nodes(events, _known(graph))
    int8 = sum(node.operations for node in nodes.values() if node.kind == "int8")
    half = sum(node.operations for node in nodes.values() if node.kind == "half")
    whole = sum(node.operations for node in nodes.values())
    sizes = _sizes(graph)
    read = {
        name for node in graph.node if node.op_type not in LOOKUPS for name in node.input
    } & sizes.keys()
    answer = watched.run(None, dict(feed))
    return Work(
        float_operations=whole - int8 - half,
        half_operations=half,
        int8_operations=int8,
        bytes=sum(sizes[name] for name in read)
        + sum(array.nbytes for array in (*feed.values(), *answer)),
    )


def profile_torch(artifact: Artifact, feed: Feed, threads: int) -> Profile:
    """PyTorch's profile of a module or a TorchScript."""
    from torch.profiler import ProfilerActivity, profile

    with registry.open_runner(artifact, RunnerOptions(threads)) as runner:
        seconds = repeated(lambda: runner.infer(feed))
        with profile(activities=[ProfilerActivity.CPU]) as watched:
            for _ in range(LEAST):
                runner.infer(feed)
    spent: dict[str, float] = defaultdict(float)
    nodes: Counter[str] = Counter()
    for item in watched.key_averages():
        spent[item.key] += item.self_cpu_time_total
        nodes[item.key] += item.count // LEAST
    whole = sum(spent.values()) or 1.0
    operators = tuple(
        OperatorTime(name, _torch_kind(name), nodes[name], spent[name] / whole)
        for name in sorted(spent, key=lambda name: -spent[name])
    )
    return Profile(
        artifact.id,
        registry.named(artifact),
        len(seconds),
        1e3 * statistics.median(seconds),
        0.0,
        operators,
    )


def left_unfused(graph: Any) -> tuple[Unfused, ...]:
    """The pairs that are still there in the graph that runs, by the operator they feed."""
    outputs = {item.name for item in graph.output}
    feeds = {
        (name, node.op_type)
        for node in graph.node
        if node.op_type not in (QUANTIZE, DEQUANTIZE)
        for name in node.input
    }
    left = {name for node in graph.node if node.op_type == DEQUANTIZE for name in node.output}
    counted = Counter(operator for name, operator in feeds if name in left - outputs)
    return tuple(Unfused(operator, pairs) for operator, pairs in counted.most_common())


def pairs_in(path: Path) -> int:
    """The pairs in the file, before anything was fused."""
    return len(QdqGraph(graph_only(path).graph).pairs)


def _timed(
    artifact: Artifact, feed: Feed, threads: int, scratch: Path | None
) -> tuple[Any, list[float]]:
    """A session and the seconds of its runs: watched where there is a folder to write into.

    Being watched costs small operators more than their own time, hence once without.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 4
    if scratch is not None:
        settings.enable_profiling = True
        settings.profile_file_prefix = str(scratch / "profile")
        settings.optimized_model_filepath = str(scratch / "optimized.onnx")
        settings.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "optimized.data"
        )
    with onnx_errors("profiling the graph"):
        session = onnxruntime.InferenceSession(
            str(file_of(artifact.path)), settings, providers=["CPUExecutionProvider"]
        )
        outputs = [item.name for item in session.get_outputs()]
        return session, repeated(lambda: session.run(outputs, dict(feed)))


def _known(graph: Any) -> dict[str, _Known]:
    """The constants that a node reads and its whole-number attributes, by the node's name."""
    from onnx import AttributeProto

    sizes = _sizes(graph)
    known = {item.name: (tuple(item.dims), sizes[item.name]) for item in graph.initializer}
    return {
        node.name: _Known(
            tuple(known[name] for name in node.input if name in known),
            {one.name: one.i for one in node.attribute if one.type == AttributeProto.INT},
        )
        for node in graph.node
    }


def _sizes(graph: Any) -> dict[str, int]:
    """The bytes of every constant, by name."""
    from onnx import helper

    return {
        item.name: helper.tensor_dtype_to_np_dtype(item.data_type).itemsize * math.prod(item.dims)
        for item in graph.initializer
    }


def _profile(
    artifact: Artifact,
    events: Iterable[Mapping[str, Any]],
    seconds: list[float],
    machine: Machine,
    known: Mapping[str, _Known],
) -> Profile:
    nodes, spans = _nodes(events, known)
    inside = sum(node.seconds for node in nodes.values()) or 1e-12
    return Profile(
        artifact_id=artifact.id,
        label=registry.named(artifact),
        runs=len(seconds),
        milliseconds=1e3 * statistics.median(seconds),
        outside=max(0.0, 1 - inside / sum(spans)),
        operators=_by_operator(nodes.values(), inside),
        operations=sum(node.operations for node in nodes.values()),
        bytes=sum(node.bytes for node in nodes.values()),
        roof_ms=1e3 * sum(max(_limits(node, machine)) for node in nodes.values()),
        compute_bound=sum(node.seconds for node in nodes.values() if _computes(node, machine))
        / inside,
    )


def _nodes(
    events: Iterable[Mapping[str, Any]], known: Mapping[str, _Known]
) -> tuple[dict[str, _Node], list[float]]:
    """Every node that ran, and the seconds of every run."""
    nodes: dict[str, _Node] = {}
    spans: list[float] = []
    for event in events:
        name = str(event["name"])
        if event.get("cat") == "Node" and name.endswith(_NODE):
            index = event["args"]["node_index"]
            if index not in nodes:
                own = known.get(name.removesuffix(_NODE), _Known())
                nodes[index] = _node_of(event["args"], own)
            nodes[index].seconds += event["dur"] / 1e6
        elif name == _RUN:
            spans.append(event["dur"] / 1e6)
    return nodes, spans


def _node_of(told: Mapping[str, Any], known: _Known) -> _Node:
    operator = str(told["op_name"])
    given = counting.tensors(told["input_type_shape"])
    made = counting.tensors(told["output_type_shape"])
    return _Node(
        operator,
        counting.kind_of(operator, given, made, known.attributes),
        counting.operations(
            operator, given, made, [shape for shape, _ in known.constants], known.attributes
        ),
        counting.moved(told, sum(size for _, size in known.constants)),
    )


def _computes(node: _Node, machine: Machine) -> bool:
    """Whether arithmetic takes it longer than memory."""
    arithmetic, memory = _limits(node, machine)
    return arithmetic >= memory


def _limits(node: _Node, machine: Machine) -> tuple[float, float]:
    """Seconds that its arithmetic and its memory traffic take at this machine's best."""
    gops = machine.int8_gops if node.kind == "int8" else machine.float_gops
    return node.operations / (gops * 1e9), node.bytes / (machine.memory_gbs * 1e9)


def _by_operator(nodes: Iterable[_Node], inside: float) -> tuple[OperatorTime, ...]:
    spent: dict[tuple[str, TimeKind], list[float]] = defaultdict(list)
    for node in nodes:
        spent[node.operator, node.kind].append(node.seconds)
    found = [
        OperatorTime(operator, kind, len(seconds), sum(seconds) / inside)
        for (operator, kind), seconds in spent.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.share))


def _torch_kind(name: str) -> TimeKind:
    if "quantize_" in name or "dequantize" in name or name == "aten::to":
        return "conversion"
    return "int8" if "quantized" in name else "float"
