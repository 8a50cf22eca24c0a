"""A worker beside a host in a control group of 400 MiB: ``python -m tests.engine.jobs.little_memory
FOLDER``. Exit status 77 where no such group can be made; the last line says why."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import TaskFailed
from engine.jobs.isolation import grants, launching
from engine.jobs.protocol import Limits, Task
from engine.jobs.run import run_task

CANNOT = 77
_ROOT = Path("/sys/fs/cgroup")
_BYTES = str(400 * 1024**2)


def main(folder: Path) -> int:
    """Say how a worker ends that takes 2 GiB where the group has 400 MiB."""
    launching.WORKER = "tests.engine.jobs.probe_worker"
    grants.CODE = (*grants.CODE, Path(__file__).parents[2])
    task = Task("probe", "Swell", {"do": "swell"}, Limits(60, 60, memory_bytes=8 * 1024**3))
    try:
        with _little():
            run_task(task, folder, lambda: False, lambda event: None)
    except OSError as error:
        sys.stdout.write(f"no control group of its own: {error}\n")
        return CANNOT
    except TaskFailed as error:
        sys.stdout.write(f"{error.reason}\n{error.message}\n{error.hint}\n")
    return 0


@contextmanager
def _little() -> Iterator[None]:
    """Put this process in a group below its own; raises OSError where it may not."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    paths = {kinds: path.lstrip("/") for _, kinds, path in (line.split(":", 2) for line in lines)}
    first = "memory" in paths
    home = _ROOT / "memory" / paths["memory"] if first else _ROOT / paths[""]
    limit = "memory.limit_in_bytes" if first else "memory.max"
    group = home / f"assay-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(_BYTES)
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        (home / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
