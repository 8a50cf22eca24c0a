"""The answers of an artifact and its original on the same samples: raw, so that figures follow."""

from __future__ import annotations

from dataclasses import dataclass

from engine.verify.model import LanguageComparison

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Quality:
    """An artifact judged on the evaluation part of a data set, sample by sample.

    ``original`` and ``answers`` are the classes that the original and the artifact found likeliest,
    ``places`` of them a sample (one for a classifier); ``labels`` the true class of each sample.
    A language model has ``language`` instead. ``of`` counts the samples there were: of a slow
    model, ``samples`` of them were run. ``error`` is the artifact's refusal.
    """

    artifact_id: str
    data_id: str
    data_name: str
    data_sha256: str
    noun: str
    samples: int
    of: int
    labels: tuple[int, ...] | None = None
    original: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()
    places: int = 1
    language: LanguageComparison | None = None
    error: str | None = None
    schema_version: int = SCHEMA_VERSION
