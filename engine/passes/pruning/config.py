"""A pruned transformer by its own config.json, where that can say what was done to it.

Then other tools (llama.cpp's converter, transformers) read it as an ordinary, smaller model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.architectures import ArchitectureSpec, folder, own_code

_Pairs = Mapping[str, tuple[int, int]]
_INNER = ("intermediate_size", "hidden_dim", "ffn_dim", "n_inner")


def smaller(source: Path, bare: Any, channels: _Pairs, heads: _Pairs) -> ArchitectureSpec:
    """The spec whose configuration builds ``bare``; the one it had where there is none such.

    ``channels`` and ``heads`` give, by layer, (units before, units left).
    """
    spec = folder.read_spec(source)
    config = getattr(bare, "config", None)
    if config is None or spec.architecture == own_code.NAME:
        return spec
    changed = {**_inner(config, channels), **_heads(config, heads)}
    asked = replace(spec, config={**spec.config, **changed})
    return asked if folder.builds(asked, bare) else spec


def _inner(config: Any, channels: _Pairs) -> dict[str, int]:
    """The new width between the two layers of every block, where it is one and the same."""
    if len(set(channels.values())) != 1:
        return {}
    ((old, new),) = set(channels.values())
    return {name: new for name in _INNER if getattr(config, name, None) == old}


def _heads(config: Any, heads: _Pairs) -> dict[str, int]:
    """The new counts of heads, where every layer has the same."""
    if len(set(heads.values())) != 1:
        return {}
    ((_, left),) = set(heads.values())
    queries = getattr(config, "num_attention_heads", None)
    if not isinstance(queries, int):
        return {}
    keys = getattr(config, "num_key_value_heads", None) or queries
    width = getattr(config, "head_dim", None) or config.hidden_size // queries
    found = {"num_attention_heads": left * (queries // keys), "head_dim": width}
    grouped = hasattr(config, "num_key_value_heads")
    return found | ({"num_key_value_heads": left} if grouped else {})
