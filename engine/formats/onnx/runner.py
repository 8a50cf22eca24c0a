"""An ONNX file, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.feeds import check_feed
from engine.onnxfile import file_of, onnx_errors
from engine.types import Artifact, Feed, RunnerOptions


class OnnxRunner:
    """A Runner over an ONNX Runtime session on the CPU: one pool of ``threads``, in order."""

    def __init__(self, artifact: Artifact, options: RunnerOptions) -> None:
        self._artifact = artifact
        self._options = options
        self._session: Any = None

    def __enter__(self) -> Self:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._options.threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.log_severity_level = 4
        with onnx_errors("loading the model"):
            self._session = onnxruntime.InferenceSession(
                str(file_of(self._artifact.path)), settings, providers=["CPUExecutionProvider"]
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Raises BadRequest for a wrong feed, InvalidModel when the model fails."""
        signature = self._artifact.signature
        check_feed(feed, signature)
        names = [spec.name for spec in signature.outputs] or [
            output.name for output in self._session.get_outputs()
        ]
        with onnx_errors("running the model"):
            return dict(zip(names, self._session.run(names, dict(feed)), strict=True))
