"""Everything the engine raises on purpose.

EngineError                     a sentence for a person: what was wanted, what was found, what to do
├── InvalidModel                the bytes are not the model they claim to be
│   └── UnsafeModel             the bytes could run code, and are refused
├── UnsupportedModel            a model we read, but cannot express or run in the asked format
│   └── NoRoute                 no chain of converters leads from one format to the other
├── MissingDependency           a package that is not installed
├── ConversionError             the framework's own converter failed
├── BadRequest                  options that do not fit (shape, name, number …)
├── NotFound                    an id that nothing answers to
├── NotAllowed                  something that the person's role does not include
├── UploadError                 an upload that was refused; carries the HTTP status
├── StorageFull                 no room left on the disk
├── LibraryUnusable             the database or its folder cannot be read, or written
└── TaskFailed                  an isolated task ended badly; carries its ``Reason``
    └── TaskCancelled           a person stopped it

Anything that is not an EngineError is our bug, and is shown as one.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """How a task can end other than well."""

    INVALID_MODEL = "invalid_model"
    UNSAFE_MODEL = "unsafe_model"
    UNSUPPORTED = "unsupported"
    BAD_REQUEST = "bad_request"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    CRASHED = "crashed"
    DISK_FULL = "disk_full"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class EngineError(Exception):
    """Base of every deliberate error. ``hint`` says what to do next; ``reason`` classes it."""

    reason: Reason = Reason.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidModel(EngineError):
    """The bytes are not the model they claim to be."""

    reason = Reason.INVALID_MODEL


class UnsafeModel(InvalidModel):
    """The bytes could run code, and are refused."""

    reason = Reason.UNSAFE_MODEL


class UnsupportedModel(EngineError):
    """A model that was read, but cannot be expressed or run in the asked format."""

    reason = Reason.UNSUPPORTED


class NoRoute(UnsupportedModel):
    """No chain of converters leads from one format to the other."""


class MissingDependency(EngineError):
    """A package that is not installed. The hint is the line that installs it."""

    reason = Reason.UNSUPPORTED


class ConversionError(EngineError):
    """The framework's own converter failed."""

    reason = Reason.UNSUPPORTED


class BadRequest(EngineError):
    """Options that do not fit the model or the machine."""

    reason = Reason.BAD_REQUEST


class NotFound(EngineError):
    """Nothing answers to that id."""

    reason = Reason.BAD_REQUEST


class NotAllowed(EngineError):
    """The role of whoever asks does not include this."""

    reason = Reason.BAD_REQUEST


class UploadError(EngineError):
    """An upload that was refused. ``status`` is the HTTP status to answer with.

    ``retry_after_s``: in how many seconds the same may be asked again, where waiting helps.
    """

    reason = Reason.BAD_REQUEST

    def __init__(
        self, message: str, *, status: int, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s


class StorageFull(EngineError):
    """No room left on the disk."""

    reason = Reason.DISK_FULL

    def __init__(
        self,
        message: str = "The disk is full; nothing half-written was kept.",
        *,
        hint: str = "Free some space (old reports and models can be deleted) and try again.",
    ) -> None:
        super().__init__(message, hint=hint)


class LibraryUnusable(EngineError):
    """The database, or the folder it lies in, cannot be read or written. Nothing was changed."""


class TaskFailed(EngineError):
    """An isolated task ended badly; ``how`` becomes its reason."""

    def __init__(self, message: str, *, how: Reason, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = how


class TaskCancelled(TaskFailed):
    """A person stopped it."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message, how=Reason.CANCELLED)
