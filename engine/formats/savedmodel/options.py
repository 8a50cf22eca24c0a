"""What a person may choose about a SavedModel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavedModelOptions:
    """Nothing yet: further signatures (``serving.py``) take their settings from here."""
