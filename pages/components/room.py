"""What takes how much of the disk, and what may go: shown first, then deleted."""

from __future__ import annotations

import streamlit as st

import engine
from pages.components import state, table
from pages.components.text import plain

_MIB = 1024**2
_SHOWN = 50


def show() -> None:
    """The sizes, and a way to free what nobody needs."""
    st.subheader("Room", anchor=False)
    table.show([{"What": name, "Size": size} for name, size in _sizes().items()])
    days = st.number_input(
        "What no report and no open job speaks of may go, when it is older than (days)",
        min_value=0,
        value=90,
        key=state.OLDER,
    )
    if st.button("See what may go", icon=":material/cleaning_services:"):
        confirm(int(days))
    st.caption(
        "By hand: `python -m engine clean --days 90 --dry-run`. `python -m engine backup FILE` "
        "keeps everything in one file, `python -m engine restore FILE` puts it where no library is."
    )


@st.cache_resource(ttl=60, show_spinner=False)
def _sizes() -> dict[str, str]:
    """Counted at most once a minute."""
    return {name: _size(count) for name, count in engine.disk_sizes().items()}


@st.dialog("Free room on the disk?", width="large")
def confirm(days: int) -> None:
    """Every item by name before anything is deleted."""
    going = engine.unneeded(days)
    if not going:
        st.info(f"Nothing older than {days} days may go.", icon=":material/check_circle:")
        return
    listed = going[:_SHOWN]
    table.grid(
        table.of_columns(
            {
                "Kind": [one.kind for one in listed],
                "Name": [plain(one.name) for one in listed],
                "Since": [one.since[:10] for one in listed],
                "Size": [_size(one.size_bytes) for one in listed],
            }
        )
    )
    if len(going) > _SHOWN:
        st.caption(f"and {len(going) - _SHOWN} more")
    size = _size(sum(one.size_bytes for one in going))
    if st.button(f"Delete them and free {size}", type="primary", icon=":material/delete:"):
        engine.free_room(days)
        _sizes.clear()
        st.rerun()


def _size(count: int) -> str:
    return f"{count / _MIB:,.0f} MiB"
