"""The worker, with the tests' own tasks beside the product's."""

from __future__ import annotations

import sys
from pathlib import Path

import engine.tasks
from engine.jobs import worker

engine.tasks.__path__.append(str(Path(__file__).parent / "tasks"))

if __name__ == "__main__":
    sys.exit(worker.main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
