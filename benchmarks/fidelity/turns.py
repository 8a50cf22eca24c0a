"""One model in ONNX Runtime, timed in turns: by Assay's clock through its runner, by a bare loop,
and by both that clock and the runtime's profiler, which costs a call some time itself.

Gives the medians of every turn as JSON, in nanoseconds.

python turns.py REQUEST.json
"""

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

TURNS, CALLS = 40, 7
UNCOUNTED = 2
"""The first calls of a turn find the processor's caches full of another's weights."""


def main(request: str) -> None:
    """Three sessions of the same file; in every turn each is called so many times."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from engine.onnxfile import file_of
    from engine.records import parse
    from engine.registry import open_runner
    from engine.types import Artifact, RunnerOptions

    asked = json.loads(Path(request).read_text())
    artifact, threads = parse(Artifact, asked["artifact"]), asked["threads"]
    path = str(file_of(artifact.path))
    shuffle = random.Random(asked["seed"]).shuffle
    with (
        tempfile.TemporaryDirectory() as folder,
        open_runner(artifact, RunnerOptions(threads=threads)) as runner,
    ):
        bare, feed = _session(path, threads)
        watched, _ = _session(path, threads, f"{folder}/profile")
        ways = {
            "assay": lambda: _by_assay(runner.infer, feed),
            "bare": lambda: _by_loop(bare, feed),
            "watched": lambda: _by_assay(lambda given: watched.run(None, given), feed),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        order = list(ways)
        for turn in range(TURNS + 1):
            shuffle(order)
            for name in order:
                took = statistics.median(ways[name]())
                if turn:  # the first warms up
                    found[name].append(took)
        found["profiler"] = _profiled(watched.end_profiling())
    print(json.dumps(found))


def _session(path, threads, profile=""):
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_profiling, options.profile_file_prefix = bool(profile), profile
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in first.shape]
    draw = np.random.default_rng(0).standard_normal
    return session, {first.name: draw(shape, dtype=np.float32)}


def _by_assay(call, feed):
    from engine.bench.clock import timed_calls

    return timed_calls(call, (feed,), iterations=CALLS, seconds=0, cap_s=60)[UNCOUNTED:]


def _by_loop(session, feed):
    samples = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        session.run(None, feed)
        samples.append(time.perf_counter_ns() - start)
    return samples[UNCOUNTED:]


def _profiled(path):
    """What the profiler wrote of the same calls: the median of every turn but the first."""
    with open(path) as file:
        runs = [event["dur"] * 1000 for event in json.load(file) if event["name"] == "model_run"]
    turns = [runs[at : at + CALLS] for at in range(CALLS, len(runs), CALLS)]
    return [statistics.median(turn[UNCOUNTED:]) for turn in turns]


main(*sys.argv[1:])
