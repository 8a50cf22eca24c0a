"""The report: the schema-versioned product of a job.

History of ``SCHEMA_VERSION``
1  first
2  an artifact knows its variant and the options it was asked for with
3  a verification knows how a language model read a text, and by which limits it is judged
4  an artifact knows the passes it went through
5  an artifact knows how good it is on real samples
6  a measurement knows what its gate saw, its noise floor and controls, and where it stopped
7  a measurement knows whose memory could not be weighed though its times were taken
8  a measurement holds what its studies found beside the times
9  a block knows what the GPU's own clock and its driver said
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.bench.model import Measurement
from engine.quality.model import Quality
from engine.types import Change, Model, Reach, Scalar, Signature, SignatureOrigin, Step, Target
from engine.verify.model import Verification

SCHEMA_VERSION = 9


@dataclass(frozen=True, slots=True)
class ReportArtifact:
    """One artifact as the report remembers it: no paths, so that it can leave the machine."""

    id: str
    format: str
    label: str
    sha256: str
    size_bytes: int
    signature: Signature
    lineage: tuple[Step, ...]
    is_original: bool
    verification: Verification | None
    variant: str
    options: Mapping[str, Scalar]
    passes: tuple[Change, ...]
    quality: tuple[Quality, ...] = ()

    @property
    def target(self) -> Target:
        """What was asked for to get it."""
        return Target(self.format, self.options, self.passes)


@dataclass(frozen=True, slots=True)
class ReportModel:
    """The model as it was brought, without its path."""

    id: str
    name: str
    kind: str
    sha256: str
    size_bytes: int
    signature: Signature
    signature_origin: SignatureOrigin
    parameters: int | None
    op_histogram: Mapping[str, int]
    facts: Mapping[str, str]
    reach: tuple[Reach, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What the decision tree said before anything was measured: the claim to be tested.

    ``answers`` are the tree's answers by question id; ``origin`` is ``"tree"`` when a person
    walked it and ``"inferred"`` when it follows from the model and this machine.
    """

    leaf: str
    title: str
    format: str
    origin: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """One result, complete: stored, shared, exported, imported and replayed as this."""

    schema_version: int
    id: str
    title: str
    created_at: str
    assay_version: str
    model: ReportModel
    artifacts: tuple[ReportArtifact, ...]
    failures: Mapping[str, str]
    measurement: Measurement | None
    advice: Advice | None
    reproduce: str


def without_paths(model: Model) -> ReportModel:
    """A model as a report keeps it."""
    return ReportModel(
        id=model.id,
        name=model.name,
        kind=model.kind,
        sha256=model.artifact.sha256,
        size_bytes=model.artifact.size_bytes,
        signature=model.artifact.signature,
        signature_origin=model.signature_origin,
        parameters=model.parameters,
        op_histogram=model.op_histogram,
        facts=model.facts,
        reach=model.reach,
        notes=model.notes,
    )
