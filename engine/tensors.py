"""Arrays to tensors and back, and a Runner over anything that is called like a module.

Imports torch only inside functions. The PyTorch formats share this file, so that none of them
imports another.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.feeds import check_feed
from engine.types import Feed, RunnerOptions, Signature

OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc", "Failed to allocate memory")
"""What allocators say inside errors of another type."""
_TENSOR = re.compile(
    r"^[^/]+/(data|constants)/\d+$|^[^/]+/data/(weights|constants)/(weight|tensor)_\d+$"
)
"""Where tensors lie in PyTorch's zip files."""


def tensors_for(given: Feed, signature: Signature, *, double: bool = False) -> tuple[Any, ...]:
    """The arrays as tensors, in the signature's order; floats as float64 if ``double``."""
    import torch

    tensors = (torch.from_numpy(np.ascontiguousarray(given[s.name])) for s in signature.inputs)
    return tuple(t.double() if double and t.is_floating_point() else t for t in tensors)


def arrays_of(result: Any, signature: Signature) -> dict[str, np.ndarray]:
    """What a module gave back, by output name: the signature's, else the module's own."""
    import torch

    wanted = [spec.name for spec in signature.outputs]
    if isinstance(result, Mapping):
        named = {key: item for key, item in result.items() if not wanted or key in wanted}
    else:
        items = _flat(result)
        own = ["output"] if len(items) == 1 else [f"output_{i}" for i in range(len(items))]
        named = dict(zip(wanted if len(wanted) == len(items) else own, items, strict=True))
    return {name: _array(item) for name, item in named.items() if isinstance(item, torch.Tensor)}


def largest(tensors: Mapping[str, Any]) -> dict[str, str]:
    """The fact naming the biggest tensor and its size; empty when there is none."""
    if not tensors:
        return {}
    name = max(tensors, key=lambda key: tensors[key].numel() * tensors[key].element_size())
    size = tensors[name].numel() * tensors[name].element_size()
    return {"Largest tensor": f"{name} {list(tensors[name].shape)}, {size / 1e6:.2f} MB"}


def zipped_bytes(path: Path) -> int:
    """Bytes of the tensors in one of PyTorch's zip files: TorchScript or torch.export."""
    with zipfile.ZipFile(path) as opened:
        return sum(item.file_size for item in opened.infolist() if _TENSOR.search(item.filename))


@contextmanager
def torch_errors(doing: str) -> Iterator[None]:
    """Turn what PyTorch raises into InvalidModel; running out of memory stays what it is."""
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        text = str(error) or type(error).__name__
        if any(phrase in text for phrase in OUT_OF_MEMORY):
            raise MemoryError(first_line(text)) from error
        raise InvalidModel(
            f"PyTorch failed while {doing}: {first_line(text)}",
            hint="Check the signature and, if the file came from elsewhere, save it again.",
        ) from error


def first_line(text: str) -> str:
    """The last sentence that says what went wrong: a framework's message without its trace."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return "no message"
    # A TorchScript traceback ends with the error; everything else starts with it.
    errors = [line for line in lines if line.startswith(("RuntimeError:", "torch.jit.Error:"))]
    return (errors[-1] if errors else lines[0])[:300]


def _use_threads(count: int) -> None:
    """One pool of ``count`` threads, operations in order.

    The pool between operations is set once a process, before the first: in a worker nothing ran.
    """
    import torch

    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != 1:
        try:
            torch.set_num_interop_threads(1)
        except RuntimeError:
            warnings.warn("PyTorch keeps its pool between operations; it ran before.", stacklevel=3)


class ModuleRunner:
    """A Runner over what ``open_module`` gives: something called with tensors by position."""

    def __init__(
        self, open_module: Callable[[], Any], signature: Signature, options: RunnerOptions
    ) -> None:
        self._open = open_module
        self._signature = signature
        self._options = options
        self._module: Any = None

    def __enter__(self) -> Self:
        _use_threads(self._options.threads)
        with torch_errors("loading the model"):
            self._module = self._open()
            if self._double:
                self._module = self._module.double()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._module = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Raises BadRequest for a wrong feed, InvalidModel when the model fails."""
        import torch

        check_feed(feed, self._signature)
        with torch_errors("running the model"), torch.inference_mode():
            result = self._module(*tensors_for(feed, self._signature, double=self._double))
            return arrays_of(result, self._signature)

    @property
    def _double(self) -> bool:
        return self._options.precision == "float64"


def _flat(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [leaf for item in result for leaf in _flat(item)]
    return [result]


def _array(tensor: Any) -> np.ndarray:
    import torch

    tensor = tensor.detach().cpu()
    # numpy has no bfloat16.
    array: np.ndarray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array
