"""State dicts, read without running anything: torch's own files and safetensors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import InvalidModel, UnsafeModel
from engine.sources import archive, pickles, safetensors
from engine.sources.words import quoted

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "params", "weights", "ema")


def read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors by name, and notes on what was unwrapped. Raises InvalidModel, UnsafeModel."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[:2] == b"PK" or head[:1] == b"\x80":
        loaded = _torch(path, zipped=head[:2] == b"PK")
        return _unwrapped(loaded)
    return _safetensors(path), ()


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    safetensors.check(path)
    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise InvalidModel(
            f"This begins like safetensors but cannot be read as such: {quoted(error)}",
            hint="It was cut short or changed: bring it again.",
        ) from error
    if not tensors:
        raise InvalidModel("There are no tensors in this file.", hint="Save the weights again.")
    return tensors


def _torch(path: Path, *, zipped: bool) -> Any:
    """Scanned, then loaded with ``weights_only=True``: both, because neither is a boundary."""
    import torch

    if zipped:
        with archive.opened(path) as source:
            pickles.check_archive(source)
    else:
        pickles.check_legacy(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        if "Unsupported" in str(error) or "weights_only" in str(error):
            raise UnsafeModel(
                f"PyTorch refuses to open this file as weights alone: {quoted(error)}",
                hint="Save them with torch.save(model.state_dict(), path) or as safetensors.",
            ) from error
        raise InvalidModel(
            f"PyTorch cannot read this file: {quoted(error)}",
            hint="It was cut short or changed: bring it again.",
        ) from error


def _unwrapped(loaded: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The state_dict inside a checkpoint, with a note saying where it was."""
    notes: tuple[str, ...] = ()
    for _ in range(3):
        tensors = _tensors_of(loaded)
        if tensors:
            return tensors, notes
        inner = next((key for key in _WRAPPERS if _is_mapping(loaded, key)), None)
        if inner is None:
            break
        others = ", ".join(str(key)[:30] for key in loaded if key != inner)
        beside = f"; {others} beside it was left out" if others else ""
        notes += (f"This is a checkpoint: the weights under {inner!r} were taken{beside}.",)
        loaded = loaded[inner]
    found = type(loaded).__name__
    some = f" with {', '.join(repr(str(k)[:30]) for k in list(loaded)[:4])}" if _has(loaded) else ""
    raise InvalidModel(
        f"Expected weights by name (a state_dict); this file holds a {found}{some}.",
        hint="Save the weights with torch.save(model.state_dict(), path).",
    )


def _has(loaded: Any) -> bool:
    return isinstance(loaded, Mapping) and bool(loaded)


def _is_mapping(loaded: Any, key: str) -> bool:
    return isinstance(loaded, Mapping) and isinstance(loaded.get(key), dict | OrderedDict)


def _tensors_of(loaded: Any) -> dict[str, Any]:
    """The named tensors directly in a mapping; empty when it is something else."""
    import torch

    if not isinstance(loaded, Mapping):
        return {}
    tensors = {k: v for k, v in loaded.items() if isinstance(k, str) and torch.is_tensor(v)}
    # A checkpoint may hold a stray tensor beside the mapping that has the weights.
    if len(tensors) * 2 < len(loaded) or not tensors:
        return {}
    if len(tensors) > safetensors.MOST_TENSORS:
        raise InvalidModel(
            f"This state_dict has {len(tensors):,} tensors; at most {safetensors.MOST_TENSORS:,} "
            "are read.",
            hint="Bring the weights of one model.",
        )
    for name, tensor in tensors.items():
        _check_extent(name, tensor)
    return tensors


def _check_extent(name: str, tensor: Any) -> None:
    """A tensor must have the bytes it speaks of: a stride of 0 makes gigabytes out of four."""
    import torch

    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise InvalidModel(
            f"The tensor {name[:60]!r} is sparse or has no values.",
            hint="Save the weights as plain (dense) tensors.",
        )
    needed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if needed > held:
        raise InvalidModel(
            f"The tensor {name[:60]!r} claims {needed:,} bytes and holds {held:,}.",
            hint="Save the weights again, each tensor made contiguous().",
        )
