"""Judge what was made: its numbers against the original's, and its answers on real samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import changes, store
from engine.data.model import Dataset, Part
from engine.errors import BadRequest
from engine.jobs.protocol import PATIENT, Steps, Task
from engine.pipeline.seed import SEED
from engine.quality.model import Quality
from engine.records import dump, parse
from engine.types import Artifact
from engine.verify.limits import limits_for
from engine.verify.model import Thresholds, Verification

BATCHES = (1, 2, 3, 7)


def judging_steps(labels: Sequence[str], data: Dataset | None) -> tuple[str, ...]:
    """The steps to come, by label."""
    verifying = ("Run the original", *(f"Verify {label}" for label in labels))
    if data is None:
        return verifying
    weighing = (f"Judge {label} on {data.name}" for label in labels)
    return (*verifying, f"Run the original on {data.name}", *weighing)


@dataclass(slots=True)
class Judge:
    """The judge of one job: what the original answers is asked once.

    ``notes`` says what could not be judged, and why. One that is ``choosing`` sees only what the
    judgement that counts does not: the calibration part and other random values. It keeps nothing.
    """

    steps: Steps
    model: Artifact
    data: Dataset | None
    thresholds: Thresholds
    choosing: bool = False
    notes: list[str] = field(default_factory=list)
    _references: dict[str, Path] = field(default_factory=dict)
    _answers: dict[str, Any] | None = None

    @property
    def on(self) -> str:
        """What its figures are from, for a person."""
        if self.data is None:
            return f"random values of {'one' if self.choosing else 'another'} seed"
        return f"the calibration part of {self.data.name}" if self.choosing else self.data.name

    def verify(self, artifact: Artifact, original: Artifact) -> Verification:
        """Judge the numbers of an artifact by what its passes leave, and keep the judgement."""
        precisions = [changes.pass_named(change.name).precision for change in artifact.passes]
        precision = next(filter(None, reversed(precisions)), "")
        on = original.signature if self.data else None
        limits = limits_for(precision, self.thresholds, on)
        request = {
            "artifact": dump(artifact),
            "reference": str(self._reference(original)),
            "thresholds": dump(limits),
            "seed": self._seed,
        }
        named = changes.label_of(artifact.target)
        label = f"Try {named} on {self.on}" if self.choosing else f"Verify {named}"
        result = self.steps.run(Task("verify", label, request))
        verification = parse(Verification, result["verification"])
        if not self.choosing:
            store.artifacts.save_verification(verification)
        return verification

    def weigh(self, artifact: Artifact) -> Quality | None:
        """Hold the answers of an artifact to the original's, and keep what came of it.

        None where there is no data, or the model gives no answers that could be counted.
        """
        if self.data is None or self.notes:
            return None
        try:
            original = self._original_answers(self.data)
        except BadRequest as error:
            self.notes.append(error.message)
            return None
        request = {
            "artifact": dump(artifact),
            "data": dump(self.data),
            "part": self._part,
            "original": {key: original[key] for key in ("answers", "places", "samples")},
            "reference": str(self.steps.out(original)),
        }
        verb = "Try" if self.choosing else "Judge"
        label = f"{verb} {changes.label_of(artifact.target)} on {self.on}"
        result = self.steps.run(Task("quality", label, request, PATIENT))
        quality = parse(Quality, result["quality"])
        if not self.choosing:
            store.artifacts.save_quality(quality)
        return quality

    @property
    def _part(self) -> Part:
        return "calibration" if self.choosing else "evaluation"

    @property
    def _seed(self) -> int:
        return SEED + 1 if self.choosing else SEED

    def _reference(self, original: Artifact) -> Path:
        """The folder of what the original answers to every verification input."""
        if original.id not in self._references:
            request = {
                "artifact": dump(original),
                "seed": self._seed,
                "batches": list(BATCHES),
                "data": dump(self.data),
                "part": self._part,
            }
            where = f" on {self.on}" if self.choosing else ""
            result = self.steps.run(Task("reference", f"Run the original{where}", request))
            self._references[original.id] = self.steps.out(result)
        return self._references[original.id]

    def _original_answers(self, data: Dataset) -> dict[str, Any]:
        """What the model as it was brought answers to every sample."""
        if self._answers is None:
            request = {
                "artifact": dump(self.model),
                "data": dump(data),
                "part": self._part,
                "original": None,
            }
            label = f"Run the original on {self.on}"
            self._answers = self.steps.run(Task("quality", label, request, PATIENT))
        return self._answers
