"""Single weights set to zero, for good: by PyTorch's own pruning, on the eager model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.architectures import folder, surgery
from engine.changes import Given, handles
from engine.errors import UnsupportedModel
from engine.lazy import Requirement
from engine.passes.pruning import zeros
from engine.passes.pruning.course import in_steps
from engine.passes.pruning.labelled import labelled, required
from engine.passes.pruning.layers import shares
from engine.passes.pruning.options import PruneWeightsOptions, asked
from engine.registry import Conversion
from engine.types import Artifact, Step

_TORCH = Requirement("torch", "torch")


def fits(artifact: Artifact) -> str | None:
    """Why its weights cannot be pruned; None where they may."""
    if surgery.read(artifact.path).precision:
        return "This model's precision is changed already: prune first, then quantize."
    return None


@handles("prune-weights", "torch", fits=fits)
def prune_weights(
    source: Artifact, out: Path, options: PruneWeightsOptions, given: Given
) -> Conversion:
    """L1, per layer or global, or 2:4. Raises BadRequest, UnsupportedModel."""
    zeros.check(options)
    given.progress("Reading the model", 0.05)
    bare = folder.bare(source.path)
    layers = _layers(bare)
    if not layers:
        raise UnsupportedModel(
            f"{type(bare).__name__} has no linear or convolutional layer to prune.",
            hint="Choose another pass.",
        )
    share = shares(options.layers, list(layers), options.amount)
    data = labelled(given.samples, source.signature)
    if options.epochs:
        required(data, given.samples, "Fine-tuning")
    whole = folder.adapted(bare, source.path)
    bare.requires_grad_(True)
    left_out = _without_fours(layers) if options.pattern == "2-4" else {}

    def prune(part: float) -> None:
        if options.pattern == "2-4":
            _two_of_four({k: v for k, v in layers.items() if k not in left_out and share[k]}, part)
        else:
            _smallest(layers, share, part, together=options.scope == "global")
        zeros.refuse_emptied(_counted(layers))

    notes = in_steps(prune, whole, data, options, given.progress)
    for layer in layers.values():
        _make_permanent(layer)
    bare.requires_grad_(False)
    given.progress("Writing and compressing", 0.92)
    folder.rewrite(source.path, out, bare)
    found = _counted(layers)
    before, after = (zeros.compressed(path / folder.WEIGHTS) for path in (source.path, out))
    said = (*zeros.notes(found, (before, after), options.pattern), *left_out.values(), *notes)
    version = _TORCH.version or ""
    step = Step("prune", "torch.nn.utils.prune", version, asked(options), said)
    return Conversion(source.signature, step, report=zeros.report(found))


def _layers(module: Any) -> dict[str, Any]:
    """Every layer with a matrix of weights that is no table of tokens, nor tied to one."""
    from torch import nn

    tables = {item.weight.data_ptr() for item in module.modules() if isinstance(item, nn.Embedding)}
    return {
        name: item
        for name, item in module.named_modules()
        if isinstance(weight := getattr(item, "weight", None), nn.Parameter)
        and weight.ndim >= 2
        and weight.data_ptr() not in tables
    }


def _smallest(
    layers: Mapping[str, Any], share: Mapping[str, float], part: float, *, together: bool
) -> None:
    """Mask the smallest weights until ``part`` of each share is gone, or of their sum."""
    from torch.nn.utils import prune

    counts = {
        name: int(share[name] * part * layer.weight.numel()) - _masked(layer)
        for name, layer in layers.items()
        if share[name]
    }
    if together:
        pool = [(layers[name], "weight") for name in counts]
        if (total := sum(counts.values())) > 0:
            prune.global_unstructured(pool, prune.L1Unstructured, amount=total)
        return
    for name, count in counts.items():
        if count > 0:
            prune.l1_unstructured(layers[name], "weight", count)


def _two_of_four(layers: Mapping[str, Any], part: float) -> None:
    """Mask two of every four, once: a part of a pattern is none."""
    import torch
    from torch.nn.utils import prune

    for layer in layers.values():
        if _masked(layer):
            continue
        keep = zeros.two_of_four(_summed_last(layer.weight.detach().numpy()))
        assert keep is not None, "a layer that was to be left out"
        mask = torch.from_numpy(np.moveaxis(keep, -1, 1).copy())
        prune.custom_from_mask(layer, "weight", mask)


def _without_fours(layers: Mapping[str, Any]) -> dict[str, str]:
    """A note for every layer that 2:4 cannot be had of."""
    from torch import nn

    takes = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {
        name: f"{name} was left as it is: it does not sum over a multiple of four."
        for name, layer in layers.items()
        if not isinstance(layer, takes) or layer.weight.shape[1] % zeros.GROUP
    }


def _summed_last(weights: np.ndarray) -> np.ndarray:
    """(out, in, …) with what is summed over, the inputs, as the last axis."""
    return np.moveaxis(weights, 1, -1)


def _masked(layer: Any) -> int:
    mask = getattr(layer, "weight_mask", None)
    return 0 if mask is None else int((mask == 0).sum())


def _make_permanent(layer: Any) -> None:
    from torch.nn.utils import prune

    if hasattr(layer, "weight_mask"):
        prune.remove(layer, "weight")


def _counted(layers: Mapping[str, Any]) -> list[zeros.Zeros]:
    return [zeros.Zeros.of(name, item.weight.detach().numpy()) for name, item in layers.items()]
