"""What the tree says about a model nobody was asked about: read from its file and this machine."""

from __future__ import annotations

from collections.abc import Mapping

from engine.knowledge.source import broken
from engine.knowledge.tree import FILE, Leaf, Walk, decision_tree, walk
from engine.nvidia import has_nvidia_gpu
from engine.reports.model import Advice
from engine.types import Model

LARGE = 1_000_000_000
"""Parameters from which a language model counts as large."""

BRANCHING = frozenset(
    {"If", "Loop", "Scan", "prim::If", "prim::Loop", "cond", "while_loop", "aten.cond"}
)
"""Operations that take different paths, as ONNX, TorchScript and torch.export name them."""

GRAPH_FORMATS = frozenset({"onnx", "tensorrt_plan", "torchscript", "exported"})
"""Formats whose files list every operation; eager PyTorch lists modules, which hide branches."""

BRANCHING_FACT = "Control flow"
"""The fact in which recognising a model may say that its path ``depends on its data``."""

FRAMEWORK = {
    "torch": "pytorch",
    "torchscript": "pytorch",
    "exported": "pytorch",
    "onnx": "onnx",
    "tensorrt_plan": "onnx",
    "savedmodel": "tensorflow",
    "keras": "tensorflow",
}


def answers_for(model: Model | None) -> Mapping[str, str]:
    """The answers that this machine and, if given, the model's file settle, by question id."""
    found = {"hardware": "nvidia" if has_nvidia_gpu() else "cpu"}
    if model is None:
        return found
    framework = FRAMEWORK.get(model.artifact.format)
    if framework is not None:
        found["framework"] = framework
    found["kind"] = "language" if _writes_text(model) else "other"
    if model.parameters is not None:
        found["size"] = "large" if model.parameters >= LARGE else "small"
    branches = _branches(model)
    if branches is not None:
        found["data_dependent"] = found["control_flow"] = "yes" if branches else "no"
    return found


def advice_for(model: Model, answers: Mapping[str, str] | None = None) -> Advice:
    """What a person's answers recommend; where they reach no leaf, what follows from the model."""
    walked = walk(answers or {})
    if walked.leaf:
        return _advice(walked, walked.leaf, "tree")
    inferred = _complete({"target": "unknown", **answers_for(model)})
    if inferred.leaf is None:
        raise broken(FILE, "default", f"{inferred.answers} reaches no leaf")
    return _advice(inferred, inferred.leaf, "inferred")


def _advice(walked: Walk, leaf: Leaf, origin: str) -> Advice:
    return Advice(leaf.id, leaf.title, leaf.format, origin, walked.answers)


def _complete(answers: Mapping[str, str]) -> Walk:
    """Walk to a leaf, with each open question's default where nothing settles it."""
    defaults = {q.id: q.default for q in decision_tree().questions if q.default is not None}
    return walk({**defaults, **answers})


def _writes_text(model: Model) -> bool:
    said = " ".join(model.facts.values())
    return model.artifact.format == "gguf" or "CausalLM" in said or "LMHeadModel" in said


def _branches(model: Model) -> bool | None:
    """Whether its path depends on its data; None where the file cannot tell."""
    said = model.facts.get(BRANCHING_FACT)
    if said is not None:
        return said.startswith("depends on")
    if model.artifact.format not in GRAPH_FORMATS or not model.op_histogram:
        return None
    return not BRANCHING.isdisjoint(model.op_histogram)
