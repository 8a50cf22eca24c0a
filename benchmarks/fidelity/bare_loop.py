"""ONNX Runtime in a bare loop, nothing of Assay: the median of its calls as JSON.

python bare_loop.py MODEL.onnx THREADS
"""

import json
import statistics
import sys
import time

import numpy as np


def main(path: str, threads: str) -> None:
    """Twenty calls to warm up, then as many as a block of the standard preset takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in first.shape]
    feed = {first.name: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}
    samples = []
    begin = time.perf_counter()
    while len(samples) < 70 or time.perf_counter() - begin < 2:
        start = time.perf_counter_ns()
        session.run(None, feed)
        samples.append(time.perf_counter_ns() - start)
    print(json.dumps({"median_ns": statistics.median(samples[20:])}))


main(*sys.argv[1:])
