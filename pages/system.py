"""System: what this machine can do, what is missing, and the line that brings it."""

from __future__ import annotations

import streamlit as st

import engine
from pages.components import room, shell, table

shell.guard()


READY = ":green-badge[:material/check: Ready]"
NOT_YET = ":gray-badge[:material/block: Not yet]"


@st.cache_resource(ttl=5, show_spinner=False)
def looked() -> engine.Doctor:
    """What the doctor found, at most five seconds old: looking takes as long as drawing."""
    return engine.diagnose()


def by(jobs: tuple[engine.JobView, ...]) -> dict[str, list[str]]:
    """Who asked for each, where people log in."""
    if engine.login() is None:
        return {}
    names = engine.people()
    return {"By": [names.get(job.owner, job.owner) for job in jobs]}


shell.header("System", "What this machine can do, and what is missing.")
found = looked()

if found.host_alive:
    st.success("The worker host is running: jobs start at once.", icon=":material/check_circle:")
else:
    st.error(
        "The worker host is not running, so jobs wait. `make run` starts it beside the web; "
        "by hand: `python -m engine host`.",
        icon=":material/error:",
    )

st.subheader("Back ends", anchor=False)
for end in found.back_ends:
    with st.container(border=True):
        state = READY if end.available else NOT_YET
        st.markdown(f"**{end.label}** · {end.version or 'not installed'} {state}")
        if end.reason:
            st.text(end.reason)
        if end.install:
            st.code(end.install, language="bash")

st.subheader("This machine", anchor=False)
facts = [{"What": name, "Found": str(value)} for name, value in found.facts.items()]
table.show(facts)

st.subheader("Recent jobs", anchor=False)
recent = engine.list_jobs(limit=20)
if recent:
    table.grid(
        table.of_columns(
            {
                "Job": [job.title for job in recent],
                "State": [job.state.value for job in recent],
                **by(recent),
                "Created (UTC)": [job.created_at[:19] for job in recent],
            }
        )
    )
else:
    st.text("None yet.")

room.show()

st.subheader("Known limits", anchor=False)
st.markdown(
    "- Served on this machine (127.0.0.1) unless it was started for others (README).\n"
    "- Workers have limits of time, memory and processes, no secrets, and the sandbox above.\n"
    "- Measuring uses the CPU, but for TensorRT, which was not yet run on a real GPU."
)
