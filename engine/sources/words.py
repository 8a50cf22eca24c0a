"""What a framework said, made fit to end a sentence of ours."""

from __future__ import annotations

import unicodedata

_LONGEST = 220


def quoted(error: object) -> str:
    """The gist of a message: one line, no control or bidi marks, a full stop at its end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(" ".join(lines[:2]) or type(error).__name__).rstrip(" :,;.") + "."


def one_line(text: str, most: int = _LONGEST) -> str:
    """A stranger's text, fit to be shown: no control or bidi marks, and not endless."""
    plain = "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
    return plain if len(plain) <= most else f"{plain[:most]}…"
