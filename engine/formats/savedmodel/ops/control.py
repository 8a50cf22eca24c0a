"""If, Loop and Scan: TensorFlow's own conditionals and loops around lowered subgraphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op
from engine.formats.savedmodel.values import Value

Body = Callable[[Any, Any, list[Any]], tuple[Any, list[Any], list[Any]]]
"""``(step, whether it goes on, states) -> (whether to go on, states, what the step collects)``"""


@op("If", layout="own", folds=False)
def if_(node: Node, condition: Value) -> Any:
    """The branch itself where the condition is known, else both in a ``tf.cond``."""
    branches = [node.subgraph("then_branch"), node.subgraph("else_branch")]
    if condition.array is not None:
        return tuple(branches[0 if condition.array.reshape(-1)[0] else 1]())
    chosen = tf.reshape(condition.plain(), [])
    yes, no = ((lambda run=run: [value.plain() for value in run()]) for run in branches)
    return tuple(tf.cond(chosen, yes, no))


@op("Loop", layout="own", folds=False)
def loop(node: Node, count: Value | None, condition: Value | None, *states: Value) -> Any:
    """At most ``count`` times, while the condition holds."""
    run = node.subgraph("body")

    def body(step: Any, going: Any, before: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        going, *after = [value.plain() for value in run(step, going, *before)]
        return going, after[: len(states)], after[len(states) :]

    going = tf.constant(True) if condition is None else tf.reshape(condition.plain(), [])
    limit = None if count is None else tf.cast(tf.reshape(count.plain(), []), tf.int64)
    return _repeat(body, limit, going, [state.plain() for state in states])


@op("Scan", since=9, layout="own", folds=False)
def scan(node: Node, *inputs: Value) -> Any:
    """One step for each slice of the scanned inputs."""
    run = node.subgraph("body")
    many = node.get("num_scan_inputs")
    states, scanned = inputs[: len(inputs) - many], inputs[len(inputs) - many :]
    axes = node.get("scan_input_axes") or [0] * many
    backward = node.get("scan_input_directions") or [0] * many
    rows = [
        _first(value.plain(), axis, bool(turned))
        for value, axis, turned in zip(scanned, axes, backward, strict=True)
    ]

    def body(step: Any, going: Any, before: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        after = [value.plain() for value in run(*before, *[row[step] for row in rows])]
        return going, after[: len(states)], after[len(states) :]

    length = tf.shape(rows[0], tf.int64)[0]
    made = _repeat(body, length, tf.constant(True), [state.plain() for state in states])
    last, collected = made[: len(states)], made[len(states) :]
    axes = node.get("scan_output_axes") or [0] * len(collected)
    backward = node.get("scan_output_directions") or [0] * len(collected)
    return (
        *last,
        *(
            _back(rows, axis, bool(turned))
            for rows, axis, turned in zip(collected, axes, backward, strict=True)
        ),
    )


@op("Scan", since=8, layout="own", folds=False)
def scan_of_batches(node: Node, lens: Value | None, *inputs: Value) -> Any:
    """Opset 8: a batch axis in front of everything, and the scanned axis after it."""
    if lens is not None:
        raise node.unsupported("sequences of different lengths, which opset 9 has given up")
    if any(node.get("directions") or ()):
        raise node.unsupported("scanning backwards in opset 8; convert the model to opset 9")
    run = node.subgraph("body")
    many = node.get("num_scan_inputs")
    states = len(inputs) - many

    def one(tensors: list[Any]) -> list[Any]:
        rows = tensors[states:]

        def body(step: Any, going: Any, before: list[Any]) -> tuple[Any, list[Any], list[Any]]:
            after = [value.plain() for value in run(*before, *[row[step] for row in rows])]
            return going, after[:states], after[states:]

        length = tf.shape(rows[0], tf.int64)[0]
        return list(_repeat(body, length, tf.constant(True), tensors[:states]))

    tensors = [value.plain() for value in inputs]
    if tensors[0].shape[0] is None:
        raise node.unsupported("a batch of open size in opset 8; convert the model to opset 9")
    batch = tf.unstack(tensors[0])
    rows = [one([tensor[at] for tensor in tensors]) for at in range(len(batch))]
    return tuple(tf.stack(items) for items in zip(*rows, strict=True))


def _first(x: Any, axis: int, backward: bool) -> Any:
    """The scanned axis in front, in the order of the steps."""
    moved = _moved(x, axis, 0)
    return tf.reverse(moved, [0]) if backward else moved


def _back(rows: Any, axis: int, backward: bool) -> Any:
    return _moved(tf.reverse(rows, [0]) if backward else rows, 0, axis)


def _moved(x: Any, source: int, target: int) -> Any:
    rank = x.shape.rank
    order = [at for at in range(rank) if at != source % rank]
    order.insert(target % rank, source % rank)
    return x if order == [*range(rank)] else tf.transpose(x, order)


def _repeat(body: Body, limit: Any, going: Any, states: Sequence[Any]) -> tuple[Any, ...]:
    """The states after the last step, then what the steps collected, along a new first axis."""
    kinds, shapes = _settled(body, states)
    collected = [
        tf.TensorArray(
            kind.dtype, 0, dynamic_size=True, element_shape=kind.shape, infer_shape=False
        )
        for kind in kinds
    ]

    def more(step: Any, going: Any, *_: Any) -> Any:
        return going if limit is None else tf.logical_and(step < limit, going)

    def step(at: Any, going: Any, before: Any, arrays: Any) -> Any:
        going, after, added = body(at, going, list(before))
        made = [
            array.write(tf.cast(at, tf.int32), item)
            for array, item in zip(arrays, added, strict=True)
        ]
        for state, shape in zip(after, shapes, strict=True):
            state.set_shape(shape)
        return at + 1, tf.reshape(going, []), after, made

    # A TensorArray has no shape of its own to keep.
    invariants = (
        tf.TensorShape([]),
        tf.TensorShape([]),
        list(shapes),
        [tf.TensorShape(None)] * len(collected),
    )
    start = (tf.constant(0, tf.int64), going, list(states), collected)
    _, _, last, arrays = tf.while_loop(more, step, start, invariants)
    return (*last, *(array.stack() for array in arrays))


def _settled(body: Body, states: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What a step collects, and the shapes that hold for the states before and after any step.

    The body is traced aside until it changes no shape any more: what it changes is left open.
    """
    shapes = [state.shape for state in states]
    scalars = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)
    while True:
        specs = [
            tf.TensorSpec(shape, state.dtype) for shape, state in zip(shapes, states, strict=True)
        ]
        traced = tf.function(lambda at, going, *s: body(at, going, list(s)), autograph=False)
        _, after, added = traced.get_concrete_function(*scalars, *specs).structured_outputs
        wider = [
            shape.most_specific_common_supertype([other.shape])
            for shape, other in zip(shapes, after, strict=True)
        ]
        if [str(shape) for shape in wider] == [str(shape) for shape in shapes]:
            return list(added), shapes
        shapes = wider
