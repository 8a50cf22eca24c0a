"""Gather the evidence of an explanation: profiles, pairs, zeros, and what this machine has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import processor, registry
from engine.changes import Progress
from engine.nvidia import driver_version, has_nvidia_gpu
from engine.onnxfile import load
from engine.tuning import sentences
from engine.tuning.model import Explanation, Machine, Profile
from engine.tuning.profiling import left_unfused, pairs_in, profile_onnx, profile_torch
from engine.types import Artifact, Feed
from engine.verify.inputs import feed

FEATURES = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "AMX": ("amx_int8",),
}
ARM_FEATURES = {
    "NEON": ("asimd",),
    "ARM dot product": ("asimddp",),
    "ARM I8MM": ("i8mm",),
    "SVE": ("sve",),
}
_SEED = 20
_MANY = 64


def explain(
    artifact: Artifact,
    baseline: Artifact | None,
    machine: Machine,
    scratch: Path,
    progress: Progress,
) -> Explanation:
    """Why an artifact is as fast as it is, beside ``baseline``: the same without its last pass."""
    found = Explanation(
        artifact_id=artifact.id,
        machine=machine,
        features=features(),
        gpu=f"NVIDIA, driver {driver_version()}" if has_nvidia_gpu() else "none",
        profile=None,
        baseline=None,
        pairs=0,
        unfused=(),
        zeros=None,
        sentences=(),
    )
    look = {"onnx": _onnx, "torch": _torch, "torchscript": _torch}.get(artifact.format)
    if look is not None:
        progress("Counting zeros among the weights", 0.05)
        found = replace(found, zeros=_zeros(artifact))
        found = look(found, artifact, baseline, scratch, progress)
    spec = registry.format_named(artifact.format)
    said = sentences.all_of(found, artifact.size_bytes, writes_text=spec.writes_text)
    if look is None:
        said = (*said, f"Assay has no profiler for {spec.label}: more cannot be told from inside.")
    return replace(found, sentences=said)


def features() -> dict[str, bool]:
    """The instruction sets that decide how fast few bits are, and whether they are here."""
    here = processor.features()
    known = ARM_FEATURES if processor.is_arm() else FEATURES
    return {name: bool(here & set(flags)) for name, flags in known.items()}


def _onnx(
    found: Explanation,
    artifact: Artifact,
    baseline: Artifact | None,
    scratch: Path,
    progress: Progress,
) -> Explanation:
    given = _feed(artifact)
    threads = found.machine.threads
    progress(f"Profiling {registry.named(artifact)}", 0.2)
    own, graph = profile_onnx(artifact, given, threads, found.machine, scratch / "own")
    before: Profile | None = None
    if baseline is not None:
        progress(f"Profiling {registry.named(baseline)}", 0.6)
        before, _ = profile_onnx(
            baseline, _feed(baseline), threads, found.machine, scratch / "before"
        )
    pairs = pairs_in(artifact.path)
    left = left_unfused(graph) if pairs else ()
    return replace(found, profile=own, baseline=before, pairs=pairs, unfused=left)


def _torch(
    found: Explanation,
    artifact: Artifact,
    baseline: Artifact | None,
    scratch: Path,
    progress: Progress,
) -> Explanation:
    given, threads = _feed(artifact), found.machine.threads
    progress(f"Profiling {registry.named(artifact)}", 0.2)
    own = profile_torch(artifact, given, threads)
    before = None
    if baseline is not None:
        progress(f"Profiling {registry.named(baseline)}", 0.6)
        before = profile_torch(baseline, _feed(baseline), threads)
    return replace(found, profile=own, baseline=before)


def _feed(artifact: Artifact) -> Feed:
    return feed(artifact.signature, "random", 1, _SEED)


def _zeros(artifact: Artifact) -> float | None:
    """The share of zeros among the values of large weights; None where no weight is found."""
    zeros = values = 0
    for array in _weights(artifact):
        zeros += array.size - int(np.count_nonzero(array))
        values += array.size
    return zeros / values if values else None


def _weights(artifact: Artifact) -> Iterable[np.ndarray[Any, Any]]:
    """The weights with more than ``_MANY`` values and two dimensions, one at a time."""
    if artifact.format == "onnx":
        from onnx import numpy_helper

        for item in load(artifact.path).graph.initializer:
            if len(item.dims) > 1 and np.prod(item.dims) > _MANY:
                yield numpy_helper.to_array(item)
        return
    module = registry.load(artifact)
    for tensor in _of_module(module):
        if tensor.ndim > 1 and tensor.numel() > _MANY and tensor.is_floating_point():
            yield tensor.detach().float().numpy()


def _of_module(module: Any) -> Iterable[Any]:
    """Its parameters, or the constants in its graph that freezing made of them."""
    if found := list(module.parameters()):
        return found
    graph = module.inlined_graph  # held: its nodes go with it
    nodes = graph.findAllNodes("prim::Constant")
    held = (node for node in nodes if "value" in node.attributeNames())
    return [node.t("value") for node in held if node.kindOf("value") == "t"]
