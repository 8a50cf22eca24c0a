"""What a framework said, made fit to end a sentence of ours."""

from __future__ import annotations

import unicodedata

_LONGEST = 220


def quoted(error: object) -> str:
    """The gist of a message: one line, no control or bidi marks, a full stop at its end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]) or type(error).__name__
    plain = "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
    cut = plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
    return cut.rstrip(" :,;.") + "."
