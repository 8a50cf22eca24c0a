"""From a JSON request to the thing a worker measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.bench.measure import FEEDS, Subject, make_feeds
from engine.nvidia import NvidiaGpu
from engine.records import parse
from engine.registry import format_named, open_runner
from engine.types import Artifact, RunnerOptions, Signature


def subject_of(request: Mapping[str, Any], *, feeds: int = FEEDS) -> Subject:
    """The artifact of the request, ready to open, with at most ``feeds`` sets of inputs made."""
    from engine.verify.inputs import feed

    artifact = parse(Artifact, request["artifact"])
    spec = format_named(artifact.format)
    names = tuple(spec.name for spec in artifact.signature.inputs)
    return Subject(
        variant=request["variant"],
        import_module=spec.import_module,
        open_runner=lambda: open_runner(artifact, RunnerOptions(threads=request["threads"])),
        feeds=make_feeds(
            parse(Signature, request["signature"]),
            names,
            lambda original, seed: feed(original, "random", request["batch"], seed),
            seed=request["seed"],
            most=feeds,
        ),
        on_gpu=any(isinstance(need, NvidiaGpu) for need in spec.requires),
    )
