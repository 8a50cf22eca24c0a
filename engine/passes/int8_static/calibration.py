"""What the tensors of a graph hold while samples run through it, one sample after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine import processor
from engine.data.model import Samples
from engine.errors import BadRequest, UnsupportedModel
from engine.feeds import check_feed
from engine.onnxfile import onnx_errors, outgrows_one_file
from engine.passes.int8_static.histogram import Histogram
from engine.types import Feed, Signature

Said = Callable[[int], None]
"""Called with how many samples have been read."""


def collect(
    graph: Path, operators: Sequence[str], feeds: Iterator[Feed], bins: bool, said: Said
) -> dict[str, Histogram]:
    """Run every feed; gives a histogram for each float tensor around nodes of ``operators``.

    Only one sample's values are held at a time. Raises UnsupportedModel for values that are not
    finite, naming tensor and sample.
    """
    session, names = _watching(graph, operators)
    found = {name: Histogram(bins) for name in names}
    for index, feed in enumerate(feeds):
        with onnx_errors("running a calibration sample"):
            values = session.run(names, dict(feed))
        for name, value in zip(names, values, strict=True):
            if not found[name].add(value):
                raise UnsupportedModel(
                    f"Sample {index} gives NaN or infinity at {name!r}: that has no range.",
                    hint="Leave that sample out, or the layer in float (option exclude).",
                )
        said(index + 1)
    return found


def _watching(graph: Path, operators: Sequence[str]) -> tuple[Any, list[str]]:
    """A session that also gives what flows between the nodes, and the names of that."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization.calibrate import CalibraterBase

    with onnx_errors("preparing the calibration"):
        base = CalibraterBase(graph, op_types_to_calibrate=list(operators))
        tensors, infos = base.select_tensors_to_calibrate(base.model)
        names = sorted(tensors)
        known = {item.name for item in base.model.graph.output}
        base.model.graph.output.extend(infos[name] for name in names if name not in known)
        watched = graph.with_name("watched.onnx")
        onnx.save(base.model, str(watched), save_as_external_data=outgrows_one_file(base.model))
        settings = onnxruntime.SessionOptions()
        # Every value is looked at: nothing may be fused away.
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        settings.intra_op_num_threads = processor.cores()
        settings.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            str(watched), settings, providers=["CPUExecutionProvider"]
        )
    return session, names


def checked(samples: Samples, most: int, signature: Signature) -> Iterator[Feed]:
    """At most so many feeds. Raises BadRequest for none, or naming the first that is unusable."""
    index = -1
    for index, feed in enumerate(islice(samples.feeds(), most)):
        try:
            check_feed(feed, signature)
        except BadRequest as error:
            raise BadRequest(f"Sample {index}: {error.message}", hint=error.hint) from error
        for name, array in feed.items():
            if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
                raise BadRequest(
                    f"Sample {index} has NaN or infinite values in {name!r}.",
                    hint="Leave it out, or fill the gaps.",
                )
        yield feed
    if index < 0:
        raise BadRequest(
            f"There is no sample to calibrate on in {samples.name!r}.",
            hint="Give at least one; 100 and more are recommended.",
        )
