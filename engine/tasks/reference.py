"""Run the original on every verification input, and find its own noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine import registry
from engine.data.model import Dataset, Part
from engine.data.stored import StoredSamples, samples_of
from engine.errors import BadRequest, EngineError, InvalidModel
from engine.jobs.protocol import Context
from engine.records import parse
from engine.types import Artifact, Feed, Runner, RunnerOptions
from engine.verify import cases, language
from engine.verify.compare import relative

Outputs = Mapping[str, np.ndarray]


def run(request: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Write the cases into ``out``; gives ``{"cases": how many, "noise": how, "windows": …}``.

    ``windows``: how many pieces of a text were read, where the original is a language model.
    A length the original itself refuses is ``left_out``; it must run at one besides its usual.
    """
    artifact = parse(Artifact, request["artifact"])
    seed = int(request["seed"])
    asked = cases.plans(artifact.signature, request["batches"])
    samples = _samples(request.get("data"), request.get("part", "evaluation"), artifact)
    if samples is not None:
        asked += cases.plans_on_samples(samples.signature, samples.count, request["batches"])
    real = samples.batch if samples is not None else None
    plans: list[cases.Plan] = []
    feeds, found, outputs = [], [], []
    refused: dict[str, EngineError] = {}
    with registry.open_runner(artifact, RunnerOptions(cases.THREADS)) as runner:
        rows = cases.Rows(artifact.signature, runner.infer)
        for index, plan in enumerate(asked):
            context.progress(f"Running the original: {plan.label}", 0.8 * index / len(asked))
            given = cases.feed_for(plan, artifact.signature, seed, real)
            try:
                made = runner.infer(given)
            except InvalidModel as error:
                if not plan.sizes:
                    raise
                refused[plan.label] = error
                continue
            plans.append(plan)
            feeds.append(given)
            outputs.append(made)
            found.append(cases.reference_case(plan, given, made, rows))
        windows = _read_text(artifact, runner, context)
    _check_lengths(asked, refused)
    context.progress("Finding the original's own noise", 0.8)
    how, noise = _noise(artifact, plans, feeds, outputs)
    found = [cases.with_noise(case, noise[case.plan.label]) for case in found]
    cases.save(context.out, zip(found, feeds, outputs, strict=True))
    left_out = {label: error.message for label, error in refused.items()}
    return {"cases": len(found), "noise": how, "left_out": left_out, "windows": windows}


def _samples(data: Any, part: Part, artifact: Artifact) -> StoredSamples | None:
    """The samples of one part, where data was given."""
    if data is None:
        return None
    return samples_of(parse(Dataset, data), part, artifact.signature)


def _check_lengths(asked: tuple[cases.Plan, ...], refused: Mapping[str, EngineError]) -> None:
    """Raise BadRequest where an axis that is called dynamic runs at one length only."""
    lengths = [plan for plan in asked if plan.sizes]
    if not lengths or len(refused) < len(lengths):
        return
    names = ", ".join(repr(name) for name in lengths[0].sizes)
    label, error = next(iter(refused.items()))
    raise BadRequest(
        f"The signature calls {names} dynamic, but the original runs at none of the other sizes "
        f"that were tried; on {label}: {error.message}",
        hint="Give that axis its fixed size in the signature, on the Model page.",
    ) from error


def _read_text(artifact: Artifact, runner: Runner, context: Context) -> int:
    """A language model also reads a text."""
    read = language.windows(artifact, runner)
    if read:
        context.progress("Running the original: a text", 0.75)
    return language.save(context.out, read, runner.infer, artifact.signature)


def _noise(
    artifact: Artifact, plans: list[cases.Plan], feeds: list[dict[str, Any]], outputs: Any
) -> tuple[str, dict[str, dict[str, float | None]]]:
    """The relative spread by plan and output: one batch of each kind of inputs is enough."""
    chosen: dict[str, int] = {}
    for index, plan in enumerate(plans):
        if plan.label not in chosen or plan.batch == 2:
            chosen[plan.label] = index
    picked = {label: (feeds[index], outputs[index]) for label, index in chosen.items()}
    if artifact.format == "torch":
        try:
            options = RunnerOptions(cases.THREADS, "float64")
            return "against float64", _spread(artifact, options, picked)
        except InvalidModel:
            # Some models fix their precision inside; another order of summation still shows noise.
            pass
    return "against one thread", _spread(artifact, RunnerOptions(1), picked)


def _spread(
    artifact: Artifact, options: RunnerOptions, picked: Mapping[str, tuple[Feed, Outputs]]
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    with registry.open_runner(artifact, options) as runner:
        for label, (given, outputs) in picked.items():
            other = runner.infer(given)
            found[label] = {name: relative(array, other[name]) for name, array in outputs.items()}
    return found
