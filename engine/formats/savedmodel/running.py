"""Running a SavedModel on the CPU, with as many threads as asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.feeds import check_feed
from engine.formats.savedmodel import artifact as saved
from engine.formats.savedmodel import packing
from engine.formats.savedmodel.framework import tf
from engine.types import Artifact, Feed, RunnerOptions


@dataclass(frozen=True, slots=True)
class Loaded:
    """TensorFlow's own object, the function of the signature that is run, and its names."""

    model: Any
    function: Any
    names: saved.Names


def load(path: Path) -> Loaded:
    """The SavedModel, its variables read. Raises InvalidModel."""
    folder = saved.home(path)
    name, names = saved.signature_name(folder), saved.read_sidecar(path).names
    with tensorflow_errors("reading the SavedModel"):
        model = tf.saved_model.load(str(folder))
        return Loaded(model, model.signatures[name], names)


class SavedModelRunner:
    """A Runner over the signature ``serving_default``."""

    def __init__(self, artifact: Artifact, options: RunnerOptions) -> None:
        self._artifact = artifact
        self._options = options
        self._loaded: Loaded | None = None

    def __enter__(self) -> Self:
        use_threads(self._options.threads)
        self._loaded = load(self._artifact.path)
        packing.promise(self._artifact.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loaded = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Raises BadRequest for a wrong feed, InvalidModel when the model fails."""
        assert self._loaded is not None, "a runner is used as a context manager"
        signature, names = self._artifact.signature, self._loaded.names
        check_feed(feed, signature)
        wanted = [spec.name for spec in signature.outputs] or list(names.outputs)
        with tensorflow_errors("running the model"):
            given = {names.inputs[name]: tf.constant(array) for name, array in feed.items()}
            made = self._loaded.function(**given)
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
        made = tf.config.threading.get_intra_op_parallelism_threads() or "all"
        if made != count:
            warnings.warn(
                f"TensorFlow keeps its {made} threads; {count} came too late.", stacklevel=2
            )


@contextmanager
def tensorflow_errors(doing: str) -> Iterator[None]:
    """Turn what TensorFlow raises into InvalidModel; running out of memory stays what it is."""
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        said = _said(error)
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise MemoryError(said) from error
        raise InvalidModel(
            f"TensorFlow failed while {doing}: {said}",
            hint="Check the signature and, if the model came from elsewhere, save it again.",
        ) from error


_AROUND = ("Graph execution error", "Detected at node", "<stack traces", "File ", "Detected unsup")


def _said(error: Exception) -> str:
    """The line that says what went wrong, without where in TensorFlow it was noticed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_AROUND)]
    return next(iter([*telling, *lines]), type(error).__name__)[:300]
