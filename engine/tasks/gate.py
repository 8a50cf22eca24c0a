"""One look at the machine before anything is timed, in a process of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import Any

from engine import kernel, processor
from engine.bench import environment
from engine.bench.canary import canary_series_ns
from engine.bench.model import GateReading
from engine.jobs.protocol import Context
from engine.records import dump


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"reading": GateReading}``, after the pause that the request asks for."""
    if request["pause_s"]:
        context.progress(f"Waiting {request['pause_s']:g} s for the machine to come to rest")
        time.sleep(request["pause_s"])
    context.progress("Looking whether the machine is at rest")
    watch = environment.Watch()
    series = canary_series_ns()
    seen = watch.since()
    reading = GateReading(
        canary_ns=series,
        cpus=processor.cores(),
        psi_avg10=environment.psi_avg10(),
        steal_share=seen.steal_share,
        load1=environment.load1(),
        others_cpus=seen.others_cpus,
        memory_available=kernel.available(),
        memory_needed=request["memory_needed"],
        disk_free=shutil.disk_usage(context.out).free,
        disk_needed=request["disk_needed"],
    )
    return {"reading": dump(reading)}
