"""LLaMA-7B's shape beside its published table: first token at a prompt of 512, the next, memory.

Each file (3.8 and 7.2 GB) is made in a temporary folder and removed, each half in a fresh process.
The published figures are of an unnamed machine; they stand beside, never in the same series.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from engine import processor
from engine.knowledge import reference_tables

TYPES = ("Q4_0", "Q8_0")
TOKENS = 16
_WRITE = """
import resource, sys, time
from pathlib import Path
from engine.errors import EngineError
from engine.samples.llama7b import SHAPE, TYPES, make
started = time.perf_counter()
try:
    make(SHAPE, TYPES[sys.argv[2]], Path(sys.argv[1]), lambda *_: None)
except EngineError as error:
    sys.exit(str(error))
spent = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
size = Path(sys.argv[1]).stat().st_size / 1e9
print(f"written: {size:.2f} GB in {spent:.0f} s, peak memory {peak:.0f} MiB")
"""
_RUN = """
import resource, statistics, sys, time
from pathlib import Path
from engine import registry
from engine.types import Artifact, RunnerOptions
path, most, threads, length = Path(sys.argv[1]), *map(int, sys.argv[2:])
signature = registry.format_named("gguf").read_signature(path)
model = Artifact("llama7b", "gguf", path, "", path.stat().st_size, signature)
started = time.perf_counter()
with registry.open_runner(model, RunnerOptions(threads)) as runner:
    loaded = time.perf_counter()
    prompt = [(7919 * place) % 30000 + 100 for place in range(length)]
    came = [time.perf_counter() for _ in runner.generate(prompt, most, stop_at_end=False)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
steps = [later - sooner for sooner, later in zip(came, came[1:])]
print(f"loaded in {loaded - started:.1f} s; with {threads} threads first token after "
      f"{1e3 * (came[0] - loaded):,.0f} ms, next tokens {1e3 * statistics.median(steps):,.0f} ms, "
      f"peak memory {peak:.1f} GB with the mapped file")
"""


def main() -> None:
    """Write each, let it read and write; a machine without room for one says so."""
    table = next(table for table in reference_tables() if table.id == "llama7b")
    arguments = [str(TOKENS), str(processor.cores()), str(table.sequence)]
    for kind in TYPES:
        published = next(row for row in table.rows if row.precision == kind.lower())
        with tempfile.TemporaryDirectory() as home:
            path = str(Path(home) / "llama7b.gguf")
            print(f"{kind}:", flush=True)
            written = subprocess.run([sys.executable, "-c", _WRITE, path, kind], check=False)
            if written.returncode == 0:
                subprocess.run([sys.executable, "-c", _RUN, path, *arguments], check=True)
        values = ", ".join(
            f"{column.label.lower()} {published.values[column.id]:g} {column.unit}"
            for column in table.columns
        )
        print(f"reference, other machine: {values}", flush=True)


if __name__ == "__main__":
    main()
