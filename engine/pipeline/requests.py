"""What a person asks for: one frozen record a job, stored and hashed as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from engine.reports.model import Advice
from engine.tuning.model import Goal
from engine.types import Scalar, Signature, Target
from engine.verify.model import Thresholds


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A model to bring in: a sample by name, an upload by id, or a path under the models folder.

    ``architecture`` names what a bare state_dict belongs to; ``config_upload`` is the upload id
    (or path, for ``path`` imports) of a transformers ``config.json`` instead.
    """

    origin: Literal["sample", "upload", "path"]
    source: str
    architecture: str | None = None
    config_upload: str | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """Formats to make from a model, and how to judge them.

    ``wait``: where this machine lacks what a target needs, the job waits for a host that has it.
    ``data_id``: the data that passes read and results are judged by; without it, random values.
    """

    model_id: str
    targets: tuple[Target, ...]
    wait: bool = False
    thresholds: Thresholds = field(default_factory=Thresholds)
    data_id: str | None = None


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Data to make ready for a model: one of ours by name, an upload by id, or a path.

    ``recipe`` says how images become what the model takes (``engine.data.recipe``), where that is
    not the usual.
    """

    model_id: str
    origin: Literal["builtin", "upload", "path"]
    source: str
    recipe: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Artifacts to weigh against their original.

    ``threads``: as many for all, the cores of this machine without. ``one_thread_too``: a second
    figure of everything, with one thread kept on one CPU. ``studies``: what to find beside the
    times, by name. ``prompt_tokens``: a length of prompt to time tokens at, beside 512; 0 for none.
    """

    model_id: str
    artifact_ids: tuple[str, ...]
    preset: str = "quick"
    batches: tuple[int, ...] = (1,)
    threads: int | None = None
    one_thread_too: bool = False
    advice: Advice | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    studies: tuple[str, ...] = ()
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TryRequest:
    """A prompt for an artifact that writes text, or for the original itself."""

    LONGEST_PROMPT: ClassVar[int] = 8_000
    MOST_TOKENS: ClassVar[int] = 1_024
    HIGHEST_TEMPERATURE: ClassVar[float] = 2.0

    model_id: str
    artifact_id: str
    prompt: str
    most: int = 128
    temperature: float = 0.7
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """Why is this artifact as fast as it is?"""

    model_id: str
    artifact_id: str


@dataclass(frozen=True, slots=True)
class ExcludeRequest:
    """Which layers of a quantized artifact must stay in float, so that quality reaches the goal?"""

    model_id: str
    artifact_id: str
    goal: Goal
    data_id: str | None = None


@dataclass(frozen=True, slots=True)
class SensitivityRequest:
    """Which layers of a quantized artifact are far from float? On data where there is some."""

    model_id: str
    artifact_id: str
    data_id: str | None = None
