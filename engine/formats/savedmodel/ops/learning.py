"""Classical machine learning (ai.onnx.ml): scaling, filling in, look-ups, linear models."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.trees import ML, transformed
from engine.formats.savedmodel.table import op


def _real(x: Any) -> Any:
    return x if x.dtype.is_floating else tf.cast(x, tf.float32)


@op("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(_: Node, x: Any, indices: Any) -> Any:
    """Columns by their numbers; a vector becomes one row."""
    made = tf.gather(x, tf.reshape(indices, [-1]), axis=-1)
    return made[None] if x.shape.rank == 1 else made


@op("Binarizer", domain=ML)
def binarizer(node: Node, x: Any) -> Any:
    """1 above the threshold, else 0."""
    return tf.cast(x > tf.cast(node.get("threshold", 0.0), x.dtype), x.dtype)


@op("Scaler", domain=ML)
def scaler(node: Node, x: Any) -> Any:
    """(x - offset) * scale, a column each."""
    offset, scale = (tf.constant(node.get(name), tf.float32) for name in ("offset", "scale"))
    return (tf.cast(x, tf.float32) - offset) * scale


@op("Normalizer", domain=ML)
def normalizer(node: Node, x: Any) -> Any:
    """Each row over its largest, its sum or its length."""
    real = tf.cast(x, tf.float32)
    norm = node.get("norm", "MAX")
    if norm == "L2":
        size = tf.norm(real, axis=1, keepdims=True)
    else:
        combine = tf.reduce_max if norm == "MAX" else tf.reduce_sum
        size = combine(tf.abs(real), 1, keepdims=True)
    return real / tf.maximum(size, 1e-30)


@op("Imputer", domain=ML)
def imputer(node: Node, x: Any) -> Any:
    """What stands for a missing value is replaced, by a value for each column."""
    kind = "float" if x.dtype.is_floating else "int64"
    replaced = node.get(f"replaced_value_{kind}", 0)
    missing = tf.math.is_nan(x) if np.isnan(replaced) else tf.equal(x, tf.cast(replaced, x.dtype))
    return tf.where(missing, tf.constant(node.get(f"imputed_value_{kind}s"), x.dtype), x)


@op("LinearRegressor", domain=ML)
def linear_regressor(node: Node, x: Any) -> Any:
    """x · coefficients + intercepts."""
    return transformed(node, _linear(node, _real(x), node.get("targets", 1)))


@op("LinearClassifier", domain=ML)
def linear_classifier(node: Node, x: Any) -> Any:
    """The most likely class of each row, and the scores of all."""
    labels = node.get("classlabels_ints")
    if not labels:
        raise node.unsupported("its classes are names; only numbered ones are tensors")
    scores = _linear(node, _real(x), len(node.get("intercepts") or labels))
    if scores.shape[-1] == 1 and len(labels) == 2:
        scores = tf.concat([-scores, scores], -1)
    scores = transformed(node, scores)
    return tf.gather(tf.constant(labels, tf.int64), tf.argmax(scores, -1)), scores


def _linear(node: Node, x: Any, targets: int) -> Any:
    weights = np.reshape(node.get("coefficients"), [targets, -1]).T
    made = tf.matmul(x, tf.constant(weights, x.dtype))
    bias = node.get("intercepts")
    return made if not bias else made + tf.constant(bias, x.dtype)


@op("LabelEncoder", domain=ML)
def label_encoder(node: Node, x: Any) -> Any:
    """Numbers for numbers, by a table; ``default`` for what it does not hold."""
    keys, values = _table(node, "keys"), _table(node, "values")
    if keys is None or values is None:
        raise node.unsupported("it reads or writes text; only numbers are tensors here")
    default = node.get("default_tensor")
    if default is None:
        kind = "int64" if values.dtype == np.int64 else "float"
        default = node.get(f"default_{kind}", -1 if kind == "int64" else -0.0)
    keys, first = np.unique(keys, return_index=True)
    table = np.append(values[first], np.asarray(default, values.dtype).reshape(-1)[:1])
    same = tf.constant(keys, x.dtype)
    at = tf.minimum(tf.searchsorted(same, tf.reshape(x, [-1])), len(keys) - 1)
    at = tf.where(tf.gather(same, at) == tf.reshape(x, [-1]), at, len(keys))
    return tf.reshape(tf.gather(tf.constant(table), at), tf.shape(x))


def _table(node: Node, what: str) -> np.ndarray | None:
    """The numbers of a column of the table; None when it holds text."""
    tensor = node.get(f"{what}_tensor")
    if tensor is not None:
        return None if tensor.dtype.kind in "OSU" else tensor
    for name, dtype in (("floats", np.float32), ("int64s", np.int64)):
        if node.get(f"{what}_{name}"):
            return np.asarray(node.get(f"{what}_{name}"), dtype)
    return None


@op("TfIdfVectorizer")
def tf_idf_vectorizer(node: Node, x: Any) -> Any:
    """How often each n-gram of the pool occurs, with gaps up to ``max_skip_count``, weighted."""
    pool = node.get("pool_int64s")
    if not pool:
        raise node.unsupported("its n-grams are of words; only numbers are tensors here")
    columns = node.get("ngram_indexes")
    size = max(columns) + 1
    rows = tf.cast(x if x.shape.rank == 2 else tf.reshape(x, [1, -1]), tf.int64)
    counts = tf.zeros([tf.shape(rows)[0], size], tf.float32)
    starts = [*node.get("ngram_counts"), len(pool)]
    before = 0
    for length, (begin, end) in enumerate(pairwise(starts), 1):
        grams = np.reshape(pool[begin:end], [-1, length])
        places = columns[before : before + len(grams)]
        before += len(grams)
        if not len(grams) or not node.get("min_gram_length") <= length <= node.get(
            "max_gram_length"
        ):
            continue
        where = np.zeros([len(grams), size], np.float32)
        where[np.arange(len(grams)), places] = 1
        for gap in range(1, 2 if length == 1 else node.get("max_skip_count") + 2):
            counts += tf.matmul(_occurrences(rows, grams, gap), where)
    weighted = _weighted(node, counts)
    return weighted if x.shape.rank == 2 else weighted[0]


def _occurrences(rows: Any, grams: np.ndarray, gap: int) -> Any:
    """(rows, grams): how often each stands in each row, its elements ``gap`` apart."""
    width, length = tf.shape(rows)[1], grams.shape[1]
    last = tf.maximum(width - gap * (length - 1), 0)
    same = tf.ones([1, 1, 1], tf.bool)
    for at in range(length):
        same &= rows[:, at * gap : at * gap + last, None] == tf.constant(grams[:, at])
    return tf.reduce_sum(tf.cast(same, tf.float32), 1)


def _weighted(node: Node, counts: Any) -> Any:
    mode, weights = node.get("mode"), node.get("weights")
    if mode == "IDF":
        counts = tf.cast(counts > 0, tf.float32)
    return counts if mode == "TF" or not weights else counts * tf.constant(weights, tf.float32)
