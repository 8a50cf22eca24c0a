"""Which channels must go together: torch-pruning's dependency graph, and what it leaves alone.

A residual sum, a normalisation, a concatenation tie channels of several layers to each other; a
group is all that share one set of channels. A unit is what can be taken out of it at once: one
channel, or one of each part where a grouped convolution cuts the layer into parts.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UnsupportedModel
from engine.lazy import require
from engine.tensors import torch_errors


@dataclass(frozen=True, slots=True)
class Coupled:
    """Layers that share channels: named by the first, with ``units`` of ``parts`` channels."""

    name: str
    members: tuple[str, ...]
    units: int
    parts: int
    group: Any


@dataclass(frozen=True, slots=True)
class Coupling:
    """The dependency graph of a module, and its groups that may be pruned."""

    graph: Any
    groups: tuple[Coupled, ...]

    def remove(self, coupled: Coupled, units: Sequence[int]) -> None:
        """Take units out of every layer of the group."""
        channels = [part * coupled.units + unit for part in range(coupled.parts) for unit in units]
        root = coupled.group[0].dep
        self.graph.get_pruning_group(root.target.module, root.handler, channels).prune()


def coupling(
    module: Any, tensors: Sequence[Any], ignored: Sequence[Any], names: Mapping[Any, str]
) -> Coupling:
    """Run ``module`` once and see what is tied to what. Raises UnsupportedModel, InvalidModel.

    ``ignored`` layers keep their outputs, and with them every group they are in. ``names`` are
    those of its modules.
    """
    import torch
    from torch import nn

    pruning = require("torch_pruning", "torch-pruning")
    graph = pruning.DependencyGraph()
    module.requires_grad_(True)
    with torch.enable_grad(), warnings.catch_warnings(), torch_errors("tracing the model"):
        warnings.simplefilter("ignore")
        graph.build_dependency(module, tuple(tensors), output_transform=_ends, verbose=False)
        _refuse_idle(module, graph)
        roots = (nn.modules.conv._ConvNd, nn.Linear)
        found = list(graph.get_all_groups(list(ignored), roots))
    groups = (_coupled(graph, group, names) for group in found if _may_be_pruned(graph, group))
    return Coupling(graph, tuple(one for one in groups if one))


def _ends(result: Any) -> list[Any]:
    """Each output as the end of a path of its own, so that what leads to it can be told."""
    import torch
    from torch.utils import _pytree as pytree

    leaves = pytree.tree_leaves(result)
    return [leaf * 1 for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.requires_grad]


def _refuse_idle(module: Any, graph: Any) -> None:
    """A layer that one run passes by may share channels that nobody sees."""
    from torch import nn

    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    idle = [
        name
        for name, item in module.named_modules()
        if isinstance(item, kinds) and item not in graph.module2node
    ]
    if idle:
        raise UnsupportedModel(
            f"The layer {idle[0]!r} has no part in what the model gives for an example input, so "
            "that which channels it shares cannot be seen.",
            hint="Prune weights instead, or take layers that are not used out of the model.",
        )


def _may_be_pruned(graph: Any, group: Any) -> bool:
    """Not what leads to an output, and not what is tied to tables of tokens or positions."""
    from torch import nn

    kept = (nn.Embedding, nn.Parameter, nn.MultiheadAttention, nn.RNNBase)
    return not any(
        isinstance(dep.target.module, kept)
        or (graph.is_out_channel_pruning_fn(dep.handler) and not dep.target.outputs)
        for dep, _ in group
    )


def _coupled(graph: Any, group: Any, names: Mapping[Any, str]) -> Coupled | None:
    parts = {_parts(dep.target.module) for dep, _ in group} - {1}
    channels = len(group[0].idxs)
    if len(parts) > 1 or any(channels % count for count in parts):
        return None
    count = max(parts, default=1)
    outs = [dep.target.module for dep, _ in group if graph.is_out_channel_pruning_fn(dep.handler)]
    members = tuple(dict.fromkeys(names[item] for item in outs if item in names))
    return Coupled(members[0], members, channels // count, count, group)


def _parts(module: Any) -> int:
    """Into how many parts a layer cuts its channels; 1 where it does not, or cuts each off."""
    from torch import nn

    if isinstance(module, nn.GroupNorm):
        return int(module.num_groups)
    if isinstance(module, nn.modules.conv._ConvNd) and module.groups != module.out_channels:
        return int(module.groups)
    return 1
