"""Samples: models that are made on the spot."""

from __future__ import annotations

from pathlib import Path

from engine.registry import format_named
from engine.samples import sample_named, write_sample
from engine.sources.model import Progress, Recognised
from engine.sources.originals import place


def make(name: str, out: Path, progress: Progress) -> Recognised:
    """Make the sample of that name. Raises NotFound naming those there are."""
    sample = sample_named(name)
    form = format_named(sample.format)
    path = place(out, f"model{form.suffix}" if form.suffix else form.name)
    made = write_sample(name, path, progress)
    parameters, operators, facts = form.describe(path)
    assert form.read_signature is not None, f"{form.label} files carry no signature"
    return Recognised(
        path=path,
        name=sample.label,
        kind="sample",
        format=form.name,
        signature=form.read_signature(path),
        signature_origin="carried",
        parameters=parameters,
        op_histogram=operators,
        facts={**facts, **made.facts},
        notes=made.notes,
        listings=form.inspect(path) if form.inspect else (),
    )
