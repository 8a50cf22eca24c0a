"""LLaMA-7B's shape: how long the file takes to write, in how much memory, and how fast it writes.

The file (3.8 GB) is made in a temporary folder and removed. Each half runs in a fresh process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOKENS = 32
_WRITE = """
import resource, sys, time
from pathlib import Path
from engine.errors import EngineError
from engine.samples.llama7b import SHAPE, TYPES, make
started = time.perf_counter()
try:
    make(SHAPE, TYPES["Q4_0"], Path(sys.argv[1]), lambda *_: None)
except EngineError as error:
    sys.exit(str(error))
spent = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
size = Path(sys.argv[1]).stat().st_size / 1e9
print(f"written: {size:.2f} GB in {spent:.0f} s, peak memory {peak:.0f} MiB")
"""
_RUN = """
import resource, sys, time
from pathlib import Path
from engine import registry
from engine.types import Artifact, RunnerOptions
path, most, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
signature = registry.format_named("gguf").read_signature(path)
model = Artifact("llama7b", "gguf", path, "", path.stat().st_size, signature)
started = time.perf_counter()
with registry.open_runner(model, RunnerOptions(threads)) as runner:
    loaded = time.perf_counter()
    came = [time.perf_counter() for _ in runner.generate("The river", most, stop_at_end=False)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rate = (len(came) - 1) / (came[-1] - came[0])
print(f"loaded in {loaded - started:.1f} s, first token {came[0] - loaded:.1f} s later, then "
      f"{rate:.2f} tokens/s with {threads} threads, peak memory {peak:.0f} MiB with the file")
"""


def main() -> None:
    """Write it, then let it write; a machine without room for it says so."""
    threads = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as home:
        path = str(Path(home) / "llama7b.gguf")
        if subprocess.run([sys.executable, "-c", _WRITE, path], check=False).returncode == 0:
            arguments = [path, str(TOKENS), str(threads)]
            subprocess.run([sys.executable, "-c", _RUN, *arguments], check=True)
