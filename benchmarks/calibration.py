"""ResNet-50 calibrated to INT8: time and peak memory, by how many samples were read.

    .venv/bin/python -m benchmarks calibration

Each line is a fresh process. The samples are drawn images of [1, 3, 224, 224] float32; 128 of them
may take 60 s on two cores, and memory may not grow with their number.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.savedmodel import artifact
from engine import changes, registry
from engine.bench.memory import resident
from engine.data.drawn import DrawnSamples
from engine.passes.int8_static.options import Int8StaticOptions
from engine.samples import write_sample

COUNTS = (32, 128, 512)
METHODS = ("minmax", "entropy")


def main() -> None:
    """One line a method and number of samples."""
    with tempfile.TemporaryDirectory() as home:
        model = Path(home) / "model.onnx"
        _write(Path(home), model)
        print("method    samples   seconds   peak memory, MiB")
        for method in METHODS:
            for count in COUNTS:
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.calibration"]
                done = subprocess.run(
                    [*command, str(model), method, str(count)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                found = json.loads(done.stdout.splitlines()[-1])
                figures = f"{found['seconds']:7.1f}   {found['peak_mib']:16,.0f}"
                print(f"{method:8}  {count:7,}   {figures}", flush=True)


def measure(model: Path, method: str, count: int) -> dict[str, float]:
    """Calibrate and quantize in this process, with that many samples."""
    source = artifact("onnx", model)
    samples = DrawnSamples(source.signature, count)
    options = Int8StaticOptions(method=method, samples=count)
    given = changes.Given(samples, lambda text, share=None: None)
    out = model.with_name(f"{method}-{count}.onnx")
    started = time.perf_counter()
    changes.handler("int8-static", "onnx")(source, out, options, given)
    return {
        "seconds": time.perf_counter() - started,
        "peak_mib": resident().peak_bytes / 2**20,
    }


def _write(home: Path, out: Path) -> None:
    write_sample("resnet50", home / "torch", lambda *_: None)
    convert = registry.edge("torch", "onnx")
    convert(artifact("torch", home / "torch"), out, registry.format_named("onnx").options())


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
