"""What a model is: its figures, inputs and outputs, operators, facts, and where it can go."""

from __future__ import annotations

import streamlit as st

import engine
from engine import BadRequest, Listing, Model, Signature
from pages.components import artifacts, graph, signature, state, table
from pages.components.text import plain

_KINDS = {
    "sample": "Sample",
    "onnx": "ONNX",
    "torchscript": "TorchScript",
    "exported": "torch.export",
    "state_dict": "State dict",
    "safetensors": "Safetensors",
    "huggingface": "Hugging Face",
    "savedmodel": "SavedModel",
    "keras": "Keras",
    "gguf": "GGUF",
    "tensorrt_plan": "Prepared for TensorRT",
    "own_code": "Own model.py",
}
_ORIGINS = {
    "carried": "The file carries this signature itself.",
    "proposed": "Assay proposed this signature and tried it by running the model once.",
    "given": "You gave this signature; the model ran with it.",
}


def summary(model: Model) -> None:
    """Name and the three figures everybody asks for."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(model.name), anchor=False, width="content")
        st.badge(_KINDS.get(model.kind, model.kind), color="gray")
    with st.container(horizontal=True):
        parameters = "not known" if model.parameters is None else _count(model.parameters)
        st.metric("Parameters", parameters, border=True)
        st.metric("Size on disk", artifacts.megabytes(model.artifact.size_bytes), border=True)
        operators = sum(model.op_histogram.values())
        st.metric("Operators", f"{operators:,}", border=True)
    if model.kind != "sample":
        st.markdown(
            ":material/verified_user: No known-bad pattern found. :gray[No scanner proves a file "
            "safe: models are opened in a process of their own.]"
        )
    for note in model.notes:
        st.text(f"Note: {note}")


def barred(model: Model) -> None:
    """A model that was looked at and cannot be run: why, and all that its file says."""
    st.warning(
        f"It can be looked at, and not converted or measured. {plain(model.barred)}",
        icon=":material/block:",
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        operators(model)
        graph.of_model(model)
    with right:
        facts(model)
    listings(model)


def signature_of(model: Model, *, editable: bool) -> Signature | None:
    """Inputs and outputs; gives the inputs a person changed and wants tried."""
    st.subheader("Inputs and outputs", anchor=False)
    if model.kind != "sample":
        st.caption(_ORIGINS[model.signature_origin])
    own = model.artifact.signature
    changed = None
    if editable:
        changed = _edited(model)
    else:
        signature.table(own.inputs)
    st.markdown("Outputs")
    signature.table(own.outputs)
    return changed


def _edited(model: Model) -> Signature | None:
    own = model.artifact.signature
    st.markdown("Inputs")
    try:
        edited = signature.editor(own.inputs, f"{state.SIGNATURE}-{model.id}", fixed=True)
    except BadRequest as error:
        st.error(plain(error.message))
        st.text(error.hint)
        return None
    if edited.inputs == own.inputs:
        return None
    st.info("You changed the inputs. They are tried by running the model once.")
    return edited if st.button("Try these inputs", type="primary") else None


def operators(model: Model) -> None:
    """How often each operator occurs, the most frequent first."""
    ordered = sorted(model.op_histogram.items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return
    st.subheader("Operators", anchor=False)
    # Bars inside the table: a chart of its own would load another library into the web process.
    bars = st.column_config.ProgressColumn(format="%d", min_value=0, max_value=ordered[0][1])
    table.grid(
        table.of_columns(
            {"Operator": [name for name, _ in ordered]}, {"Count": [count for _, count in ordered]}
        ),
        {"Count": bars},
    )


def facts(model: Model) -> None:
    """What else the file says."""
    st.subheader("Facts", anchor=False)
    if model.facts:
        # A table wraps where a data frame cuts off; it reads Markdown, so the texts are made plain.
        table.show({"Fact": plain(k), "Value": plain(value)} for k, value in model.facts.items())
    st.caption("sha256")
    st.code(model.artifact.sha256, language=None, wrap_lines=True)


def listings(model: Model) -> None:
    """Everything the file says of itself, one click away; closed, it costs nothing."""
    if not engine.has_listings(model):
        return
    with st.expander(
        "Everything in the file: metadata and tensors",
        key=f"{state.LISTINGS}{model.id}",
        on_change="rerun",
    ) as box:
        for listing in engine.listings_of(model) if box.open else ():
            _listing(listing)


def _listing(listing: Listing) -> None:
    """A data frame, because its cells are never read as markup."""
    import pandas as pd  # only here: 40 MiB, for whoever opens the list

    st.markdown(listing.title)
    rows = pd.DataFrame(list(listing.rows), columns=list(listing.columns))
    numbers = [name for name in listing.columns if rows[name].dtype.kind == "i"]
    plain_number = st.column_config.NumberColumn(format="localized")
    st.dataframe(rows, hide_index=True, column_config=dict.fromkeys(numbers, plain_number))
    more = f", and {listing.more:,} more that are not shown" if listing.more else ""
    st.caption(f"{len(listing.rows):,} rows{more}. A double click on a cell shows the whole of it.")


def reach(model: Model) -> None:
    """The formats it can be converted to, and why not the others."""
    labels = {name: spec.label for name, spec in engine.list_formats().items()}
    labels |= {guide.name: guide.label for guide in engine.format_guides()}
    st.subheader("Where it can go", anchor=False)
    # Asked now, not when it was brought: what is installed since then counts.
    found = sorted(engine.reach_from(model.artifact), key=lambda item: not item.reachable)
    rows = [
        {
            "Format": plain(labels.get(item.format, item.format)),
            "Reached": ":green[:material/check:] yes" if item.reachable else "no",
            "How, or why not": plain(item.reason),
        }
        for item in found
    ]
    table.show(rows)


def _count(number: int) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:,.1f} {word}"
    return f"{number:,}"
