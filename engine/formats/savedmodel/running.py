"""Running a SavedModel on the CPU, with as many threads as asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.feeds import check_feed
from engine.formats.savedmodel import artifact as saved
from engine.formats.savedmodel.framework import tf
from engine.types import Artifact, Feed, RunnerOptions


def load(path: Path) -> Any:
    """TensorFlow's own object: ``signatures`` holds the functions. Raises InvalidModel."""
    folder = saved.home(path)
    with tensorflow_errors("reading the SavedModel"):
        return tf.saved_model.load(str(folder))


class SavedModelRunner:
    """A Runner over the signature ``serving_default``."""

    def __init__(self, artifact: Artifact, options: RunnerOptions) -> None:
        self._artifact = artifact
        self._options = options
        self._model: Any = None
        self._function: Any = None
        self._names: saved.Names | None = None

    def __enter__(self) -> Self:
        path = self._artifact.path
        use_threads(self._options.threads)
        self._names = saved.read_sidecar(path).names
        name = saved.signature_name(saved.home(path))
        self._model = load(path)
        self._function = self._model.signatures[name]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._model = self._function = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Raises BadRequest for a wrong feed, InvalidModel when the model fails."""
        signature, names = self._artifact.signature, self._names
        assert names is not None, "a runner is used as a context manager"
        check_feed(feed, signature)
        wanted = [spec.name for spec in signature.outputs] or list(names.outputs)
        with tensorflow_errors("running the model"):
            given = {names.inputs[name]: tf.constant(array) for name, array in feed.items()}
            made = self._function(**given)
            return {name: made[names.outputs[name]].numpy() for name in wanted}


def use_threads(count: int) -> None:
    """One pool of ``count`` threads, operations in order.

    TensorFlow makes its pools once a process, at its first operation: the first runner decides,
    and in a worker that is the only one.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return


@contextmanager
def tensorflow_errors(doing: str) -> Iterator[None]:
    """Turn what TensorFlow raises into InvalidModel; running out of memory stays what it is."""
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise MemoryError(lines[0][:300]) from error
        raise InvalidModel(
            f"TensorFlow failed while {doing}: {lines[0][:300]}",
            hint="Check the signature and, if the model came from elsewhere, save it again.",
        ) from error
