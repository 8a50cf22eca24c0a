"""Data is read sample by sample: peak memory of preparing and reading it, by how many there are.

    .venv/bin/python -m benchmarks streaming

Each line is a fresh process; the samples are images of [3, 224, 224] float32, 0.6 MB each.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine.data.opening import open_file
from engine.data.prepare import prepare
from engine.data.rows import RowWriter
from engine.data.stored import StoredSamples
from engine.types import Artifact, Signature, TensorSpec

COUNTS = (50, 200, 800)
SIGNATURE = Signature(
    (TensorSpec("image", "float32", ("batch", 3, 224, 224)),),
    (TensorSpec("logits", "float32", ("batch", 1000)),),
)


def main() -> None:
    """One line a number of samples."""
    print("samples   on disk, MB   prepared, s   read, s   peak memory, MiB")
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.streaming", folder, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
        print(
            f"{count:7,}   {found['mb']:11,.0f}   {found['prepare_s']:11.1f}   "
            f"{found['read_s']:7.1f}   {found['peak_mib']:16,.0f}"
        )


def measure(folder: Path, count: int) -> dict[str, float]:
    """Write, prepare and read so many samples in this process."""
    file = folder / "samples.npy"
    random = np.random.default_rng(1)
    with RowWriter(file) as rows:
        for _ in range(count):
            rows.add(random.random((3, 224, 224), np.float32))
    model = Artifact("m", "onnx", folder / "m.onnx", "0" * 64, 1, SIGNATURE)
    started = time.perf_counter()
    with ExitStack() as held:
        source = open_file(file, file.name, model, {}, held)
        made = prepare(source, SIGNATURE, folder / "out", lambda *_: None)
    prepared = time.perf_counter()
    samples = StoredSamples(folder / "out", "calibration", SIGNATURE, made.inputs, made.name)
    assert sum(1 for _ in samples.feeds()) == made.calibration
    return {
        "mb": file.stat().st_size / 1e6,
        "prepare_s": prepared - started,
        "read_s": time.perf_counter() - prepared,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
