"""ONNX Runtime in a bare loop, nothing of Assay: the median of its calls as JSON.

python bare_loop.py MODEL.onnx THREADS [PROFILE_PREFIX]
"""

import json
import statistics
import sys
import time

import numpy as np


def main(path: str, threads: str, profile: str = "") -> None:
    """Twenty calls to warm up, then as many as a block of the standard preset takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    options.enable_profiling, options.profile_file_prefix = bool(profile), profile
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
    found = {"median_ns": statistics.median(samples[20:])}
    if profile:
        with open(session.end_profiling()) as file:
            runs = [event["dur"] for event in json.load(file) if event["name"] == "model_run"]
        found["profiler_ns"] = statistics.median(runs[20:]) * 1000
    print(json.dumps(found))


main(*sys.argv[1:])
