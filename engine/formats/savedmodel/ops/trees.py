"""Ensembles of decision trees: every sample walks down every tree at once, one level a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op

ML = "ai.onnx.ml"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
_MEMBER = 6
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True, slots=True)
class Forest:
    """Arrays over all nodes, leaves included: a leaf's two ways lead to itself."""

    features: np.ndarray
    modes: np.ndarray
    splits: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    missing_is_yes: np.ndarray
    members: np.ndarray
    """For each node a row of the values of its set, filled up with NaN."""
    roots: np.ndarray
    votes: np.ndarray
    """(nodes, targets): what ending in a node adds; NaN where it says nothing."""

    @property
    def depth(self) -> int:
        """The steps after which every sample is in a leaf."""
        here, steps = set(self.roots.tolist()), 0
        while True:
            after = {int(way[node]) for node in here for way in (self.yes, self.no)}
            if after == here:
                return steps
            here, steps = after, steps + 1
            if steps > len(self.yes):
                raise ValueError("the trees have a cycle")


@op("TreeEnsemble", domain=ML)
def tree_ensemble(node: Node, x: Any) -> Any:
    """Since version 5 of ai.onnx.ml: nodes and leaves in tensors."""
    inner, leaves = len(node.get("nodes_modes")), len(node.get("leaf_weights"))

    def ways(which: str) -> np.ndarray:
        target = np.asarray(node.get(f"nodes_{which}nodeids"))
        leaf = np.asarray(node.get(f"nodes_{which}leafs")) == 1
        return np.concatenate([np.where(leaf, inner + target, target), inner + np.arange(leaves)])

    votes = np.full((inner + leaves, node.get("n_targets")), np.nan)
    votes[inner + np.arange(leaves), node.get("leaf_targetids")] = node.get("leaf_weights")
    modes = np.concatenate([node.get("nodes_modes"), np.zeros(leaves)]).astype(np.int32)
    missing = node.get("nodes_missing_value_tracks_true") or [0] * inner
    forest = Forest(
        features=np.concatenate([node.get("nodes_featureids"), np.zeros(leaves, np.int64)]),
        modes=modes,
        splits=np.concatenate([node.get("nodes_splits"), np.zeros(leaves)]),
        yes=ways("true"),
        no=ways("false"),
        missing_is_yes=np.concatenate([missing, np.zeros(leaves)]).astype(bool),
        members=_members(modes, node.get("membership_values")),
        roots=np.asarray(node.get("tree_roots")),
        votes=votes,
    )
    made = _grown(forest, x, _AGGREGATES[node.get("aggregate_function", 1)])
    return transformed(node, made, ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"))


@op("TreeEnsembleRegressor", domain=ML)
def tree_ensemble_regressor(node: Node, x: Any) -> Any:
    """The older form: nodes named by (tree, node), what leaves say in lists of their own."""
    forest = _named(node, "target", node.get("n_targets"))
    made = _grown(forest, x, node.get("aggregate_function", "SUM"))
    base = _numbers(node, "base_values")
    if base is not None:
        made += tf.constant(base, made.dtype)
    return transformed(node, made)


def _numbers(node: Node, name: str) -> Any:
    tensor = node.get(f"{name}_as_tensor")
    return tensor if tensor is not None else node.get(name)


def _named(node: Node, what: str, targets: int) -> Forest:
    """From the lists of TreeEnsembleRegressor and TreeEnsembleClassifier."""
    trees = node.get("nodes_treeids")
    keys = list(zip(trees, node.get("nodes_nodeids"), strict=True))
    places = {key: at for at, key in enumerate(keys)}
    modes = node.get("nodes_modes")
    leaf = np.array([mode == "LEAF" for mode in modes])

    def ways(name: str) -> np.ndarray:
        given = zip(trees, node.get(name), strict=True)
        return np.array(
            [at if leaf[at] else places[tree, child] for at, (tree, child) in enumerate(given)]
        )

    votes = np.full((len(keys), targets), np.nan)
    for tree, name, target, weight in zip(
        node.get(f"{what}_treeids"),
        node.get(f"{what}_nodeids"),
        node.get(f"{what}_ids"),
        _numbers(node, f"{what}_weights"),
        strict=True,
    ):
        cell = places[tree, name], target
        votes[cell] = weight if np.isnan(votes[cell]) else votes[cell] + weight
    numbered = np.array([0 if mode == "LEAF" else _MODES.index(mode) for mode in modes])
    missing = node.get("nodes_missing_value_tracks_true") or [0] * len(keys)
    return Forest(
        features=np.asarray(node.get("nodes_featureids")),
        modes=numbered,
        splits=np.asarray(_numbers(node, "nodes_values")),
        yes=ways("nodes_truenodeids"),
        no=ways("nodes_falsenodeids"),
        missing_is_yes=np.asarray(missing, bool),
        members=_members(numbered, None),
        roots=np.array(
            [places[tree, min(n for t, n in keys if t == tree)] for tree in dict.fromkeys(trees)]
        ),
        votes=votes,
    )


def _members(modes: np.ndarray, values: Any) -> np.ndarray:
    """The sets, which stand one after the other with a NaN after each."""
    sets: list[list[float]] = [[]]
    for value in [] if values is None else np.asarray(values, np.float64).tolist():
        if np.isnan(value):
            sets.append([])
        else:
            sets[-1].append(value)
    made = np.full((len(modes), max(1, *map(len, sets))), np.nan)
    for row, values_of in zip(np.flatnonzero(modes == _MEMBER), sets, strict=False):
        made[row, : len(values_of)] = values_of
    return made


def _grown(forest: Forest, x: Any, aggregate: str) -> Any:
    """(samples, targets): the votes of the leaves that are reached, put together."""
    real = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    here = tf.zeros([tf.shape(real)[0], 1], tf.int64) + tf.constant(forest.roots, tf.int64)
    _, here = tf.while_loop(
        lambda step, _: step < forest.depth,
        lambda step, at: (step + 1, _down(forest, real, at)),
        (tf.constant(0), here),
        (tf.TensorShape([]), tf.TensorShape([None, len(forest.roots)])),
    )
    silent = {"MIN": real.dtype.max, "MAX": real.dtype.min}.get(aggregate, 0.0)
    votes = np.where(np.isnan(forest.votes), silent, forest.votes)
    reached = tf.gather(tf.constant(votes, real.dtype), here)
    combine = {"MIN": tf.reduce_min, "MAX": tf.reduce_max}.get(aggregate, tf.reduce_sum)
    made = combine(reached, 1)
    return made / len(forest.roots) if aggregate == "AVERAGE" else made


def _down(forest: Forest, x: Any, here: Any) -> Any:
    """One step from the nodes where each sample stands in each tree."""

    def of(array: np.ndarray, dtype: Any) -> Any:
        return tf.gather(tf.constant(array, dtype), here)

    value = tf.gather(x, of(forest.features, tf.int64), batch_dims=1)
    split, mode = of(forest.splits, x.dtype), of(forest.modes, tf.int32)
    tests = [value <= split, value < split, value >= split, value > split, value == split]
    tests.append(value != split)
    holds = tf.zeros_like(value, tf.bool)
    for number, test in enumerate(tests):
        if number in forest.modes:
            holds |= (mode == number) & test
    if _MEMBER in forest.modes:
        member = tf.reduce_any(value[..., None] == of(forest.members, x.dtype), -1)
        holds |= (mode == _MEMBER) & member
    if forest.missing_is_yes.any():
        holds |= tf.math.is_nan(value) & of(forest.missing_is_yes, tf.bool)
    after = tf.where(holds, of(forest.yes, tf.int64), of(forest.no, tf.int64))
    return tf.ensure_shape(after, here.shape)


def transformed(node: Node, scores: Any, names: Sequence[str] = ()) -> Any:
    """Scores after ``post_transform``, which is a name or, since version 5, a number."""
    given = node.get("post_transform", "NONE")
    name = names[given] if isinstance(given, int) else given
    if name == "NONE":
        return scores
    if name == "SOFTMAX":
        return tf.nn.softmax(scores)
    if name == "LOGISTIC":
        return tf.sigmoid(scores)
    if name == "PROBIT":
        return tf.math.ndtri(scores)
    raise node.unsupported(f"post_transform {name}")
