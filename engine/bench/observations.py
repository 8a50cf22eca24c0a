"""The raw records of studies: what a measurement found beside its times. No statistics in here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One fresh process from its start to its first answer. Seconds.

    ``start_s``: from the start of the process until the framework's import begins, the interpreter
    and Assay's own worker. ``evicted``: the artifact's files had been dropped from the page cache
    of this system before; ``read_bytes`` is what was then really read from storage while loading
    and answering, None where the kernel does not say.
    """

    variant: str
    evicted: bool
    start_s: float
    import_s: float
    load_s: float
    first_s: float
    read_bytes: int | None
