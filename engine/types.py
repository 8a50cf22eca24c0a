"""The nouns of the domain, frozen: what a model file is and what goes in and out of it.

Imports the standard library and numpy only; everything else imports this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np

Dim = int | str
"""One dimension of a tensor: a fixed size, or a symbol such as ``"batch"``."""

Scalar = str | int | float | bool | None
Feed = Mapping[str, np.ndarray]
"""Host arrays by input (or output) name: the only thing that passes between runners."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One named input or output. ``dtype`` is numpy's name for it (``"float32"``, ``"int64"``).

    ``low`` (inclusive) and ``high`` (exclusive) bound the values that make sense, where known:
    token ids lie in ``[0, vocabulary)``.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """Named inputs and outputs of a model, in call order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbolic dimensions of the inputs, in order of appearance."""
        found = (dim for spec in self.inputs for dim in spec.shape if isinstance(dim, str))
        return tuple(dict.fromkeys(found))

    @property
    def batch_symbol(self) -> str | None:
        """The symbol on the first axis of the first input: the batch; None when it is fixed."""
        if not self.inputs or not self.inputs[0].shape:
            return None
        first = self.inputs[0].shape[0]
        return first if isinstance(first, str) else None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to reach an artifact, and with which tool."""

    verb: str
    tool: str
    version: str
    options: Mapping[str, Scalar] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a model file is: its format, where it lies, its hash, and how it came to be.

    ``path`` is a file, or a folder for formats that need several files; ``sha256`` of a folder is
    the hash over its sorted (name, hash) pairs; ``size_bytes`` counts every file.
    """

    id: str
    format: str
    path: Path
    sha256: str
    size_bytes: int
    signature: Signature
    lineage: tuple[Step, ...] = ()
    variant: str = ""
    """What tells it from others of its format (``"Q4_K_M"``); empty where nothing does."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """The options of its format that were asked for."""
    passes: tuple[Change, ...] = ()
    """The passes that were asked for, in the order they were done."""

    @property
    def target(self) -> Target:
        """What was asked for to get it."""
        return Target(self.format, self.options, self.passes)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a model can get to a format, and why or why not, in one sentence."""

    format: str
    reachable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of what a file holds; ``more`` is how many rows it has beyond these.

    Texts in the cells are the file's own words: data, never markup.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]
    more: int = 0


SignatureOrigin = Literal["carried", "proposed", "given"]
"""Who said so: the file itself, Assay's proposal (tried by running it), or the person."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a person brought it, recognised and made runnable.

    ``kind`` is what the bytes were (``"state_dict"``, ``"onnx"``, ``"sample"`` …); ``artifact`` is
    the runnable original, against which everything later is compared.
    """

    id: str
    name: str
    kind: str
    artifact: Artifact
    signature_origin: SignatureOrigin
    parameters: int | None
    op_histogram: Mapping[str, int]
    facts: Mapping[str, str]
    reach: tuple[Reach, ...]
    notes: tuple[str, ...]
    created_at: str
    barred: str = ""
    """Why it cannot be run here, and so not be converted or measured; empty where it can."""


class Runner(Protocol):
    """A loaded model. Use it as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Arrays come back on the host, so that an outside clock is honest."""
        ...


@runtime_checkable
class OnDevice(Runner, Protocol):
    """A Runner whose inferences run on a device that has a clock of its own."""

    def compute_ns(self) -> int:
        """What the last inference took by that clock, in ns, copies to and from it left out."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is picked. A temperature of 0 takes the likeliest, every time."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer. ``text`` may be empty while a character is not complete."""

    id: int
    text: str


@runtime_checkable
class Writer(Runner, Protocol):
    """A Runner of a language model that also writes: text in, tokens out as they are made."""

    context_length: int
    """How many tokens it sees at once."""

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, the model's begin token first."""
        ...

    def generate(
        self, prompt: str | Sequence[int], most: int = 128, sampling: Sampling | None = None
    ) -> Iterator[Token]:
        """An answer, token by token, as each is made: at most ``most`` tokens."""
        ...


@runtime_checkable
class Caching(Runner, Protocol):
    """A Runner of a language model that keeps keys and values of the tokens it has read."""

    def cache_bytes(self) -> tuple[int | None, int | None]:
        """Bytes of them in the context there is now: computed, and as the runtime reports it.

        None for what cannot be known.
        """
        ...


@runtime_checkable
class Generates(Runner, Protocol):
    """A Runner of a language model that keeps what it has read: a further token costs one token.

    A runner without it is no worse a runner; for every token it has to read the whole text again.
    """

    context_length: int
    """How many tokens it sees at once."""
    manner: str
    """Whose loop it is and what is kept, for the middle of a sentence."""

    def write(self, prompt: Sequence[int], count: int, heard: Callable[[int], None]) -> None:
        """Exactly ``count`` tokens after ``prompt``, each the likeliest; ``heard`` of each at once.

        An end mark does not end it. Raises BadRequest where both do not fit the context.
        """
        ...


OWN_PROCESS = "ASSAY_OWN_PROCESS"
"""The environment variable that says: one model runs in this process and no other, so that a
runtime may be told for it what holds for a whole process. Workers have it."""


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How to load a model for running. ``precision`` is what the reference is computed in."""

    threads: int = 1
    precision: Literal["float32", "float64"] = "float32"


@dataclass(frozen=True, slots=True)
class Change:
    """A pass that is asked for (a quantization, a pruning), with its options."""

    name: str
    options: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """How it is written: ``int8-static:method=entropy``."""
        return _written(self.name, self.options)


@dataclass(frozen=True, slots=True)
class Target:
    """A format to make, with the options of that format and the passes that were chosen.

    Written ``gguf``, ``gguf:type=Q4_K_M:context=2048`` or ``onnx+prune-channels+int8-static``.
    """

    format: str
    options: Mapping[str, Scalar] = field(default_factory=dict)
    passes: tuple[Change, ...] = ()

    @property
    def key(self) -> str:
        """How it is written: equal targets, equal key."""
        own = _written(self.format, self.options)
        return "+".join((own, *(change.key for change in self.passes)))


def _written(name: str, options: Mapping[str, Scalar]) -> str:
    return ":".join((name, *(f"{key}={value}" for key, value in sorted(options.items()))))
