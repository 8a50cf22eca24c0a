"""Text of other people, shown as text."""

from __future__ import annotations

_MARKUP = "\\`*_{}[]()#+!|<>$:~"


def plain(text: str) -> str:
    """Text as Markdown that shows it unchanged: a model's names are data, never markup."""
    return "".join(f"\\{sign}" if sign in _MARKUP else sign for sign in text)
