"""How a language model did on a text it had not seen, beside the limits it is judged by."""

from __future__ import annotations

import streamlit as st

from engine import LanguageComparison, Thresholds
from pages.components import table


def figures(found: LanguageComparison, limits: Thresholds) -> None:
    """The three figures in a small table."""
    if found.error:
        return  # the verdict's sentence says it
    rows = [
        {
            "On an unseen text": "Divergence of the next word's chances",
            "Found": _nats(found.kl_mean),
            "Equivalent": f"up to {limits.equivalent_kl:g}",
            "Usable": f"up to {limits.degraded_kl:g}",
        },
        {
            "On an unseen text": "Likeliest word is the same",
            "Found": f"{found.top1_share * 100:.1f} %{_share_interval(found)}",
            "Equivalent": "not asked for",
            "Usable": f"from {limits.degraded_language_top1 * 100:g} %",
        },
        {
            "On an unseen text": "Perplexity, against the original's",
            "Found": f"{_number(found.perplexity_ratio)} × {_ratio_interval(found)}",
            "Equivalent": f"up to {limits.equivalent_perplexity:g}",
            "Usable": f"up to {limits.degraded_perplexity:g}",
        },
    ]
    table.show(rows)
    st.caption(
        f"{found.places:,} places of a text of Assay's own. The original's perplexity is "
        f"{_number(found.perplexity_reference)}, this one's {_number(found.perplexity_candidate)}. "
        f"Brackets are 95 % intervals, {found.intervals}."
    )


def _share_interval(found: LanguageComparison) -> str:
    if found.top1_interval is None:
        return ""
    low, high = found.top1_interval
    return f" [{low * 100:.1f}, {high * 100:.1f}]"


def _ratio_interval(found: LanguageComparison) -> str:
    if found.ratio_interval is None:
        return ""
    low, high = found.ratio_interval
    return f"[{low:.4g}, {high:.4g}]"


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def _nats(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.2g} nats"
