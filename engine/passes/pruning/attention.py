"""Attention heads: which layers hold them, how important each is, and taking some out.

A unit is a key head with every query head that reads it, so that grouped-query attention keeps its
grouping. Modern transformers count heads by the width of the layers; older code by attributes,
which are set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.lazy import require
from engine.passes.pruning.scores import Score

_PROJECTIONS = (
    ("query", "key", "value"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
)
_OUT = ("o_proj", "out_proj", "out_lin")
_WIDTH = ("head_dim", "attention_head_size")
_QUERY_COUNTS = ("num_heads", "num_attention_heads", "n_heads")
_KEY_COUNTS = ("num_key_value_heads", "num_kv_heads")


@dataclass(frozen=True, slots=True)
class Heads:
    """One attention: its module and the linear layers in and out of its heads."""

    name: str
    module: Any
    query: Any
    key: Any
    value: Any
    out: Any
    width: int
    """How many values a head has."""

    @property
    def layers(self) -> tuple[Any, ...]:
        return self.query, self.key, self.value, self.out

    @property
    def units(self) -> int:
        """How many can be taken out one by one: its key heads."""
        return int(self.key.out_features) // self.width

    @property
    def each(self) -> int:
        """Query heads a unit."""
        return int(self.query.out_features) // self.width // self.units


def attentions(module: Any) -> Iterator[Heads]:
    """Every attention whose layers are known by name."""
    from torch import nn

    for name, item in module.named_modules():
        widths = (getattr(item, attribute, None) for attribute in _WIDTH)
        width = next((found for found in widths if isinstance(found, int)), 0)
        for names in _PROJECTIONS:
            query, key, value = (getattr(item, part, None) for part in names)
            layers = query, key, value, _out(module, name, item)
            if width and all(isinstance(one, nn.Linear) for one in layers):
                yield Heads(name, item, *layers, width=width)


def _out(module: Any, name: str, item: Any) -> Any:
    """The layer that the heads go into: a child, or BERT's, which is beside them."""
    from torch import nn

    beside = f"{name.rpartition('.')[0]}.output.dense".lstrip(".")
    found = [getattr(item, key, None) for key in _OUT]
    found.append(dict(module.named_modules()).get(beside))
    return next((one for one in found if isinstance(one, nn.Linear)), None)


def unit_scores(heads: Heads, score: Score) -> Any:
    """How important each unit is: the sum over its rows and columns."""
    total: Any = 0
    for layer in (heads.query, heads.key, heads.value):
        total = total + score(layer.weight).sum(1).view(heads.units, -1).sum(1)
    return total + score(heads.out.weight).sum(0).view(heads.units, -1).sum(1)


def take_out(heads: Heads, units: list[int]) -> None:
    """Remove the units from every layer, and count the heads anew."""
    pruning = require("torch_pruning", "torch-pruning")
    before = heads.units * heads.each, heads.units
    wide = heads.width * heads.each
    rows = [unit * heads.width + i for unit in units for i in range(heads.width)]
    query_rows = [unit * wide + i for unit in units for i in range(wide)]
    pruning.prune_linear_out_channels(heads.query, query_rows)
    pruning.prune_linear_in_channels(heads.out, query_rows)
    pruning.prune_linear_out_channels(heads.key, rows)
    pruning.prune_linear_out_channels(heads.value, rows)
    after = heads.units * heads.each, heads.units
    for names, old, new in zip((_QUERY_COUNTS, _KEY_COUNTS), before, after, strict=True):
        for name in names:
            if getattr(heads.module, name, None) == old:
                setattr(heads.module, name, new)
    if getattr(heads.module, "all_head_size", None) == before[0] * heads.width:
        heads.module.all_head_size = after[0] * heads.width
