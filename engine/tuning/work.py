"""What one inference has to compute, and what it has to read at the least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import registry
from engine.errors import UnsupportedModel
from engine.types import Artifact, Feed, RunnerOptions

LOOKUPS = {"Gather", "GatherBlockQuantized", "GatherElements", "GatherND"}
"""Operators that read some rows of a table, and not all of it."""
_TORCH_LOOKUPS = {"aten::embedding", "aten::index", "aten::index_select", "aten::gather"}
_COUNTED = ("aten", "prim", "prims")


@dataclass(frozen=True, slots=True)
class Work:
    """One inference. A multiplication and an addition are two operations.

    By what they are computed in: float32, 16 bits, 8 bits. ``bytes``: the weights, what goes in
    and what comes out, each once; what lies between need never leave the cache.
    """

    float_operations: int
    half_operations: int
    int8_operations: int
    bytes: int

    @property
    def operations(self) -> int:
        """All of them."""
        return self.float_operations + self.half_operations + self.int8_operations


def work_of_torch(artifact: Artifact, feed: Feed) -> Work:
    """Of an eager module or a TorchScript: products and convolutions, by PyTorch's own counter.

    Raises UnsupportedModel where an operator runs that the counter knows nothing of.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    class Watch(TorchDispatchMode):
        """Which operators run, and what they read that none of them made."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped
            self.foreign: set[str] = set()
            self.read: dict[int, int] = {}
            self.made: set[int] = set()
            self.looked_up = 0
            self.halves = False

        def __torch_dispatch__(
            self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = str(operator.name()).partition(".")[0]
            if operator.namespace not in _COUNTED:
                self.foreign.add(name)
            given = operator(*args, **(kwargs or {}))
            lookup = name in _TORCH_LOOKUPS
            for tensor in _tensors((args, kwargs or {})):
                place = tensor.untyped_storage().data_ptr()
                self.halves |= tensor.is_floating_point() and tensor.element_size() == 2
                if place not in self.made and not (lookup and tensor.is_floating_point()):
                    self.read[place] = tensor.untyped_storage().nbytes()
            for tensor in _tensors(given):
                place = tensor.untyped_storage().data_ptr()
                if place not in self.read:
                    self.made.add(place)
                if lookup:
                    self.looked_up += tensor.numel() * tensor.element_size()
            return given

    with registry.open_runner(artifact, RunnerOptions(threads=1)) as runner:
        answer = runner.infer(feed)  # a script is specialised before it is watched
        with Watch() as watch, FlopCounterMode(display=False) as counter:
            runner.infer(feed)
    if watch.foreign:
        raise UnsupportedModel(
            f"PyTorch's counter does not know {', '.join(sorted(watch.foreign))}.",
            hint="ONNX of the same model is counted node by node.",
        )
    counted = int(counter.get_total_flops())
    return Work(
        float_operations=0 if watch.halves else counted,
        half_operations=counted if watch.halves else 0,
        int8_operations=0,
        bytes=sum(watch.read.values())
        + watch.looked_up
        + sum(array.nbytes for array in answer.values()),
    )


def _tensors(value: Any) -> list[Any]:
    """Every tensor in arguments or an answer, however nested, that has memory of its own."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value] if value.layout == torch.strided and not value.is_quantized else []
    if isinstance(value, Mapping):
        return [one for item in value.values() for one in _tensors(item)]
    if isinstance(value, list | tuple):
        return [one for item in value for one in _tensors(item)]
    return []
