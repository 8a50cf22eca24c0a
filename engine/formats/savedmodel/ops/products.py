"""Matrix products: MatMul, Gemm, Einsum."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.ops.arithmetic import broadcast, widened
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value


@op("MatMul")
def matmul(node: Node, one: Any, other: Any) -> Any:
    """As numpy's: a vector is a row on the left and a column on the right."""
    kind = one.dtype
    one, other = widened(one), widened(other)
    row, column = one.shape.rank == 1, other.shape.rank == 1
    if row and column:
        made = tf.tensordot(one, other, 1)
    elif column:
        made = tf.linalg.matvec(one, other)
    elif row:
        made = tf.squeeze(tf.matmul(one[tf.newaxis], other), -2)
    elif other.shape.rank == 2 and (one.shape.rank or 0) > 2:
        made = _flat(one, other)
    else:
        made = tf.matmul(one, other)
    return tf.cast(made, kind)


def _flat(one: Any, other: Any) -> Any:
    """A batch of rows times one matrix is one product of two matrices, which is faster."""
    width, columns = other.shape
    if width is None or columns is None:
        return tf.matmul(one, other)
    rows = tf.matmul(tf.reshape(one, [-1, width]), other)
    known = one.shape.as_list()[:-1]
    if known.count(None) <= 1:
        return tf.reshape(rows, [*[-1 if size is None else size for size in known], columns])
    made = tf.reshape(rows, tf.concat([tf.shape(one)[:-1], [columns]], 0))
    made.set_shape([*known, columns])
    return made


@op("Gemm", layout="own")
def gemm(node: Node, one: Value, other: Value, bias: Value | None = None) -> Any:
    """alpha · A · B + beta · C, A and B transposed as asked; a known B is so at conversion."""
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    left, flipped = one.plain(), bool(node.get("transB", 0))
    kind = left.dtype
    if flipped and other.array is not None:
        right, flipped = other.stored("transposed", np.transpose), False
    else:
        right = other.plain()
    made = tf.matmul(
        widened(left), widened(right), transpose_a=bool(node.get("transA", 0)), transpose_b=flipped
    )
    if alpha != 1:
        made = made * tf.cast(alpha, made.dtype)
    if bias is None or beta == 0:
        return tf.cast(made, kind)
    term = widened(broadcast(node, made, bias.plain()))
    if term.shape.rank == 2 and term.shape[0] == 1:
        # TensorFlow's optimizer fuses the addition, and its fused kernel wants a vector.
        term = tf.reshape(term, [-1])
    if beta != 1:
        term = tf.cast(beta, made.dtype) * term
    fused = term.shape.rank == 1 and term.shape[0] not in (None, 1) and made.dtype.is_floating
    return tf.cast(tf.nn.bias_add(made, term) if fused else made + term, kind)


@op("Einsum")
def einsum(node: Node, *terms: Any) -> Any:
    """The equation is spelled the same, without its spaces."""
    kind = terms[0].dtype
    equation = node.get("equation").replace(" ", "")
    return tf.cast(tf.einsum(equation, *[widened(term) for term in terms]), kind)
