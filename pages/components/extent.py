"""How much is measured: batch sizes, threads, and what is found beside the times."""

from __future__ import annotations

import streamlit as st

import engine
from engine import Model
from pages.components import state

_TOKENS, _OWN_PROMPT = "tokens", 128


def machine() -> tuple[list[int], int, bool]:
    """Batch sizes, threads, and whether one thread is measured beside them."""
    batches = st.multiselect("Batch sizes", [1, 2, 4, 8, 16, 32], default=[1])
    cores, usual = engine.cores(), engine.worker_threads()
    threads = st.number_input("Threads, the same for every format", 1, cores, usual)
    alone_too = cores > 1 and st.checkbox(
        "Also with one thread on one CPU: the steadier figure, in twice the time"
    )
    return batches, int(threads), alone_too


def beside(model: Model) -> tuple[tuple[str, ...], int]:
    """What to find beside the times, as far as it can be found of this model.

    And the length of a prompt of one's own, in tokens; 0 where none is asked for.
    """
    found = engine.list_studies().values()
    fitting = [study for study in found if study.fits(model.artifact) is None]
    chosen = tuple(
        study.name
        for study in fitting
        if st.checkbox(study.title, key=f"{state.STUDY}{study.name}", help=study.about)
    )
    if _TOKENS not in (study.name for study in fitting):
        return chosen, 0
    own = st.number_input(
        "Length of your own prompts, tokens",
        min_value=0,
        value=_OWN_PROMPT,
        help="First and next tokens are timed at this length, too; 0 times them at 512 alone.",
    )
    return chosen, int(own) if _TOKENS in chosen else 0
