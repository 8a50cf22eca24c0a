"""What starting a worker costs: one that finds no such task and says so, against bare Python."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

REPEATS = 15


def main() -> None:
    """Interleaved runs of both; medians."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(ASSAY_DATA=f"{home}/data", ASSAY_LOCK_DIR=home)
        from engine.errors import BadRequest
        from engine.jobs.protocol import Task
        from engine.jobs.run import run_task

        bare, worker = [], []
        for index in range(REPEATS):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            with suppress(BadRequest):
                run_task(
                    Task("nothing", "Nothing", {}),
                    Path(home) / f"task-{index}",
                    cancelled=lambda: False,
                    on_event=lambda event: None,
                )
            worker.append(time.perf_counter() - started)
        print(f"bare python: {statistics.median(bare) * 1e3:.0f} ms (median of {REPEATS})")
        print(f"worker without a task: {statistics.median(worker) * 1e3:.0f} ms")
