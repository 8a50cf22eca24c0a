"""Channels and attention heads, physically removed; the model's folder remembers the new sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.architectures import folder, surgery
from engine.changes import Given, handles
from engine.errors import UnsupportedModel
from engine.lazy import Requirement
from engine.passes.pruning import checks, config
from engine.passes.pruning.attention import Heads, attentions, take_out, unit_scores
from engine.passes.pruning.coupling import Coupling, coupling
from engine.passes.pruning.course import in_steps
from engine.passes.pruning.labelled import Labelled, labelled, required
from engine.passes.pruning.layers import shares
from engine.passes.pruning.options import PruneChannelsOptions, asked
from engine.passes.pruning.ranking import Ranked, least
from engine.passes.pruning.scores import group_score, score_by
from engine.registry import Conversion
from engine.types import Artifact, Step

_TOOL = Requirement("torch_pruning", "torch-pruning")


def fits(artifact: Artifact) -> str | None:
    """Why channels cannot be taken out of this model; None where they may."""
    if not _TOOL.installed:
        return f"{_TOOL.lack}. Install with: {_TOOL.install_line}."
    if surgery.read(artifact.path).precision:
        return "This model's precision is changed already: prune first, then quantize."
    return None


@dataclass(slots=True)
class Removed:
    """By layer, (units at first, units left): channels, and attention heads."""

    channels: dict[str, tuple[int, int]] = field(default_factory=dict)
    heads: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        return any(old > new for old, new in (*self.channels.values(), *self.heads.values()))


@dataclass(frozen=True, slots=True)
class Pruned:
    """The model that is pruned: bare, under its own names, and as it is run."""

    bare: Any
    whole: Any
    source: Artifact
    options: PruneChannelsOptions
    removed: Removed


@handles("prune-channels", "torch", fits=fits)
def prune_channels(
    source: Artifact, out: Path, options: PruneChannelsOptions, given: Given
) -> Conversion:
    """By torch-pruning's dependency graph. Raises BadRequest, UnsupportedModel."""
    given.progress("Reading the model", 0.05)
    bare = folder.bare(source.path)
    pruned = Pruned(bare, folder.adapted(bare, source.path), source, options, Removed())
    data = labelled(given.samples, source.signature)
    if options.importance == "taylor" or options.epochs:
        what = "Fine-tuning" if options.epochs else "Taylor importance"
        required(data, given.samples, what)
    before = checks.figures(pruned.whole, source.signature)
    notes = in_steps(
        lambda part: _remove(pruned, data, part), pruned.whole, data, options, given.progress
    )
    bare.requires_grad_(False)
    given.progress("Checking the shapes", 0.92)
    checks.same_shapes(pruned.whole, source.signature)
    spec = config.smaller(source.path, bare, pruned.removed.channels, pruned.removed.heads)
    folder.rewrite(source.path, out, bare, spec=spec)
    checks.same_answers(pruned.whole, folder.build(out), source.signature)
    after = checks.figures(pruned.whole, source.signature)
    said = (_said(pruned.removed), *checks.compared(before, after), *notes)
    step = Step("prune", "torch-pruning", _TOOL.version or "", asked(options), said)
    return Conversion(source.signature, step, report=_report(pruned.removed))


def _remove(pruned: Pruned, data: Labelled | None, part: float) -> None:
    """Take out what is least important, until ``part`` of the share asked for is gone."""
    options, removed = pruned.options, pruned.removed
    pruned.bare.requires_grad_(True)
    if options.importance == "taylor":
        assert data is not None, "asked for before"
        data.gradients(pruned.whole)
    heads = {one.name: one for one in attentions(pruned.bare)}
    names = {item: name for name, item in pruned.bare.named_modules()}
    kept = [layer for one in heads.values() for layer in one.layers]
    tied = coupling(pruned.whole, checks.example(pruned.source.signature), kept, names)
    share = shares(options.layers, _prunable(tied, heads), options.ratio)
    channels = [
        Ranked(
            one.name,
            _unit_scores(one.group, one.parts, options),
            removed.channels.get(one.name, (one.units, 0))[0],
            min(share[member] for member in one.members),
            one.parts,
        )
        for one in tied.groups
    ]
    gone = least(channels, part, multiple=options.multiple, together=options.scope == "global")
    units = least(_ranked_heads(heads, share, removed, options), part) if options.heads else {}
    for one in tied.groups:
        if one.name in gone:
            tied.remove(one, gone[one.name])
        first = removed.channels.get(one.name, (one.units, 0))[0]
        removed.channels[one.name] = (first, one.units - len(gone.get(one.name, ())))
    for name, item in heads.items():
        first = removed.heads.get(name, (item.units, 0))[0]
        if name in units:
            take_out(item, units[name])
        removed.heads[name] = (first, item.units)
    pruned.bare.zero_grad()
    if part == 1 and not removed.anything:
        raise _nothing(pruned)


def _ranked_heads(
    heads: Mapping[str, Heads],
    share: Mapping[str, float],
    removed: Removed,
    options: PruneChannelsOptions,
) -> list[Ranked]:
    score = score_by(options.importance)
    return [
        Ranked(
            name,
            unit_scores(one, score).numpy(),
            removed.heads.get(name, (one.units, 0))[0],
            share[name],
        )
        for name, one in heads.items()
    ]


def _unit_scores(group: Any, parts: int, options: PruneChannelsOptions) -> np.ndarray:
    found = group_score(options.importance)(group)
    scores: np.ndarray = found.detach().view(parts, -1).mean(0).numpy()
    return scores


def _prunable(tied: Coupling, heads: dict[str, Heads]) -> list[str]:
    return [*(member for one in tied.groups for member in one.members), *heads]


def _nothing(pruned: Pruned) -> UnsupportedModel:
    name = type(pruned.bare).__name__
    if not pruned.removed.channels and not pruned.removed.heads:
        return UnsupportedModel(
            f"{name} has no channels that can be removed: what its layers give goes into outputs, "
            "into tables of tokens or positions, or into layers that cannot be made smaller.",
            hint="Prune weights instead.",
        )
    return UnsupportedModel(
        f"Nothing would be removed from {name}: the share of {pruned.options.ratio:g} is less than "
        f"one unit of every layer, or than a multiple of {pruned.options.multiple} channels.",
        hint="Ask for a larger share, or for a smaller multiple.",
    )


def _said(removed: Removed) -> str:
    parts = []
    for what, found in (("channels", removed.channels), ("attention heads", removed.heads)):
        old, new = (sum(pair[side] for pair in found.values()) for side in (0, 1))
        if old:
            parts.append(f"{old - new:,} of {old:,} {what} removed")
    return f"{' and '.join(parts)}, output layers kept.".capitalize()


def _report(removed: Removed) -> str:
    lines = ["# What was removed", "", "| layer | before | left |", "|---|---:|---:|"]
    for what, found in (("channels", removed.channels), ("heads", removed.heads)):
        lines += [f"| {name} ({what}) | {old} | {new} |" for name, (old, new) in found.items()]
    return "\n".join([*lines, ""])
