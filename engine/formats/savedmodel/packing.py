"""Weights packed once for the processor's kernels, as ONNX Runtime does by itself.

oneDNN, which TensorFlow calls on x86, is faster with weights in an order of its own. TensorFlow
packs a constant once; a variable it hands over as it lies, for it may change. The environment
variable ``FROZEN`` promises for the whole process that no weight does, and costs far less memory
than constants would (ResNet-50: 0.1 GB, against 1.3 GB). But it is believed of every weight: one
that is computed would be packed at the first run and be wrong from the second on. So the promise is
made only for a model that keeps it, and only where no other runs in the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.formats.savedmodel import artifact
from engine.types import OWN_PROCESS

FROZEN = "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"
_WEIGHTED = frozenset(("Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"))
"""What TensorFlow packs the second input of. Products of batches and transposed convolutions are
left out: their weights are never packed."""
_KEPT = frozenset(("Const", "ReadVariableOp"))
_REARRANGED = frozenset(("Identity", "Transpose", "Reshape", "Cast"))


def promise(path: Path) -> None:
    """Let TensorFlow pack the weights of this model, before its first run, if none can change."""
    folder = artifact.home(path)
    if os.environ.get(OWN_PROCESS) and is_frozen(
        artifact.meta_graph(folder), artifact.signature_name(folder)
    ):
        os.environ.setdefault(FROZEN, "1")


def is_frozen(graph: Any, signature: str) -> bool:
    """Whether every weight that would be packed is a constant or a variable nothing writes to."""
    if any(node.op in _WEIGHTED for node in graph.graph_def.node):
        return False  # outside of functions, in the manner of TensorFlow 1: not followed here
    bodies = list(artifact.bodies(graph, signature))
    if any(node.op.startswith(("Assign", "Resource")) for body in bodies for node in body):
        return False
    return all(_keeps_weights(body) for body in bodies)


def _keeps_weights(body: Sequence[Any]) -> bool:
    known = {node.name: node for node in body}
    return all(_is_kept(node.input[1], known) for node in body if node.op in _WEIGHTED)


def _is_kept(tensor: str, known: Mapping[str, Any]) -> bool:
    """Whether that tensor is the same at every run. An argument of the function may not be."""
    node = known.get(tensor.split(":")[0])
    if node is None or node.op in _KEPT:
        return node is not None
    data = [name for name in node.input if not name.startswith("^")]
    return node.op in _REARRANGED and all(_is_kept(name, known) for name in data)
