"""ResNet-50 as SavedModel against the ONNX file it is made from: conversion, size, latency.

Latency is measured in fresh processes, the formats by turns, with the same number of threads.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine import registry
from engine.files import hash_path, size_of
from engine.samples import write_sample
from engine.types import OWN_PROCESS, Artifact

ROUNDS, WARM_UP, REPEATS = 5, 5, 30
THREADS = (1, 2)
_RUN = """
import json, statistics, sys, time
from benchmarks.savedmodel import REPEATS, WARM_UP, artifact
from engine import registry
from engine.types import RunnerOptions
from engine.verify.inputs import feed
from pathlib import Path
made = artifact(sys.argv[1], Path(sys.argv[2]))
given = feed(made.signature, "random", 1, 0)
with registry.open_runner(made, RunnerOptions(threads=int(sys.argv[3]))) as runner:
    for _ in range(WARM_UP):
        runner.infer(given)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        runner.infer(given)
        taken.append(time.perf_counter() - started)
print(json.dumps(statistics.median(taken)))
"""


def artifact(format: str, path: Path) -> Artifact:
    """A model file with the signature that it carries."""
    read = registry.format_named(format).read_signature
    assert read is not None, "these formats carry their signature"
    return Artifact(format, format, path, hash_path(path), size_of(path), read(path))


def main() -> None:
    """Convert once, then measure by turns; medians of each round's median."""
    with tempfile.TemporaryDirectory() as home:
        made = _converted(Path(home))
        for threads in THREADS:
            found: dict[str, list[float]] = {name: [] for name in made}
            for _ in range(ROUNDS):
                for name, path in made.items():
                    found[name].append(_p50(name, path, threads))
            middle = {name: statistics.median(values) * 1e3 for name, values in found.items()}
            ratio = middle["savedmodel"] / middle["onnx"]
            said = ", ".join(f"{name} {value:.1f} ms" for name, value in middle.items())
            print(f"{threads} thread(s), batch 1, p50: {said}; ratio {ratio:.2f} (limit 1.1)")


def _converted(home: Path) -> dict[str, Path]:
    write_sample("resnet50", home / "torch", lambda *_: None)
    source = artifact("torch", home / "torch")
    paths = {}
    for name in ("onnx", "savedmodel"):
        spec = registry.format_named(name)
        paths[name] = home / name / f"model{spec.suffix}"
        paths[name].parent.mkdir()
        started = time.perf_counter()
        registry.edge(source.format, name)(source, paths[name], spec.options())
        print(f"{source.format} → {name}: {time.perf_counter() - started:.1f} s")
        source = artifact(name, paths[name])
    sizes = {name: size_of(path) for name, path in paths.items()}
    ratio = sizes["savedmodel"] / sizes["onnx"]
    print(f"size: {sizes['savedmodel'] / 1e6:.1f} MB; {ratio:.3f} of the ONNX file (limit 1.05)")
    return paths


def _p50(name: str, path: Path, threads: int) -> float:
    command = [sys.executable, "-W", "ignore", "-c", _RUN, name, str(path), str(threads)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, OWN_PROCESS: "1"},
    )
    return float(done.stdout.splitlines()[-1])
