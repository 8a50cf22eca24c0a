"""Boxes and windows in pictures: suppression, pooling of regions, and pooling undone."""

from __future__ import annotations

from typing import Any

from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.node import Node
from engine.formats.savedmodel.table import op


@op("NonMaxSuppression")
def non_max_suppression(
    node: Node,
    boxes: Any,
    scores: Any,
    most: Any = None,
    overlap: Any = None,
    least: Any = None,
) -> Any:
    """(batch, class, box) of the boxes that stay, by falling score within each class."""
    if node.get("center_point_box", 0):
        x, y, width, height = tf.unstack(boxes, 4, -1)
        boxes = tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    limit = 0 if most is None else tf.cast(tf.reshape(most, []), tf.int32)
    overlap = 0.0 if overlap is None else tf.reshape(overlap, [])
    least = float("-inf") if least is None else tf.reshape(least, [])
    classes = tf.shape(scores)[1]
    pairs = tf.shape(scores)[0] * classes

    def one(pair: Any, found: Any) -> tuple[Any, Any]:
        batch, label = pair // classes, pair % classes
        kept = tf.image.non_max_suppression(
            boxes[batch], scores[batch, label], limit, overlap, least
        )
        places = [tf.fill(tf.shape(kept), batch), tf.fill(tf.shape(kept), label), kept]
        rows = tf.stack(places, 1)
        return pair + 1, tf.concat([found, tf.cast(rows, tf.int64)], 0)

    start = (tf.constant(0), tf.zeros([0, 3], tf.int64))
    shapes = (tf.TensorShape([]), tf.TensorShape([None, 3]))
    return tf.while_loop(lambda pair, _: pair < pairs, one, start, shapes)[1]


@op("RoiAlign")
def roi_align(node: Node, x: Any, rois: Any, batches: Any) -> Any:
    """Bilinear samples on a grid in each region's cells, their mean or largest."""
    mode = node.get("coordinate_transformation_mode", "half_pixel" if node.opset >= 16 else "")
    half = mode == "half_pixel"
    high, wide = node.get("output_height", 1), node.get("output_width", 1)
    left, top, right, bottom = tf.unstack(
        rois * tf.cast(node.get("spatial_scale", 1.0), rois.dtype) - (0.5 if half else 0.0), 4, -1
    )
    ratio = node.get("sampling_ratio", 0)
    rows = _samples(top, bottom, high, ratio, half, tf.shape(x)[2])
    columns = _samples(left, right, wide, ratio, half, tf.shape(x)[3])
    picked = tf.gather(x, batches)
    largest = node.get("mode", "avg") == "max"
    (low_y, high_y, weight_low_y, weight_high_y, count_y) = rows
    (low_x, high_x, weight_low_x, weight_high_x, count_x) = columns
    total = None
    for row, row_weight in ((low_y, weight_low_y), (high_y, weight_high_y)):
        lines = tf.gather(picked, row, axis=2, batch_dims=1)  # Rows of each region.
        for column, column_weight in ((low_x, weight_low_x), (high_x, weight_high_x)):
            corner = tf.gather(lines, column, axis=3, batch_dims=1)
            weighted = corner * row_weight[:, None, :, None] * column_weight[:, None, None, :]
            if total is None:
                total = weighted
            else:
                total = tf.maximum(total, weighted) if largest else total + weighted
    return _cells(total, high, wide, count_y, count_x, largest)


def _samples(
    begin: Any, end: Any, cells: int, ratio: int, half: bool, size: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """For each region and sample: both neighbours, their weights, and which samples count."""
    length = end - begin
    if not half:
        length = tf.maximum(length, tf.ones_like(length))
    cell = length / cells
    asked = tf.cast(tf.math.ceil(cell), tf.int32) if not ratio else tf.fill(tf.shape(cell), ratio)
    most = ratio or tf.reduce_max(asked)
    samples = tf.cast(tf.range(most), begin.dtype)
    counts = tf.cast(asked, begin.dtype)[:, None, None]
    inside = (samples + 0.5) * cell[:, None, None] / counts
    corners = begin[:, None] + tf.range(cells, dtype=begin.dtype) * cell[:, None]
    places = tf.reshape(corners[:, :, None] + inside, [tf.shape(begin)[0], -1])
    real = tf.cast(size, begin.dtype)
    valid = (places >= -1.0) & (places <= real)
    used = tf.reshape(
        tf.broadcast_to(samples < counts, [tf.shape(begin)[0], cells, most]), tf.shape(places)
    )
    places = tf.clip_by_value(places, 0.0, real - 1.0)
    low = tf.cast(places, tf.int32)
    high = tf.minimum(low + 1, size - 1)
    above = places - tf.cast(low, begin.dtype)
    zero = tf.zeros_like(places)
    weights = (tf.where(valid & used, 1.0 - above, zero), tf.where(valid & used, above, zero))
    return low, high, *weights, (asked, used)


def _cells(x: Any, high: int, wide: int, rows: Any, columns: Any, largest: bool) -> Any:
    """Samples gathered into cells."""
    shape = tf.shape(x)
    used = rows[1][:, None, :, None] & columns[1][:, None, None, :]
    split = [shape[0], shape[1], high, shape[2] // high, wide, shape[3] // wide]
    if largest:
        lowest = tf.constant(x.dtype.min, x.dtype)
        return tf.reduce_max(tf.reshape(tf.where(used, x, lowest), split), [3, 5])
    count = tf.cast(tf.maximum(rows[0] * columns[0], 1), x.dtype)
    return tf.reduce_sum(tf.reshape(x, split), [3, 5]) / count[:, None, None, None]


@op("MaxRoiPool")
def max_roi_pool(node: Node, x: Any, rois: Any) -> Any:
    """The largest element in each cell of each region, whose edges are rounded to whole ones."""
    high, wide = node.get("pooled_shape")
    scaled = rois[:, 1:] * tf.cast(node.get("spatial_scale", 1.0), rois.dtype)
    left, top, right, bottom = tf.unstack(tf.floor(scaled + 0.5), 4, -1)
    rows = _inside(top, bottom, high, tf.shape(x)[2])
    columns = _inside(left, right, wide, tf.shape(x)[3])
    picked = tf.gather(x, tf.cast(rois[:, 0], tf.int32))
    lowest = tf.constant(x.dtype.min, x.dtype)
    lines = tf.where(rows[:, None, :, :, None], picked[:, :, None], lowest)
    lines = tf.reduce_max(lines, 3)
    cells = tf.where(columns[:, None, None, :, :], lines[:, :, :, None, :], lowest)
    found = tf.reduce_max(cells, 4)
    return tf.where(found == lowest, tf.zeros_like(found), found)


def _inside(begin: Any, end: Any, cells: int, size: Any) -> Any:
    """(region, cell, place): whether the place is in the cell."""
    length = tf.maximum(end - begin + 1, tf.ones_like(begin)) / cells
    numbers = tf.range(cells, dtype=begin.dtype)
    first = tf.floor(numbers * length[:, None]) + begin[:, None]
    last = tf.math.ceil((numbers + 1) * length[:, None]) + begin[:, None]
    places = tf.cast(tf.range(size), begin.dtype)
    return (places >= first[:, :, None]) & (places < last[:, :, None])


@op("MaxUnpool")
def max_unpool(node: Node, x: Any, indices: Any, wanted: Any = None) -> Any:
    """Every element where it came from, zeros elsewhere; more zeros where a size is asked for."""
    kernel = node.get("kernel_shape")
    space = len(kernel)
    strides, pads = node.get("strides") or [1] * space, node.get("pads") or [0] * 2 * space
    sizes = tf.shape(x, tf.int64)
    inner = [
        (sizes[2 + at] - 1) * strides[at] - pads[at] - pads[space + at] + kernel[at]
        for at in range(space)
    ]
    shape = tf.stack([sizes[0], sizes[1], *inner])
    flat = tf.scatter_nd(
        tf.reshape(indices, [-1, 1]), tf.reshape(x, [-1]), tf.reduce_prod(shape)[None]
    )
    whole = tf.reshape(flat, shape)
    if wanted is None:
        return whole
    more = tf.cast(wanted, tf.int64) - shape
    return tf.pad(whole, tf.stack([tf.zeros_like(more), more], 1))


@op("Col2Im")
def col2im(node: Node, x: Any, image: Any, block: Any) -> Any:
    """Columns of blocks summed back into the picture they were taken from."""
    space = image.shape[0] or block.shape[0] or len(node.get("strides") or ())
    if not space:
        raise node.unsupported("over how many axes is open")
    strides, dilations = node.get("strides") or [1] * space, node.get("dilations") or [1] * space
    pads = node.get("pads") or [0] * 2 * space
    image, block = tf.cast(image, tf.int64), tf.cast(block, tf.int64)
    shape = tf.shape(x, tf.int64)
    image, block = (tf.ensure_shape(item, [space]) for item in (image, block))
    padded = image + [pads[at] + pads[space + at] for at in range(space)]
    steps = (padded - dilations * (block - 1) - 1) // strides + 1
    place = tf.zeros([], tf.int64)
    for at in range(space):  # Of each tap of the block and each step, in the padded picture.
        taps = tf.range(block[at]) * dilations[at]
        starts = tf.range(steps[at]) * strides[at]
        spread = [1] * 2 * space
        both = tf.reshape(taps, [*spread[:at], -1, *spread[at + 1 :]]) + tf.reshape(
            starts, [*spread[: space + at], -1, *spread[space + at + 1 :]]
        )
        place = place * padded[at] + both
    many = shape[1] // tf.reduce_prod(block)
    columns = tf.transpose(tf.reshape(x, [shape[0] * many, -1]))
    summed = tf.math.unsorted_segment_sum(columns, tf.reshape(place, [-1]), tf.reduce_prod(padded))
    whole = tf.reshape(tf.transpose(summed), tf.concat([[shape[0], many], padded], 0))
    cut = tf.concat([[0, 0], pads[:space]], 0)
    return tf.slice(whole, tf.cast(cut, tf.int64), tf.concat([[shape[0], many], image], 0))


@op("Det")
def det(_: Node, x: Any) -> Any:
    """The determinant of each matrix."""
    return tf.linalg.det(x)
