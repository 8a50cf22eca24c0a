"""Pruning: weights set to zero, or whole channels and attention heads removed.

Both can be followed by a short training on labelled samples, which brings accuracy back.
"""

from engine.changes import Pass
from engine.passes.pruning import channels, graph, weights
from engine.passes.pruning.options import PruneChannelsOptions, PruneWeightsOptions

__all__ = ["PASSES", "channels", "graph", "weights"]

PASSES = (
    Pass(
        "prune-channels",
        "Prune channels",
        "Removes the least important channels and attention heads for good: fewer "
        "multiplications, a smaller file, less time in every format. Costs accuracy, which "
        "fine-tuning on labelled samples brings back.",
        "pruning",
        options=PruneChannelsOptions,
        wants="labels",
    ),
    Pass(
        "prune-weights",
        "Prune weights",
        "Sets the smallest weights to zero. The file compresses better; no ordinary kernel gets "
        "faster, since it multiplies by zeros as by any number: prune channels for speed.",
        "pruning",
        options=PruneWeightsOptions,
        wants="labels",
    ),
)
