"""Data for a model: picked among what is there, or brought; with a look at what the model sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

import engine
from engine import DataRequest, Dataset, Model, PictureRecipe, Target
from pages.components import options, state, submission, table
from pages.components.text import plain
from pages.components.upload import uploader

NONE = ""
_KINDS = {"arrays": "arrays", "images": "pictures", "table": "a table", "text": "text"}
WITHOUT = {
    "samples": "{label} learns its ranges from samples. Without data it reads random values, and "
    "figures from what it makes mean little.",
    "labels": "{label} can use labelled samples. Without them it does what needs none.",
}


def pick(model: Model, targets: Sequence[Target]) -> str | None:
    """The data to calibrate on and to judge by; None for none. Draws a way to bring some, too."""
    known = engine.data_of(model.id)
    chosen = _select(known) if known else None
    if chosen is None:
        for sentence in missing(targets):
            st.warning(sentence, icon=":material/casino:")
    else:
        label, key = f"What is in {plain(chosen.name)}", f"{state.DATA}look_{chosen.id}"
        icon = ":material/visibility:"
        with st.expander(label, key=key, on_change="rerun", icon=icon) as box:
            if box.open:
                _look(chosen)
    label = "Bring data: to calibrate on, and to judge quality by"
    with st.expander(
        label, icon=":material/add:", key=f"{state.DATA}bring", on_change="rerun"
    ) as box:
        # From when it is first opened: closing it again must not end an upload under way.
        if box.open:
            st.session_state[state.BRINGING_DATA] = True
        if st.session_state.get(state.BRINGING_DATA):
            _bring(model)
    return chosen.id if chosen else None


def missing(targets: Iterable[Target]) -> list[str]:
    """What the passes that were picked do without data, a sentence each."""
    known = engine.list_passes()
    picked = {change.name: known[change.name] for target in targets for change in target.passes}
    return [WITHOUT[one.wants].format(label=one.label) for one in picked.values() if one.wants]


def _select(known: Sequence[Dataset]) -> Dataset | None:
    """One of the data sets of the model, the newest unless another is picked."""
    by_id = {one.id: one for one in known}
    chosen = st.selectbox(
        "Data",
        [*by_id, NONE],
        format_func=lambda id_: _named(by_id[id_]) if id_ else "None: random values, no judgement",
        # With every data set that comes a new widget, so that it is the one picked.
        key=f"{state.DATA}{len(known)}",
        help="Half of it calibrates passes; the other half judges everything that is made.",
    )
    return by_id.get(chosen)


def _named(data: Dataset) -> str:
    labelled = ", labelled" if data.labelled else ""
    return f"{data.name} ({data.count:,} samples{labelled})"


def _look(data: Dataset) -> None:
    """What the model sees of it."""
    st.text(
        f"{_KINDS[data.kind].capitalize()}: {data.calibration:,} samples to calibrate on, "
        f"{data.evaluation:,} others to judge by"
        + (f", {len(data.classes)} classes." if data.classes else ".")
    )
    for note in data.notes:
        st.text(f"Note: {note}")
    if picture := engine.data_picture(data):
        st.image(picture, caption="As the model sees them, each channel stretched to be visible")
    if data.channels:
        rows = [
            {
                "Input": plain(one.input),
                "Channel": str(one.channel),
                "Least": f"{one.low:.4g}",
                "Mean": f"{one.mean:.4g}",
                "Largest": f"{one.high:.4g}",
            }
            for one in data.channels
        ]
        table.show(rows)
    if st.button("Delete this data", key=f"{state.DATA}delete_{data.id}", type="tertiary"):
        engine.delete_data(data.id)
        st.rerun()


def _bring(model: Model) -> None:
    """Data of ours, an upload, or a file of the models folder."""
    for one in engine.builtin_data(model.artifact.signature):
        st.markdown(f"**{one.label}.** {one.sentence}")
        if st.button(f"Use {one.label}", key=f"{state.DATA}ours_{one.name}"):
            _submit(DataRequest(model.id, "builtin", one.name))
    found = uploader(
        f"{engine.data_takes[:1].upper()}{engine.data_takes[1:]}.",
        state.DATA_UPLOADER,
        state.DATA_UPLOAD,
        choose="Choose a file of samples",
    )
    folder = engine.data_folder()
    listed = (
        st.selectbox("or a file of the models folder", folder, index=None, key=state.DATA_FILE)
        if folder
        else None
    )
    recipe = {}
    if engine.takes_pictures(model.artifact.signature) and st.toggle(
        "Say how pictures become samples", key=state.DATA_RECIPE
    ):
        recipe = options.of(state.DATA, PictureRecipe)
    name = listed or (found.name if found else None)
    label = f"Read {plain(name)}" if name else "Read it"
    if st.button(label, disabled=name is None, key=f"{state.DATA}read"):
        if listed:
            _submit(DataRequest(model.id, "path", listed, recipe))
        elif found:
            _submit(DataRequest(model.id, "upload", found.id, recipe))


def _submit(request: DataRequest) -> None:
    submission.queue(engine.submit_data, request)
