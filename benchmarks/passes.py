"""Every pass on every format, for four models: measured with its quality, or refused with why.

    .venv/bin/python -m benchmarks passes            all four; most of an hour on two cores
    .venv/bin/python -m benchmarks.passes digits     one of them

Each model goes through the jobs a person starts: converted, verified, judged on data where there is
some, measured beside its original in one interleaved run (quick preset). What came of it is kept
in ``benchmarks/results/passes.json``, and the README's tables are drawn from that.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.strangers import lively
from engine import changes, registry, store
from engine.data.builtin import builtins
from engine.jobs.steps import DirectSteps, clear_outputs
from engine.knowledge import pass_reach
from engine.pipeline import (
    ConvertRequest,
    DataRequest,
    ImportRequest,
    MeasureRequest,
    convert,
    import_model,
    measure,
    prepare_data,
)
from engine.quality.figures import accuracy, agreement
from engine.reports.figures import figures
from engine.reports.model import Report, ReportArtifact
from engine.reports.variants import VariantFigures
from engine.settings import settings
from engine.types import Change, Model, Target

RESULTS = Path(__file__).parent / "results" / "passes.json"
README = Path(__file__).parent.parent / "README.md"
MODELS = {
    "digits": "Digits (a small convolutional net, really trained; judged on 360 labelled images)",
    "resnet50": "ResNet-50 (random weights: judged by numerics alone)",
    "bert": "BERT-like encoder (4 layers of 256, random weights)",
    "llama": "Small Llama (27 million parameters, random weights)",
}
BERT = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "vocab_size": 4000,
    "num_labels": 7,
}
GGUF_TYPES = ("F16", "Q8_0", "Q4_K_M", "Q4_0")
_MARK = re.compile(r"(?<=<!-- passes: begin -->\n).*?(?=<!-- passes: end -->)", re.DOTALL)
AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class Cell:
    """One pass on one format: what was measured, or why it was not."""

    row: str
    format: str
    figures: str = ""
    refused: str = ""


def main(names: Iterable[str] = ()) -> None:
    """Run the models named (all without a name), keep the results and renew the README."""
    for name in tuple(names) or MODELS:
        with tempfile.TemporaryDirectory() as home:
            os.environ |= {
                "ASSAY_DATA": f"{home}/data",
                "ASSAY_LOCK_DIR": home,
                "ASSAY_MODELS": f"{home}/models",
            }
            settings.cache_clear()
            cells, machine = run(name, Path(home))
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[name] = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine,
            "cells": [[one.row, one.format, one.figures, one.refused] for one in cells],
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        print(markdown(name, known[name]), flush=True)
    known = json.loads(RESULTS.read_text())
    text = "\n".join(markdown(name, known[name]) for name in MODELS if name in known)
    README.write_text(_MARK.sub(lambda _: f"{text}\n", README.read_text()))


def run(name: str, home: Path) -> tuple[list[Cell], str]:
    """Everything for one model; the cells, and the machine in words."""
    job = f"passes-{secrets.token_hex(4)}"

    def steps(what: str) -> DirectSteps:
        return DirectSteps(f"{job}-{what}", lambda views, partial: None)

    model = store.models.load(import_model(steps("import"), _request(name, home))["model_id"])
    targets, cells = grid(model)
    data_id = _data(model, steps("data"))
    made = convert(steps("convert"), ConvertRequest(model.id, targets, data_id=data_id))
    cells += [_refused(key, why) for key, why in made["failures"].items()]
    usable = []
    for artifact_id in made["artifacts"]:
        artifact, verdict = store.artifacts.load(artifact_id)
        if verdict is not None and verdict.verdict.usable:
            usable.append(artifact_id)
        elif verdict is not None:
            cells.append(_refused(artifact.target.key, f"Made, and {verdict.sentence}"))
    request = MeasureRequest(model.id, tuple(usable))
    report = store.reports.load(measure(steps("measure"), request)["report_id"])
    for what in ("import", "data", "convert", "measure"):
        clear_outputs(f"{job}-{what}")
    return cells + measured(report), _machine(report)


def grid(model: Model) -> tuple[tuple[Target, ...], list[Cell]]:
    """Every format with every pass that can be done on its way, and the others with the reason."""
    original = model.artifact
    formats = [one.format for one in model.reach if one.format != original.format]
    targets: list[Target] = []
    cells: list[Cell] = []
    for name in (original.format, *formats):
        there = next((one for one in model.reach if one.format == name), None)
        if there is not None and not there.reachable:
            cells.append(Cell(AS_IT_IS, name, refused=there.reason))
            continue
        if name == "gguf":
            targets += [Target(name, {"type": kind}) for kind in GGUF_TYPES]
        elif name != original.format:
            targets.append(Target(name))
        for pass_name, found in pass_reach(original, name).items():
            if found.reachable:
                targets.append(Target(name, passes=(Change(pass_name),)))
            else:
                label = changes.pass_named(pass_name).label
                cells.append(Cell(label, name, refused=found.reason))
    return tuple(targets), cells


def measured(report: Report) -> list[Cell]:
    """The cells of what was measured."""
    made = {artifact.id: artifact for artifact in report.artifacts}
    original = next(one for one in report.artifacts if one.is_original)
    return [
        Cell(_row(artifact), artifact.format, _figures(variant, artifact, original.size_bytes))
        for variant in figures(report).variants
        for artifact in (made[variant.artifact_id],)
    ]


def _figures(variant: VariantFigures, artifact: ReportArtifact, whole: int) -> str:
    """Latency, speed, size and quality in one cell."""
    said = [f"{variant.typical_ms:.3g} ms"]
    if variant.ratio is not None:
        ratio = variant.ratio
        said.append(f"{ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}]")
    said.append(f"{100 * artifact.size_bytes / whole:.0f} % of the size")
    if quality := _quality(artifact):
        said.append(quality)
    return "; ".join(said)


def _quality(artifact: ReportArtifact) -> str:
    """Accuracy where there are labels; for a language model a text; else what the gate found."""
    for found in artifact.quality:
        if (judged := accuracy(found)) is not None:
            return f"accuracy {100 * judged.after.value:.1f} %"
        if found.language is not None and found.language.perplexity_ratio is not None:
            return f"perplexity × {found.language.perplexity_ratio:.3f}"
        if (same := agreement(found)) is not None:
            return f"same answer {100 * same.value:.0f} %"
    judgement = artifact.verification
    if judgement is None:
        return ""
    if judgement.language is not None and judgement.language.perplexity_ratio is not None:
        return f"perplexity × {judgement.language.perplexity_ratio:.3f}"
    errors = [one.relative for case in judgement.cases for one in case.outputs if one.relative]
    worst = f", error {max(errors):.1g}" if errors else ""
    return f"{judgement.verdict.value}{worst}"


def markdown(name: str, found: Any) -> str:
    """One model's table: passes down, formats across; refusals numbered beneath."""
    cells = [Cell(*one) for one in found["cells"]]
    formats = list(dict.fromkeys(one.format for one in cells))
    rows = sorted(dict.fromkeys(one.row for one in cells), key=lambda row: row != AS_IT_IS)
    reasons = list(dict.fromkeys(one.refused for one in cells if one.refused))
    at = {(one.row, one.format): one for one in cells}
    labels = [
        registry.format_named(one).label if one in registry.formats() else one for one in formats
    ]
    lines = [
        f"**{MODELS[name]}**, {found['date']}, {found['machine']}:\n",
        f"| Pass | {' | '.join(labels)} |",
        f"| --- |{' --- |' * len(formats)}",
    ]
    for row in rows:
        shown = (_shown(at.get((row, one)), at.get((AS_IT_IS, one)), reasons) for one in formats)
        lines.append(f"| {row} | {' | '.join(shown)} |")
    numbered = (f"{index}. {why}" for index, why in enumerate(reasons, 1))
    lines += ["", "<details><summary>Why not</summary>\n", *numbered, "\n</details>", ""]
    return "\n".join(lines)


def _shown(cell: Cell | None, whole: Cell | None, reasons: list[str]) -> str:
    """A cell of the table; where the model cannot become the format at all, no pass can either."""
    found = cell or whole
    if found is None or (cell is None and not found.refused):
        return ""
    return found.figures or f"no ({reasons.index(found.refused) + 1})"


def _row(artifact: ReportArtifact) -> str:
    if artifact.passes:
        return ", ".join(changes.words(one) for one in artifact.passes)
    kind = artifact.options.get("type")
    return f"type {kind}" if kind else AS_IT_IS


def _refused(key: str, why: str) -> Cell:
    name, _, passes = key.partition("+")
    format, _, options = name.partition(":")
    row = changes.pass_named(passes.partition(":")[0]).label if passes else AS_IT_IS
    return Cell(row if passes or not options else options.replace("=", " "), format, refused=why)


def _request(name: str, home: Path) -> ImportRequest:
    if name != "bert":
        return ImportRequest("sample", name)
    import torch
    from safetensors.torch import save_file

    from engine.architectures import architecture_named

    home = home / "models" / name
    home.mkdir(parents=True)
    torch.manual_seed(7)
    module = architecture_named("transformers").build(dict(BERT))
    (home / "config.json").write_text(json.dumps(BERT))
    weights = {key: lively(tensor) for key, tensor in module.state_dict().items()}
    save_file(weights, home / "model.safetensors")
    return ImportRequest("path", name)


def _data(model: Model, steps: DirectSteps) -> str | None:
    """Data of ours that fits the model, ready to be read; None where there is none."""
    found = builtins(model.artifact.signature)
    if not found:
        return None
    return str(prepare_data(steps, DataRequest(model.id, "builtin", found[0].name))["data_id"])


def _machine(report: Report) -> str:
    assert report.measurement is not None
    facts, plan = report.measurement.environment.facts, report.measurement.plan
    return f"{facts.get('Processor', 'unnamed processor')}, {plan.variants[0].threads} threads"


if __name__ == "__main__":
    main(sys.argv[1:])
