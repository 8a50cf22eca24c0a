"""Is what Assay measures true? Proofs made through its own session, in the real workers.

    .venv/bin/python -m benchmarks fidelity                  all of them; some hours
    .venv/bin/python -m benchmarks fidelity aa --minutes 15  as many trials as fit, then stop

Every trial is kept when it ends, in
``benchmarks/results/fidelity.json``, and the next call goes on behind it; the README's table is
drawn from there. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fidelity.results import Results, renew_readme
from engine.settings import settings

PARTS = ("aa", "effect", "agreement", "memory", "peer", "peer_llama", "observer", "sandbox")


def main(given: Sequence[str] = ()) -> None:
    """Run the parts that are named (all without a name) until they are whole or time is up."""
    asked = _arguments(given)
    until = time.monotonic() + asked.minutes * 60
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"ASSAY_DATA": f"{home}/data", "ASSAY_LOCK_DIR": home}
        settings.cache_clear()
        for name in asked.parts or PARTS:
            part = importlib.import_module(f"benchmarks.fidelity.{name}")
            found = Results(name)
            while len(found.trials) < part.TRIALS and time.monotonic() < until:
                print(f"{name}: trial {len(found.trials) + 1} of {part.TRIALS}", flush=True)
                found.add(part.trial(len(found.trials), Path(home)))
            print(f"{name}: {part.summary(found.trials)}", flush=True)
    renew_readme(PARTS)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks fidelity", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--minutes", type=float, default=600, help="start no trial after so many")
    asked = parser.parse_args(list(given))
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
    return asked
