"""What this machine reaches at most: products in float and in 8 bits, and bytes from memory.

The two lines of a roofline (Williams, Waterman, Patterson, CACM 52 (2009) 65-76), measured with the
kernels that run the models: ONNX Runtime's own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from engine import processor
from engine.tuning.model import Machine

_SIDES = (512, 1024)
_COPIED = 128 * 1024**2
_LEAST, _ENOUGH_S = 5, 0.7


def measure(threads: int) -> Machine:
    """Take the best of several tries of each, with so many threads: some five seconds."""
    return Machine(
        processor=processor.name(),
        threads=threads,
        float_gops=_product("MatMul", np.float32, np.float32, threads),
        int8_gops=_product("MatMulInteger", np.uint8, np.int8, threads),
        memory_gbs=_copied(threads),
    )


def _product(operator: str, left: Any, right: Any, threads: int) -> float:
    """10⁹ operations a second of a product of two square matrices, of the size that suits it."""
    found = []
    for side in _SIDES:
        session = _session(operator, (left, right), side, threads)
        rows = np.ones((side, side), left)
        found.append(2 * side**3 / _best(partial(session.run, None, {"x": rows})) / 1e9)
    return max(found)


def _session(operator: str, types: tuple[Any, Any], side: int, threads: int) -> Any:
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    left, right = types
    weights = np.random.default_rng(0).integers(-100, 100, (side, side)).astype(right)
    of = helper.np_dtype_to_tensor_dtype
    result = onnx.TensorProto.FLOAT if left is np.float32 else onnx.TensorProto.INT32
    shape = [side, side]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", of(np.dtype(left)), shape)],
        [helper.make_tensor_value_info("y", result, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def _copied(threads: int) -> float:
    """10⁹ bytes a second, read and written, of an array no cache holds."""
    source = np.ones(_COPIED // 8, np.float64)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            for done in [pool.submit(np.copyto, to, given) for given, to in parts]:
                done.result()

        return 2 * _COPIED / _best(copy) / 1e9


def _best(run: Any) -> float:
    """Seconds of the quickest of several."""
    run()
    found: list[float] = []
    while len(found) < _LEAST or sum(found) < _ENOUGH_S:
        started = perf_counter()
        run()
        found.append(perf_counter() - started)
    return min(found)
