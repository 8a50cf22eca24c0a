"""Against llama-cpp-python on the same work: it says itself what reading a prompt took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.fidelity import peer
from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from engine import processor
from engine.types import Artifact

PROOF = (
    "Spread of the median of a small Llama (GGUF) over 10 repetitions under light noise, "
    "beside llama.cpp's own timings"
)
WANTED, TRIALS, summary = peer.WANTED, peer.TRIALS, peer.summary
_OWN = Path(__file__).with_name("llama_own.py")


def trial(number: int, home: Path) -> Trial:
    """One repetition of both in an order of chance. Nanoseconds."""
    gguf = converted("llama", "gguf", "Q8_0")
    return peer.in_turn(
        {"ours": lambda: peer.by_assay(gguf, number), "theirs": lambda: _own(gguf)}, number
    )


def _own(artifact: Artifact) -> float:
    """The median of llama.cpp's own timings of reading a prompt, in ns."""
    command = [sys.executable, str(_OWN), str(artifact.path), str(processor.worker_threads())]
    done = subprocess.run(command, check=True, capture_output=True)
    return float(json.loads(done.stdout.splitlines()[-1])["median_ns"])
