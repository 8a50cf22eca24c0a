"""One call of ONNX Runtime, timed by pyperf in worker processes of its own."""

import os

import numpy as np


def main() -> None:
    """What pyperf runs in each of its processes."""
    import onnxruntime
    import pyperf

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["ASSAY_FIDELITY_THREADS"])
    options.inter_op_num_threads = 1
    model = os.environ["ASSAY_FIDELITY_MODEL"]
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in first.shape]
    feed = {first.name: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}
    pyperf.Runner().bench_func("session.run", session.run, None, feed)


main()
