"""Does this signature fit this model? Found out by running it once, on one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.errors import BadRequest, EngineError, UnsupportedModel
from engine.feeds import shaped, with_outputs
from engine.registry import open_runner
from engine.sources.words import quoted
from engine.types import Artifact, Dim, Feed, RunnerOptions, Signature, TensorSpec
from engine.verify.inputs import feed


def tried(format: str, path: Path, signature: Signature) -> Signature:
    """The signature, with the outputs that running shows. Raises the runner's own error."""
    artifact = Artifact("trial", format, path, "", 0, replace(signature, outputs=()))

    def make(sizes: Mapping[str, int]) -> Feed:
        return feed(signature, "random", 2, 0, sizes=sizes)

    with open_runner(artifact, RunnerOptions()) as runner:

        def infer(given: Feed) -> Mapping[str, np.ndarray]:
            return runner.infer(given)

        found = with_outputs(signature, make, infer)
    return _renamed(found, signature)


def runs(format: str, path: Path, signature: Signature, *, times: int = 1) -> list[Feed]:
    """Run with the file's own signature. Raises BadRequest asking for ranges or sizes."""
    artifact = Artifact("trial", format, path, "", 0, signature)
    try:
        with open_runner(artifact, RunnerOptions()) as runner:
            return [runner.infer(feed(signature, "random", 2, 0)) for _ in range(times)]
    except UnsupportedModel:
        raise
    except EngineError as error:
        raise BadRequest(
            f"The model was read, but does not run on values of its own signature: "
            f"{quoted(error.message)}",
            hint="Give the signature: the range of whole-number inputs (token ids below the "
            "vocabulary's size), or a fixed size for an axis that cannot vary.",
        ) from error


def steady(format: str, path: Path, signature: Signature) -> None:
    """Run twice. Raises UnsupportedModel where chance decides the answer, too."""
    first, second = runs(format, path, signature, times=2)
    for name, array in first.items():
        if not np.allclose(array, second[name], 1e-3, 1e-5, equal_nan=array.dtype.kind in "fc"):
            raise UnsupportedModel(
                f"The model answers the same input otherwise the second time (at {name!r}): "
                "nothing can be compared with it.",
                hint="Leave random layers (augmentation, dropout that stays on) out of the model "
                "that is served.",
            )


def given(format: str, path: Path, signature: Signature) -> Signature:
    """A person's signature, tried. Raises BadRequest with what the framework said."""
    try:
        return tried(format, path, signature)
    except EngineError as error:
        inputs = ", ".join(f"{spec.name} {shaped(spec.shape)}" for spec in signature.inputs)
        raise BadRequest(
            f"The model does not run with the inputs {inputs}: {quoted(error.message)}",
            hint="Change the shapes, types or order of the inputs and try again.",
        ) from error


def first_that_runs(
    format: str, path: Path, candidates: Iterable[Signature]
) -> tuple[Signature | None, str]:
    """The first signature that runs, else None and what was said about the last one."""
    said = ""
    for candidate in candidates:
        try:
            return tried(format, path, candidate), ""
        except EngineError as error:
            said = error.message
    return None, said


def agreed(carried: Signature, wanted: Signature) -> Signature:
    """A person's signature for a file that carries its own. Raises BadRequest where they differ.

    Ranges may be added, dynamic axes renamed or fixed; what the file fixes stays.
    """
    if len(carried.inputs) != len(wanted.inputs):
        raise BadRequest(
            f"The file declares {len(carried.inputs)} inputs; {len(wanted.inputs)} were given.",
            hint=_KEEP,
        )
    renamed: dict[str, Dim] = {}
    for own, asked in zip(carried.inputs, wanted.inputs, strict=True):
        _agree(own, asked, renamed)
    outputs = tuple(
        replace(
            spec, shape=tuple(renamed.get(d, d) if isinstance(d, str) else d for d in spec.shape)
        )
        for spec in carried.outputs
    )
    return Signature(wanted.inputs, outputs)


_KEEP = "Keep what the file declares; ranges may be added, dynamic axes renamed or fixed."


def _agree(own: TensorSpec, asked: TensorSpec, renamed: dict[str, Dim]) -> None:
    fits = (own.name, own.dtype, len(own.shape)) == (asked.name, asked.dtype, len(asked.shape))
    for mine, theirs in zip(own.shape, asked.shape, strict=False):
        if isinstance(mine, str):
            fits = fits and renamed.setdefault(mine, theirs) == theirs
        else:
            fits = fits and mine == theirs
    if not fits:
        raise BadRequest(
            f"The file declares the input {own.name} as {own.dtype} {shaped(own.shape)}; given was "
            f"{asked.name} as {asked.dtype} {shaped(asked.shape)}.",
            hint=_KEEP,
        )


def bounded(signature: Signature, rows: Mapping[str, int]) -> Signature:
    """The signature with ``[0, rows)`` as the range of each input named in ``rows``."""
    return replace(
        signature,
        inputs=tuple(
            replace(spec, low=0, high=rows[spec.name]) if spec.name in rows else spec
            for spec in signature.inputs
        ),
    )


def _renamed(found: Signature, wanted: Signature) -> Signature:
    """The names a person gave the outputs, where there are as many."""
    if len(wanted.outputs) != len(found.outputs):
        return found
    pairs = zip(found.outputs, wanted.outputs, strict=True)
    return replace(found, outputs=tuple(replace(own, name=said.name) for own, said in pairs))
