"""Three ways to bring a model: a sample, an upload, a file of the models folder."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

import engine
from engine import BadRequest, EngineError, ImportRequest, Signature
from pages.components import artifacts, signature, state
from pages.components.text import plain
from pages.components.upload import Uploaded, uploader

TAKES = (
    "ONNX (.onnx, or a zip with its external data), TorchScript, torch.export (.pt2), a state_dict "
    "(.pt, .pth, .safetensors), Keras (.keras), GGUF (.gguf), a zip of a Hugging Face or "
    "SavedModel folder, an ONNX model prepared for TensorRT, or, where the operator allows it, "
    "a zip of a model.py with its weights. Recognised by content."
)
_ICONS = {"resnet50": "image", "digits": "looks_5", "adaptive": "fork_right", "llama": "chat"}
_IN_A_ROW = 4
_SMALL_MB = 50
_NO_ARCHITECTURE = "The file says it itself"


def choices() -> ImportRequest | None:
    """Draw them; gives the request of whoever pressed a button in this run."""
    folder = engine.models_folder()
    labels = ["Try a sample", "Upload a model", *(["From the models folder"] if folder else [])]
    # After an upload the person comes back here: to add an architecture, or to try again.
    tabs = st.tabs(labels, default=labels[1] if st.session_state.get(state.UPLOAD) else None)
    with tabs[0]:
        asked = _samples()
    with tabs[1]:
        asked = _upload() or asked
    if folder:
        with tabs[2]:
            asked = _folder(folder) or asked
    return asked


def another() -> ImportRequest | None:
    """The same in a fold, for a page that shows a model already.

    Drawn from when it is first opened: closing it again must not end an upload under way.
    """
    with st.expander(
        "Bring another model", icon=":material/add:", key=state.ANOTHER, on_change="rerun"
    ) as box:
        if box.open:
            st.session_state[state.BRINGING] = True
        return choices() if st.session_state.get(state.BRINGING) else None


def _samples() -> ImportRequest | None:
    asked = None
    samples = engine.list_samples()
    for start in range(0, len(samples), _IN_A_ROW):
        row = samples[start : start + _IN_A_ROW]
        for column, sample in zip(st.columns(_IN_A_ROW), row, strict=False):
            with column.container(border=True, height="stretch"):
                asked = _sample(sample, first=sample is samples[0]) or asked
    return asked


def _sample(sample: engine.Sample, *, first: bool) -> ImportRequest | None:
    icon = _ICONS.get(sample.name, "deployed_code")
    st.markdown(f":material/{icon}: **{sample.label}**")
    st.markdown(sample.sentence)
    st.space("stretch")
    pressed = st.button(
        f"Use {sample.label}",
        key=f"sample-{sample.name}",
        type="primary" if first else "secondary",
        width="stretch",
    )
    return ImportRequest("sample", sample.name) if pressed else None


def _upload() -> ImportRequest | None:
    found = uploader(TAKES, state.UPLOADER, state.UPLOAD)
    with st.expander("The uploader does not work here?"):
        small = st.file_uploader(
            "A small file, sent in one piece",
            max_upload_size=_SMALL_MB,
            key=state.SMALL_FILE,
            help=f"Up to {_SMALL_MB} MB: this way holds the whole file in memory.",
        )
        if small is not None:
            found = _kept(small)
    architecture, config, given = _details("upload")
    if found is not None:
        st.text(f"Ready: {found.name} ({artifacts.megabytes(found.size)})")
    pressed = st.button(
        "Recognise this model",
        type="primary",
        disabled=found is None,
        help="Upload a file first." if found is None else None,
    )
    if not pressed or found is None:
        return None
    return ImportRequest("upload", found.id, architecture, config, given)


def _folder(listed: tuple[str, ...]) -> ImportRequest | None:
    chosen = st.selectbox("A model in the models folder", listed, index=None, key=state.FOLDER_FILE)
    architecture, config, given = _details("path")
    pressed = st.button("Open this model", type="primary", disabled=chosen is None)
    if not pressed or chosen is None:
        return None
    return ImportRequest("path", chosen, architecture, config, given)


def _details(way: str) -> tuple[str | None, str | None, Signature | None]:
    """What some files do not say: architecture, config.json, signature."""
    with st.expander("For files that do not say enough: weights alone, or no input shapes"):
        infos = {info.name: info.label for info in engine.list_architectures()}
        names = [name for name in infos if name != "transformers"]
        architecture = st.selectbox(
            "Architecture",
            [None, *names],
            format_func=lambda name: infos.get(name, name) if name else _NO_ARCHITECTURE,
            accept_new_options=True,
            key=f"{state.ARCHITECTURE}-{way}",
            help="A state_dict holds weights alone; it needs the code they belong to. For a "
            "model.py with several classes, type the name of the class.",
        )
        config = _config(way)
        given = None
        if st.toggle("Give the inputs myself", key=f"{state.SIGNATURE}-on-{way}"):
            given = _given(way)
    return architecture, config, given


def _config(way: str) -> str | None:
    """A transformers config.json: uploaded, or a path beside a model of the folder."""
    label = "or its transformers config.json"
    if way == "path":
        return (
            st.text_input(f"{label}, as a path in the folder", key=f"{state.CONFIG}-path") or None
        )
    file = st.file_uploader(label, type=["json"], max_upload_size=4, key=state.CONFIG)
    kept = _kept(file) if file is not None else None
    return kept.id if kept else None


def _kept(file: UploadedFile) -> Uploaded | None:
    """A file that came through Streamlit, on the disk: written once, not in every rerun."""
    kept: dict[str, Uploaded] = st.session_state.setdefault(state.KEPT, {})
    if file.file_id not in kept:
        try:
            saved = engine.save_upload(file.name, file.getvalue())
        except EngineError as error:
            st.error(plain(error.message))
            st.text(error.hint)
            return None
        kept[file.file_id] = Uploaded(saved.id, saved.name, saved.size, saved.sha256 or "")
    return kept[file.file_id]


def _given(way: str) -> Signature | None:
    try:
        return signature.editor((signature.EXAMPLE,), f"{state.SIGNATURE}-{way}")
    except BadRequest as error:
        st.error(plain(error.message))
        st.text(error.hint)
        return None
