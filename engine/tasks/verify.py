"""Run a candidate on every case of the reference, and judge it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine import registry
from engine.errors import EngineError
from engine.jobs.protocol import Context
from engine.records import dump, parse
from engine.types import Artifact, Feed, RunnerOptions
from engine.verify import cases, language
from engine.verify.compare import compare
from engine.verify.gate import judge
from engine.verify.model import Case, Thresholds


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Compare with the ``reference`` folder; gives ``{"verification": …}``."""
    artifact = parse(Artifact, request["artifact"])
    thresholds = parse(Thresholds, request["thresholds"])
    known = [
        found
        for found in cases.load(Path(request["reference"]), artifact.signature)
        if found[0].plan.kind not in thresholds.leave_out
    ]
    found, hashes = [], {}
    with registry.open_runner(artifact, RunnerOptions(cases.THREADS)) as runner:
        rows = cases.Rows(artifact.signature, runner.infer)
        for index, (case, given, wanted) in enumerate(known):
            label = f"{case.plan.label}, batch {case.plan.batch}"
            context.progress(f"Comparing: {label}", index / len(known))
            found.append(_run_case(case, given, wanted, runner.infer, rows))
            hashes[label] = case.input_hash
        context.progress("Comparing: a text, where it is a language model", 0.9)
        read = language.compare(Path(request["reference"]), artifact.signature, runner.infer)
    context.progress("Judged", 1.0)
    verdict = judge(artifact.id, tuple(found), thresholds, hashes, int(request["seed"]), read)
    return {"verification": dump(verdict)}


def _run_case(
    case: cases.ReferenceCase,
    given: Feed,
    wanted: tuple[np.ndarray, ...],
    infer: cases.Infer,
    rows: cases.Rows,
) -> Case:
    """A refusal of the candidate is a finding, not an error of ours."""
    plan = case.plan
    try:
        outputs = infer(given)
        if len(outputs) != len(wanted):
            counts = f"it gives {len(outputs)} outputs, the original {len(wanted)}"
            return Case(plan.label, plan.batch, (), None, counts)
    except EngineError as error:
        return Case(plan.label, plan.batch, (), None, error.message)
    compared = tuple(
        compare(name, reference, candidate, noise)
        for name, reference, candidate, noise in zip(
            case.outputs, wanted, outputs.values(), case.noise, strict=True
        )
    )
    return Case(plan.label, plan.batch, compared, _row_relative(case, given, outputs, rows))


def _row_relative(
    case: cases.ReferenceCase, given: Feed, outputs: Mapping[str, np.ndarray], rows: cases.Rows
) -> float | None:
    """None unless the original's rows are independent; a row refused alone differs wholly."""
    if case.row_relative is None or case.row_relative > INDEPENDENT:
        return None
    try:
        return rows.largest_difference(given, outputs, case.plan.batch)
    except EngineError:
        return 1.0


INDEPENDENT = 1e-4
"""Relative difference between a row alone and in a batch up to which rows count as independent."""
