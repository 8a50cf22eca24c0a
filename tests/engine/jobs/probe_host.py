"""The host, with a kind of job that runs probe tasks: each job is a list of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbos import DBOS

from engine.jobs import host
from engine.jobs.host import Kind
from engine.jobs.isolation import grants, launching
from engine.jobs.protocol import Limits, Task
from engine.jobs.steps import DirectSteps
from engine.store import database


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Tasks to run in order, each given as the probe's request; ``alone``: as a measurement."""

    tasks: tuple[dict[str, str | int | float | None], ...]
    alone: bool = False


def probe(steps: DirectSteps, request: ProbeRequest) -> Mapping[str, Any]:
    """Run the tasks in order."""
    names = tuple(str(task["name"]) for task in request.tasks)
    steps.plan(names)
    done = []
    with steps.alone() if request.alone else nullcontext():
        for name, task in zip(names, request.tasks, strict=True):
            limits = Limits(wall_s=60, stall_s=60)
            steps.run(Task("probe", name, task, limits, repeatable=not request.alone))
            done.append(name)
            steps.publish({"done": done})
    return {"done": done}


def other_code() -> None:
    """What a later version may have that an earlier one had not."""


if __name__ == "__main__":
    launching.WORKER = "tests.engine.jobs.probe_worker"
    grants.CODE = (*grants.CODE, Path(__file__).parents[2])
    if busy := os.environ.get("PROBE_BUSY_MS"):
        database._BUSY_MS = int(busy)
    if os.environ.get("PROBE_OTHER_CODE"):
        DBOS.workflow(name="other")(other_code)
    product = host.kinds()
    host.kinds = lambda: {
        **product,
        "probe": Kind(ProbeRequest, probe, "convert"),
        "measure": Kind(ProbeRequest, probe, "measure:cpu"),
    }
    sys.exit(host.main())
