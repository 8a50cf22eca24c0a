"""RNN, GRU and LSTM: the input's product for all steps at once, then one loop over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op

Activation = Callable[[Any], Any]
Cell = Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]
"""``(input products of one step, states) -> states``; the first state is the output."""

_PLAIN: dict[str, Activation] = {
    "relu": lambda x: tf.nn.relu(x),
    "tanh": lambda x: tf.tanh(x),
    "sigmoid": lambda x: tf.sigmoid(x),
    "softsign": lambda x: tf.nn.softsign(x),
    "softplus": lambda x: tf.nn.softplus(x),
}
_SCALED: dict[str, tuple[float, float, Callable[[Any, float, float], Any]]] = {
    "affine": (1.0, 0.0, lambda x, a, b: a * x + b),
    "leakyrelu": (0.01, 0.0, lambda x, a, _: tf.nn.leaky_relu(x, a)),
    "thresholdedrelu": (1.0, 0.0, lambda x, a, _: tf.where(x >= a, x, tf.zeros_like(x))),
    "scaledtanh": (1.0, 1.0, lambda x, a, b: a * tf.tanh(b * x)),
    "hardsigmoid": (0.2, 0.5, lambda x, a, b: tf.clip_by_value(a * x + b, 0.0, 1.0)),
    "elu": (1.0, 0.0, lambda x, a, _: tf.where(x < 0, a * tf.math.expm1(x), x)),
}


@op("RNN")
def rnn(node: Node, x: Any, w: Any, r: Any, b: Any = None, lens: Any = None, h: Any = None) -> Any:
    """One gate: the activation of input and state."""

    def cell(direction: int, gates: Sequence[Activation]) -> Cell:
        def step(product: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            return (gates[0](product + tf.matmul(states[0], r[direction], transpose_b=True)),)

        return step

    bias = None if b is None else _summed(b)
    return _run(node, x, w, _hidden(node, r), bias, lens, [h], cell, ["Tanh"])


@op("GRU")
def gru(node: Node, x: Any, w: Any, r: Any, b: Any = None, lens: Any = None, h: Any = None) -> Any:
    """Update gate, reset gate, hidden gate; the reset before or after the state's product."""
    size = _hidden(node, r)
    after = bool(node.get("linear_before_reset", 0))
    own, states_own = (None, None) if b is None else tf.split(b, 2, axis=1)

    def cell(direction: int, gates: Sequence[Activation]) -> Cell:
        weights, hidden_weights = r[direction, : 2 * size], r[direction, 2 * size :]
        bias = tf.zeros([3 * size], x.dtype) if states_own is None else states_own[direction]

        def step(product: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            before = states[0]
            open_gates = product[:, : 2 * size] + bias[: 2 * size]
            open_gates += tf.matmul(before, weights, transpose_b=True)
            update, reset = tf.split(gates[0](open_gates), 2, axis=-1)
            taken = before if after else reset * before
            hidden = tf.matmul(taken, hidden_weights, transpose_b=True) + bias[2 * size :]
            new = gates[1](product[:, 2 * size :] + (reset * hidden if after else hidden))
            return ((1 - update) * new + update * before,)

        return step

    return _run(node, x, w, size, own, lens, [h], cell, ["Sigmoid", "Tanh"])


@op("LSTM")
def lstm(
    node: Node,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lens: Any = None,
    h: Any = None,
    c: Any = None,
    p: Any = None,
) -> Any:
    """Input, output, forget and cell gates; peepholes where the model has them."""
    coupled = bool(node.get("input_forget", 0))

    def cell(direction: int, gates: Sequence[Activation]) -> Cell:
        peep = [0.0] * 3 if p is None else tf.split(p[direction], 3)

        def step(product: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            before, memory = states
            sums = product + tf.matmul(before, r[direction], transpose_b=True)
            i, o, f, g = tf.split(sums, 4, axis=-1)
            taken = gates[0](i + peep[0] * memory)
            kept = 1 - taken if coupled else gates[0](f + peep[2] * memory)
            memory = kept * memory + taken * gates[1](g)
            return gates[0](o + peep[1] * memory) * gates[2](memory), memory

        return step

    bias = None if b is None else _summed(b)
    return _run(node, x, w, _hidden(node, r), bias, lens, [h, c], cell, ["Sigmoid", "Tanh", "Tanh"])


def _hidden(node: Node, r: Any) -> int:
    """How many numbers a state has, which must be known."""
    size = r.shape[-1] or node.get("hidden_size")
    if not size:
        raise node.unsupported("the size of its state is open")
    return int(size)


def _summed(b: Any) -> Any:
    """The biases of input and state, which only ever stand in a sum."""
    return tf.add_n(tf.split(b, 2, axis=1))


def _run(
    node: Node,
    x: Any,
    w: Any,
    hidden: int,
    bias: Any,
    lens: Any,
    initial: Sequence[Any],
    cell: Callable[[int, Sequence[Activation]], Cell],
    defaults: Sequence[str],
) -> tuple[Any, ...]:
    """All directions over all steps: (every output, the last states), in ONNX's layout."""
    batch_first = bool(node.get("layout", 0))
    if batch_first:
        x = tf.transpose(x, [1, 0, 2])
        initial = [None if item is None else tf.transpose(item, [1, 0, 2]) for item in initial]
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    outputs, finals = [], []
    for direction, backward in enumerate(ways[node.get("direction", "forward")]):
        gates = _activations(node, defaults, direction)
        size = (tf.shape(x)[1], hidden)
        states = tuple(
            tf.zeros(size, x.dtype) if item is None else item[direction] for item in initial
        )
        steps = _turned(x, lens) if backward else x
        products = tf.einsum("tbi,gi->tbg", steps, w[direction])
        if bias is not None:
            products += bias[direction]
        made, last = _over_time(cell(direction, gates), products, states, lens)
        outputs.append(_turned(made, lens) if backward else made)
        finals.append(last)
    whole = tf.stack(outputs, axis=2 if batch_first else 1)
    if batch_first:
        whole = tf.transpose(whole, [1, 0, 2, 3])
    joined = 1 if batch_first else 0
    return (whole, *(tf.stack(items, axis=joined) for items in zip(*finals, strict=True)))


def _over_time(
    cell: Cell, products: Any, states: tuple[Any, ...], lens: Any
) -> tuple[Any, tuple[Any, ...]]:
    """The loop: outputs of all steps, and the states after each sequence's own last step."""
    steps = tf.shape(products)[0]
    outputs = tf.TensorArray(products.dtype, steps, element_shape=states[0].shape)

    def step(at: Any, made: Any, before: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        after = cell(products[at], before)
        for new, old in zip(after, before, strict=True):
            new.set_shape(old.shape)
        out = after[0]
        if lens is not None:
            alive = (at < tf.cast(lens, tf.int32))[:, None]
            after = tuple(tf.where(alive, a, b) for a, b in zip(after, before, strict=True))
            out = tf.where(alive, out, tf.zeros_like(out))
        return at + 1, made.write(at, out), after

    _, made, last = tf.while_loop(
        lambda at, *_: at < steps, step, (tf.constant(0), outputs, states), maximum_iterations=steps
    )
    return made.stack(), last


def _turned(x: Any, lens: Any) -> Any:
    """Time reversed; each sequence within its own length."""
    if lens is None:
        return tf.reverse(x, [0])
    return tf.reverse_sequence(x, lens, seq_axis=0, batch_axis=1)


def _activations(node: Node, defaults: Sequence[str], direction: int) -> list[Activation]:
    """The gates' functions in one direction, limited to ``clip`` first where the model says so."""
    names = node.get("activations") or list(defaults) * 2
    alphas, betas = (
        iter(node.get("activation_alpha") or ()),
        iter(node.get("activation_beta") or ()),
    )
    made = [_activation(node, name, alphas, betas) for name in names]
    clip = node.get("clip")
    wanted = made[direction * len(defaults) : (direction + 1) * len(defaults)]
    if not clip:
        return wanted
    return [_clipped(function, clip) for function in wanted]


def _clipped(function: Activation, clip: float) -> Activation:
    return lambda x: function(tf.clip_by_value(x, -clip, clip))


def _activation(node: Node, name: str, alphas: Any, betas: Any) -> Activation:
    known = name.lower()
    if known in _PLAIN:
        return _PLAIN[known]
    if known not in _SCALED:
        raise node.unsupported(f"its activation {name} is none of ONNX's")
    alpha, beta, function = _SCALED[known]
    a, b = next(alphas, alpha), next(betas, beta)
    return lambda x: function(x, a, b)
