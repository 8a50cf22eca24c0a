"""Jobs that wait for another host: one that has what their targets need, a GPU for instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import registry


def lacks(request: Mapping[str, Any]) -> str | None:
    """What this machine lacks for a job that may wait, in words; None when it can be run here.

    ``request`` is a ``ConvertRequest`` as stored; every other kind of job runs anywhere.
    """
    if not request.get("wait"):
        return None
    known = registry.formats()
    asked = (known[target["format"]] for target in request["targets"] if target["format"] in known)
    lacking = [f"{form.label}: {form.lacks}" for form in asked if form.elsewhere]
    return "; ".join(lacking) or None
