"""Run cases in a few fresh processes: a crash costs the case it happened in and no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHUNK = 250
CASE_SECONDS = 180
"""A case that is silent for so long has failed. Most take a tenth of a second."""

Told = Callable[[str, str | None], None]


def run(
    names: Sequence[str],
    *,
    processes: int = 2,
    chunk: int = CHUNK,
    told: Told = lambda *_: None,
    worker: Sequence[str] = ("tests.conformance.worker",),
) -> dict[str, str | None]:
    """Each case's error in one line, None when it passed. ``told`` hears of each as it ends.

    ``worker`` is the module that runs a chunk, and what it is told beyond the two files.
    """
    chunks = [names[start : start + chunk] for start in range(0, len(names), chunk)]
    with ThreadPoolExecutor(processes) as pool:
        parts = list(pool.map(lambda part: _chunk(part, told, worker), chunks))
    return {name: error for part in parts for name, error in part.items()}


def _chunk(names: Sequence[str], told: Told, worker: Sequence[str]) -> dict[str, str | None]:
    """A chunk, in as many processes as its cases bring down, plus one."""
    ended: dict[str, str | None] = {}
    while left := [name for name in names if name not in ended]:
        before = len(ended)
        died_in, why = _process(left, ended, told, worker)
        if len(ended) == before and died_in is None:
            raise RuntimeError(f"The process ended before its first case: {why}")
        if died_in is not None:
            ended[died_in] = why
            told(died_in, why)
    return ended


def _process(
    names: Sequence[str], ended: dict[str, str | None], told: Told, worker: Sequence[str]
) -> tuple[str | None, str]:
    """Run one process, filling ``ended``; the case it died in, if it did, and how."""
    with tempfile.TemporaryDirectory() as folder:
        cases, results, log = (Path(folder) / name for name in ("cases", "results", "log"))
        cases.write_text(json.dumps(names), encoding="utf-8")
        results.touch()
        command = [sys.executable, "-m", worker[0], str(cases), str(results), *worker[1:]]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TMPDIR": folder,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
            begun = _follow(process, results, ended, told)
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        how = f"the process ended with {process.returncode}: {' '.join(tail)[-240:]}"
        return begun, how


def _follow(
    process: subprocess.Popen[bytes],
    results: Path,
    ended: dict[str, str | None],
    told: Told,
) -> str | None:
    """Read results until the process ends or is silent too long; the case that was under way."""
    begun: str | None = None
    heard = time.monotonic()
    with results.open(encoding="utf-8") as lines:
        while True:
            over = process.poll() is not None
            for line in iter(lines.readline, ""):
                heard = time.monotonic()
                entry = json.loads(line)
                begun = entry.get("begins")
                if begun is None:
                    ended[entry["case"]] = entry["error"]
                    told(entry["case"], entry["error"])
            if over:
                return begun
            if time.monotonic() - heard > CASE_SECONDS:
                process.kill()
            time.sleep(0.05)
