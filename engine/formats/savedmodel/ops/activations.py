"""What stands between layers: ReLU and its kin, sigmoids, softmax."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op

_PLAIN = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


def _activation(name: str) -> Any:
    return lambda node, x: getattr(tf.nn, name)(x)


for _operator, _function in _PLAIN.items():
    op(_operator, layout="any")(_activation(_function))


@op("Identity", "Dropout", layout="any")
def identity(node: Node, x: Any, *rest: Any) -> Any:
    """Dropout does nothing at inference; its mask is then all true."""
    if not node.wants(1):
        return x
    mask = tf.bool if node.opset >= 10 else x.dtype
    return x, tf.cast(tf.ones_like(x), mask)


@op("Dropout", since=12, layout="any")
def dropout(node: Node, x: Any, ratio: Any = None, training: Any = None) -> Any:
    """As above; a model in training mode is refused, for its answers are random."""
    mode = node.value(2)
    if training is not None and mode is not None and mode.array is None:
        return _dropped(x, ratio, training)
    if training is not None and node.known(2, "training_mode"):
        rate = node.known(1, "ratio")
        if rate is None or rate != 0:
            raise node.unsupported("it drops values at random (training_mode is true)")
    return (x, tf.ones_like(x, dtype=tf.bool)) if node.wants(1) else x


def _dropped(x: Any, ratio: Any, training: Any) -> tuple[Any, Any]:
    """Whether it trains is an input: then each call decides."""
    asked = tf.constant(0.5) if ratio is None else tf.cast(tf.reshape(ratio, []), tf.float32)
    rate = tf.where(tf.reshape(training, []), asked, tf.zeros([]))
    kept = tf.random.uniform(tf.shape(x)) >= rate
    return tf.where(kept, x / tf.cast(1 - rate, x.dtype), tf.zeros([], x.dtype)), kept


@op("Elu", layout="any")
def elu(node: Node, x: Any) -> Any:
    alpha = node.get("alpha", 1.0)
    return tf.nn.elu(x) if alpha == 1 else tf.where(x < 0, alpha * tf.math.expm1(x), x)


@op("Selu", layout="any")
def selu(node: Node, x: Any) -> Any:
    alpha, gamma = node.get("alpha", 1.67326319217681884), node.get("gamma", 1.05070102214813232)
    return gamma * tf.where(x <= 0, alpha * tf.math.expm1(x), x)


@op("Celu", layout="any")
def celu(node: Node, x: Any) -> Any:
    alpha = node.get("alpha", 1.0)
    zero = tf.zeros([], x.dtype)
    return tf.maximum(x, zero) + tf.minimum(zero, alpha * tf.math.expm1(x / alpha))


@op("LeakyRelu", layout="any")
def leaky_relu(node: Node, x: Any) -> Any:
    return tf.nn.leaky_relu(x, node.get("alpha", 0.01))


@op("ThresholdedRelu", layout="any")
def thresholded(node: Node, x: Any) -> Any:
    return tf.where(x > node.get("alpha", 1.0), x, tf.zeros_like(x))


@op("HardSigmoid", layout="any")
def hard_sigmoid(node: Node, x: Any) -> Any:
    scaled = node.get("alpha", 0.2) * x + node.get("beta", 0.5)
    return tf.clip_by_value(scaled, tf.cast(0, x.dtype), tf.cast(1, x.dtype))


@op("HardSwish", layout="any")
def hard_swish(node: Node, x: Any) -> Any:
    return x * tf.nn.relu6(x + 3) / 6


@op("Mish", layout="any")
def mish(node: Node, x: Any) -> Any:
    return x * tf.tanh(tf.nn.softplus(x))


@op("Gelu", layout="any")
def gelu(node: Node, x: Any) -> Any:
    return tf.nn.gelu(x, approximate=node.get("approximate", "none") == "tanh")


@op("Swish", layout="any")
def swish(node: Node, x: Any) -> Any:
    return x * tf.sigmoid(node.get("alpha", 1.0) * x)


@op("Shrink", layout="any")
def shrink(node: Node, x: Any) -> Any:
    width, bias = (tf.cast(node.get(n, d), x.dtype) for n, d in (("lambd", 0.5), ("bias", 0.0)))
    inner = tf.where(x > width, x - bias, tf.zeros_like(x))
    return tf.where(x < -width, x + bias, inner)


@op("PRelu")
def prelu_old(node: Node, x: Any, slope: Any) -> Any:
    """Before opset 7 a slope for each channel is aligned at axis 1."""
    if slope.shape.rank == 1 and x.shape.rank > 2:
        slope = tf.reshape(slope, [-1, *[1] * (x.shape.rank - 2)])
    return prelu(node, x, slope)


@op("PRelu", since=7, layout="any")
def prelu(node: Node, x: Any, slope: Any) -> Any:
    return tf.where(x < 0, slope * x, x)


@op("Softmax", "LogSoftmax", "Hardmax")
def softmax_old(node: Node, x: Any) -> Any:
    """Before opset 13 everything from ``axis`` on is one row."""
    axis = node.get("axis", 1)
    axis = axis + x.shape.rank if axis < 0 else axis
    rows = tf.reduce_prod(tf.shape(x)[:axis])
    flat = tf.reshape(x, tf.stack([rows, tf.reduce_prod(tf.shape(x)[axis:])]))
    made = tf.reshape(_soft(node.op, flat, -1), tf.shape(x))
    made.set_shape(x.shape)
    return made


@op("Softmax", "LogSoftmax", "Hardmax", since=13)
def softmax(node: Node, x: Any) -> Any:
    return _soft(node.op, x, node.get("axis", -1))


def _soft(operator: str, x: Any, axis: int) -> Any:
    if operator == "Softmax":
        return tf.nn.softmax(x, axis)
    if operator == "LogSoftmax":
        return tf.nn.log_softmax(x, axis)
    return tf.one_hot(tf.argmax(x, axis), tf.shape(x)[axis], axis=axis, dtype=x.dtype)
