"""Which share each layer is pruned by, from what a person wrote."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence

from engine.errors import BadRequest

_NEAR = 3


def shares(asked: str, layers: Sequence[str], usual: float) -> dict[str, float]:
    """The share of every layer. ``asked``: ``"name=0.5;other*=0"``; a name stands for all below it.

    Raises BadRequest for a name that no layer has, giving near ones, and for a share that would
    empty a layer.
    """
    found = dict.fromkeys(layers, usual)
    for item in filter(None, (part.strip() for part in asked.split(";"))):
        name, given, number = (piece.strip() for piece in item.partition("="))
        meant = [layer for layer in layers if _means(name, layer)]
        if not meant:
            raise _no_layer(name, layers)
        found |= dict.fromkeys(meant, _share(name, number) if given else usual)
    return found


def _means(wanted: str, layer: str) -> bool:
    pattern = ".*".join(map(re.escape, wanted.split("*")))
    return re.fullmatch(rf"{pattern}(\..*)?", layer) is not None


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if 0 <= share < 1:
        return share
    why = "would empty the layer" if share >= 1 else "is not a share"
    raise BadRequest(
        f"{text!r} for the layer {name!r} {why}.", hint="Give a number from 0 to 0.99."
    )


def _no_layer(name: str, layers: Sequence[str]) -> BadRequest:
    parts = {".".join(layer.split(".")[:depth]) for layer in layers for depth in range(1, 12)}
    near = difflib.get_close_matches(name, sorted(parts), _NEAR, 0.4)
    return BadRequest(
        f"There is no layer {name!r} that could be pruned.",
        hint=f"Near it: {', '.join(near or layers[:_NEAR])}. '*' stands for anything.",
    )
