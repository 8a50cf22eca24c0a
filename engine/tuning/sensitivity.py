"""How far each quantized node of an ONNX graph is from the same node in float, in one pass.

Three graphs see every sample: the float one, the quantized one, and one in which each node is
quantized alone. Only one sample's values are held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine import processor
from engine.changes import Progress
from engine.data.model import Samples
from engine.errors import UnsupportedModel
from engine.files import link_or_copy
from engine.onnxfile import file_of, graph_only, onnx_errors, write_graph
from engine.tuning.model import LayerError, Sensitivity
from engine.tuning.pairs import QdqGraph, fed
from engine.types import Artifact, Feed

_PIECE = 1 << 16


@dataclass(slots=True)
class _Energy:
    """Sums of squares over all samples: of the signal, and of both differences from it."""

    signal: float = 0.0
    noise: float = 0.0
    alone: float | None = None

    def add(self, reference: np.ndarray, found: np.ndarray, alone: np.ndarray | None) -> None:
        self.signal += _squares(reference, None)
        self.noise += _squares(found, reference)
        if alone is not None:
            self.alone = (self.alone or 0.0) + _squares(alone, reference)

    def sqnr(self, noise: float | None) -> float | None:
        """Decibels; None where nothing differs, or there is nothing to differ from."""
        if not noise or not self.signal:
            return None
        return 10 * math.log10(self.signal / noise)


def measure(
    artifact: Artifact,
    baseline: Artifact,
    samples: Samples,
    most: int,
    scratch: Path,
    progress: Progress,
) -> Sensitivity:
    """Compare on at most ``most`` samples. Raises UnsupportedModel where nothing is quantized."""
    work = _Work(artifact.path, baseline.path, scratch)
    many = min(most, samples.count)
    read = 0
    for read, feed in enumerate(islice(samples.feeds(), many), 1):
        work.take(feed)
        progress(f"Comparing the layers: sample {read} of {many}", read / many)
    return Sensitivity(
        artifact_id=artifact.id,
        baseline_id=baseline.id,
        samples=read,
        source=samples.name,
        origin=samples.origin,
        layers=tuple(work.errors()),
        unmatched=tuple(one.node.name for one in work.unmatched),
    )


class _Work:
    """The three graphs in their sessions, and what was summed up so far."""

    def __init__(self, quantized: Path, baseline: Path, scratch: Path) -> None:
        self._scratch = scratch
        self._path = quantized
        self._model = graph_only(quantized)
        self._qdq = QdqGraph(self._model.graph)
        if not self._qdq.nodes:
            raise UnsupportedModel(
                "No node of this graph reads quantized values: there are no layers to compare.",
                hint="Look at an artifact that was made with calibrated INT8.",
            )
        plain = graph_only(baseline)
        there = {name for node in plain.graph.node for name in node.output}
        inputs = {item.name for item in plain.graph.input}
        self._named = {one.seen: one.named_in(there) for one in self._qdq.nodes}
        self._matched = [one for one in self._qdq.nodes if self._named[one.seen]]
        self.unmatched = [one for one in self._qdq.nodes if not self._named[one.seen]]
        self._apart = [one for one in self._matched if set(self._qdq.reads(one)) <= there | inputs]
        read = {name for one in self._apart for name in self._qdq.reads(one)}
        self._wanted = sorted({*(self._named[one.seen] for one in self._matched), *(read - inputs)})
        self._float = _exposed(plain, baseline, self._wanted, scratch / "float")
        self._seen = [one.seen for one in self._matched]
        self._whole = _exposed(self._model, quantized, self._seen, scratch / "quantized")
        self._alone: Any = None
        self._energies = {one.seen: _Energy() for one in self._matched}

    def take(self, feed: Feed) -> None:
        """One sample through all three."""
        with onnx_errors("comparing the layers"):
            plain = dict(zip(self._wanted, self._float.run(self._wanted, dict(feed)), strict=True))
            given = {**feed, **plain}
            whole = dict(zip(self._seen, self._whole.run(self._seen, dict(feed)), strict=True))
            alone = self._run_apart(given)
        for one in self._matched:
            wanted = plain[self._named[one.seen]]
            if wanted.shape == whole[one.seen].shape:
                self._energies[one.seen].add(wanted, whole[one.seen], alone.get(one.seen))

    def errors(self) -> Iterator[LayerError]:
        """What was found, by depth."""
        depths = {one.seen: depth for depth, one in enumerate(self._qdq.nodes, 1)}
        for one in self._matched:
            found = self._energies[one.seen]
            yield LayerError(
                one.node.name,
                one.node.op_type,
                one.layer,
                depths[one.seen],
                found.sqnr(found.noise),
                found.sqnr(found.alone),
            )

    def _run_apart(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What each node gives when it alone is quantized."""
        import onnx

        if not self._apart:
            return {}
        names = {name for one in self._apart for name in self._qdq.reads(one)}
        if self._alone is None:
            as_onnx = onnx.helper.np_dtype_to_tensor_dtype
            kinds = {name: as_onnx(given[name].dtype) for name in names}
            graph = self._qdq.apart(self._apart, kinds)
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            model.graph.CopyFrom(graph)
            self._alone = _session(model, self._path, self._scratch / "alone")
        seen = [one.seen for one in self._apart]
        values = self._alone.run(seen, {fed(name): given[name] for name in names})
        return dict(zip(seen, values, strict=True))


def _exposed(model: Any, path: Path, names: Sequence[str], scratch: Path) -> Any:
    """A session of the graph that also gives these tensors."""
    import onnx

    known = {item.name for item in model.graph.output}
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in known
    )
    return _session(changed, path, scratch)


def _session(model: Any, path: Path, scratch: Path) -> Any:
    """A session of a changed graph, with the weights that lie beside the file it came from."""
    import onnxruntime

    scratch.mkdir(parents=True)
    graph = file_of(path)
    if path.is_dir():
        for item in path.iterdir():
            if item != graph:
                link_or_copy(str(item), str(scratch / item.name))
    write_graph(model, scratch / graph.name)
    settings = onnxruntime.SessionOptions()
    # Computed in float, pairs and all: what is looked at keeps its name, and weights are unpacked
    # once and not with every sample.
    settings.add_session_config_entry("session.disable_quant_qdq", "1")
    settings.intra_op_num_threads = processor.cores()
    settings.log_severity_level = 4
    with onnx_errors("preparing to compare the layers"):
        return onnxruntime.InferenceSession(
            str(scratch / graph.name), settings, providers=["CPUExecutionProvider"]
        )


def _squares(values: np.ndarray, away: np.ndarray | None) -> float:
    """Σ (values - away)², piece by piece, so that no second array of that size is needed.

    What is not finite counts as zero, and so is as wrong as the signal there is strong.
    """
    flat, other = values.reshape(-1), None if away is None else away.reshape(-1)
    total = 0.0
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE].astype(np.float64)
        less = 0.0 if other is None else other[start : start + _PIECE].astype(np.float64)
        delta = piece - less
        if not math.isfinite(found := _sum_of_squares(delta)):
            delta = np.nan_to_num(piece, posinf=0, neginf=0) - np.nan_to_num(
                less, posinf=0, neginf=0
            )
            found = _sum_of_squares(delta)
        total += found
    return total


def _sum_of_squares(values: np.ndarray) -> float:
    """Without BLAS, whose threads cost more than they give on pieces of this size."""
    return float(np.einsum("i,i->", values, values))
