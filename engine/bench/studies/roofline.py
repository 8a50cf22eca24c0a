"""Roofline: how far each variant is from the least time that this machine could take.

Arithmetic and memory each set a limit (Williams, Waterman, Patterson, CACM 52 (2009) 65-76).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import changes, processor, registry
from engine.bench import limits
from engine.bench.model import Variant
from engine.bench.observations import Roofline
from engine.bench.studies import Bench, Study
from engine.bench.subject import subject_of
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.tuning import machine
from engine.tuning.model import Machine
from engine.tuning.profiling import work_of_onnx
from engine.tuning.work import Work, work_of_torch
from engine.types import Artifact

STUDY = Study(
    "roofline",
    "Roofline",
    "How far each variant is from what this processor's arithmetic and memory allow. Some seconds "
    "a variant, and ten for the machine, once.",
)
COUNTED = ("onnx", "torch", "torchscript")
"""Formats whose graph can be counted."""


def run(bench: Bench) -> tuple[Roofline, ...]:
    """Measure the machine where it is not known yet, count each graph once a batch."""
    machines = {threads: _machine(bench, threads) for threads in _threads(bench)}
    counted: dict[tuple[str, int], tuple[str, Work]] = {}
    for variant in bench.variants:
        meant = (variant.artifact_id, variant.batch)
        if bench.artifacts[variant.artifact_id].format in COUNTED and meant not in counted:
            answer = bench.observe(variant, {"machine": False})
            if answer is not None:
                counted[meant] = (variant.key, parse(Work, answer["work"]))
    cache = processor.cache_bytes()
    found = []
    for variant in bench.variants:
        here, known = machines[variant.threads], _work(bench, variant, counted)
        if here is None:
            bench.leave_out(variant, "What this machine does at most could not be measured.")
        elif known is None:
            bench.leave_out(variant, _why_not(bench, variant))
        else:
            found.append(_record(variant, *known, here, cache))
    return tuple(found)


def observe(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """``{"machine": Machine}`` where it is asked for, else ``{"work": Work}`` of the variant."""
    if request["machine"]:
        context.progress("Multiplying matrices and copying memory: what this machine can do")
        return {"machine": dump(machine.measure(request["threads"]))}
    artifact = parse(Artifact, request["artifact"])
    given = subject_of(request, feeds=1).feeds[0]
    if artifact.format != "onnx":
        return {"work": dump(work_of_torch(artifact, given))}
    with tempfile.TemporaryDirectory(dir=context.out) as scratch:
        work = work_of_onnx(artifact, given, request["threads"], Path(scratch) / "profile")
    return {"work": dump(work)}


def _threads(bench: Bench) -> list[int]:
    return sorted({variant.threads for variant in bench.variants})


def _machine(bench: Bench, threads: int) -> Machine | None:
    """What this host reaches with so many threads: known from before, or measured now."""
    found = limits.known(threads)
    for variant in bench.variants:
        if found is None and variant.threads == threads:
            answer = bench.observe(variant, {"machine": True})
            if answer is not None:
                found = parse(Machine, answer["machine"])
                limits.keep(found)
    return found


def _work(
    bench: Bench, variant: Variant, counted: Mapping[tuple[str, int], tuple[str, Work]]
) -> tuple[str, Work] | None:
    """What was counted of it; else of one that computes the same, with the same passes or none.

    Not where a pass has changed the numbers it computes in: those are each format's own.
    """
    if (own := counted.get((variant.artifact_id, variant.batch))) is not None:
        return own
    artifact = bench.artifacts[variant.artifact_id]
    if any(changes.pass_named(one.name).precision for one in artifact.passes):
        return None
    if artifact.format in _OWN_PRECISION:
        return None
    alike = (
        found
        for (id_, batch), found in counted.items()
        if batch == variant.batch and bench.artifacts[id_].passes == artifact.passes
    )
    return next(alike, None)


_OWN_PRECISION = ("gguf", "tensorrt")
"""Formats that choose the precision of their weights themselves."""


def _why_not(bench: Bench, variant: Variant) -> str:
    label = registry.named(bench.artifacts[variant.artifact_id])
    return (
        f"The operations of {label} were not counted: Assay counts graphs of ONNX, PyTorch and "
        "TorchScript, and takes their count for a format that computes the same. Measure ONNX "
        "beside it."
    )


def _record(
    variant: Variant, counted_on: str, work: Work, here: Machine, cache: int | None
) -> Roofline:
    return Roofline(
        variant=variant.key,
        counted_on=counted_on,
        float_operations=work.float_operations,
        half_operations=work.half_operations,
        int8_operations=work.int8_operations,
        bytes=work.bytes,
        float_gops=here.float_gops,
        int8_gops=here.int8_gops,
        memory_gbs=here.memory_gbs,
        cache_bytes=cache,
    )
