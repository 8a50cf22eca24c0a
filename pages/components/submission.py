"""Handing a job over: what was asked goes into the queue, or a sentence says why it did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from engine import EngineError
from pages.components import state
from pages.components.text import plain

R = TypeVar("R")


def queue(
    submit: Callable[[R], str], request: R, show: Callable[[str | None], None] = state.show_job
) -> None:
    """Queue the job and let the URL point at it; a refusal is shown here and nothing is queued."""
    try:
        job_id = submit(request)
    except EngineError as error:
        st.error(plain(error.message), icon=":material/error:")
        st.text(error.hint)
        return
    show(job_id)
    st.rerun()
