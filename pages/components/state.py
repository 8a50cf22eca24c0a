"""Every session key and query parameter of the product, and typed access to them.

A query parameter makes a page linkable; the session remembers the same id while a person walks
through the top navigation, which drops the query. No other file spells these names.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import streamlit as st

# Query parameters
MODEL = "model"
JOB = "job"
TRIAL = "try"
REPORT = "id"
SHARE = "share"
BASELINE = "baseline"
REPORTS = "reports"
FORMAT = "format"
ANSWER = "cho_"
"""Prefix of the decision tree's answers: ``?cho_target=multi-platform``."""

# Session keys
SHELL_RAN = "shell_ran"
LOG_IN = "log_in_"
"""Prefix of the buttons that log in, one a provider."""
LOG_OUT = "log_out"
SESSION = "session"
"""A name of this session's own, by which its uploads are counted."""
TARGETS = "convert_targets"
OPTION = "convert_option_"
"""Prefix of the widgets of formats' and passes' options."""
PASSES = "convert_passes_"
"""Prefix of the pills that pick passes, one a kind."""
CLOSED_PASSES = "convert_closed_passes"
MADE = "convert_made_"
"""Prefix of the folds that say how an artifact was made."""
REPORTED = "convert_reported_"
"""Prefix of the folds with an exporter's own report."""
SLOWNESS = "convert_slowness_"
"""Prefix of the folds that say why an artifact is not faster."""
LAYERS = "convert_layers_"
"""Prefix of the folds with an artifact's layers, and of what is chosen in them."""
DATA = "convert_data_"
"""Prefix of the widgets that pick and bring data."""
DATA_UPLOADER = "convert_data_uploader"
DATA_UPLOAD = "convert_data_upload"
DATA_FILE = "convert_data_file"
DATA_RECIPE = "convert_data_recipe"
ARTIFACTS = "measure_artifacts"
STRIP = "measure_strip"
STUDY = "measure_study_"
"""Prefix of the boxes that say what to find beside the times."""
PROMPT = "try_prompt"
BASELINE_CHOICE = "report_baseline"
COMPARED = "compare_reports"
PICKED = "reports_picked_"
"""Prefix of the boxes that pick reports to compare."""
MOST_LOSS = "report_most_loss"
MOST_MS = "report_most_ms"
IMPORT = "reports_import"
OLDER = "system_older"
FOR_ALL = "report_for_all"
FILTER = "reports_filter"
CHOICE = "choose_answer_"
"""Prefix of the Choose page's radio, one a question."""
CRUMB = "choose_crumb_"
FORMAT_CHOICE = "formats_choice"
SNIPPET = "formats_snippet_"
"""Prefix of the folds of the founding document's code blocks."""
ANOTHER = "model_another"
BRINGING = "model_bringing"
"""Whether the fold of that key was opened in this session."""
BRINGING_DATA = "convert_bringing_data"
"""The same of the fold in which data is brought."""
UPLOADER = "model_uploader"
UPLOAD = "model_upload"
SMALL_FILE = "model_small_file"
KEPT = "model_kept_files"
CONFIG = "model_config"
ARCHITECTURE = "model_architecture"
FOLDER_FILE = "model_folder_file"
SIGNATURE = "model_signature"
SOURCE = "model_source"
GRAPH = "model_graph_"
"""Prefix of the switch that shows a model's graph."""
LISTINGS = "model_listings_"
"""Prefix of the folded part that shows everything a model's file says."""
SOURCE_OF = "model_source_of"


def session() -> str:
    """A name of this session that nobody can guess; Streamlit's own would let others join it."""
    if SESSION not in st.session_state:
        st.session_state[SESSION] = secrets.token_hex(16)
    found: str = st.session_state[SESSION]
    return found


def model_id() -> str | None:
    """The model this page is about: from the URL, else the one looked at last."""
    return _read(MODEL)


def show_model(value: str | None) -> None:
    """Put the model into the URL and remember it."""
    _write(MODEL, value)


def job_id() -> str | None:
    """The job this page follows; only ever from the URL, so that an old one does not reappear."""
    return st.query_params.get(JOB) or None


def show_job(value: str | None) -> None:
    """Put the job into the URL; None takes it out."""
    _into_url(JOB, value)


def trial_id() -> str | None:
    """The prompt whose answer this page shows; only ever from the URL."""
    return st.query_params.get(TRIAL) or None


def show_trial(value: str | None) -> None:
    """Put the prompt's job into the URL; None takes it out."""
    _into_url(TRIAL, value)


def report_id() -> str | None:
    """The report this page shows; only ever from the URL."""
    return st.query_params.get(REPORT) or None


def share_token() -> str | None:
    """The token of the shared snapshot this page shows."""
    return st.query_params.get(SHARE) or None


def baseline() -> str | None:
    """What everything is compared against: the key in the URL; None is the original."""
    return st.query_params.get(BASELINE) or None


def hold_baseline(key: str | None) -> None:
    """Make the control say what is compared against."""
    st.session_state[BASELINE_CHOICE] = key


def keep_baseline(default: str | None = None) -> None:
    """Put what the control says into the URL; the default takes it out."""
    chosen = st.session_state[BASELINE_CHOICE]
    _into_url(BASELINE, None if chosen == default else chosen)


def compared() -> tuple[str, ...]:
    """The reports that the URL puts side by side, each once, in its order."""
    written = st.query_params.get(REPORTS, "")
    return tuple(dict.fromkeys(id_.strip() for id_ in written.split(",") if id_.strip()))


def hold_compared(ids: Sequence[str]) -> None:
    """Make the control say which reports are side by side."""
    st.session_state[COMPARED] = list(ids)


def keep_compared() -> None:
    """Put the reports of the control into the URL."""
    _into_url(REPORTS, ",".join(st.session_state[COMPARED]))


def picked(ids: Sequence[str]) -> tuple[str, ...]:
    """Those of the reports whose box is ticked."""
    return tuple(id_ for id_ in ids if st.session_state.get(f"{PICKED}{id_}"))


def answers() -> dict[str, str]:
    """The decision tree's answers by question id: from the URL, else those given last."""
    remember_answers()
    remembered: dict[str, str] = st.session_state.get(ANSWER, {})
    return dict(remembered)


def remember_answers() -> None:
    """Keep the answers of this URL for the pages that are opened from the navigation."""
    if found := answers_in_url():
        st.session_state[ANSWER] = found


def answers_in_url() -> dict[str, str]:
    """The decision tree's answers that this very URL carries, and no remembered ones."""
    start = len(ANSWER)
    return {k[start:]: v for k, v in st.query_params.items() if k.startswith(ANSWER)}


def show_answers(given: Mapping[str, str]) -> None:
    """Make these the answers in the URL: one step in the browser's history."""
    others = {k: v for k, v in st.query_params.items() if not k.startswith(ANSWER)}
    st.query_params.from_dict({**others, **_as_params(given)})
    st.session_state[ANSWER] = dict(given)


def show_format(known: Sequence[str]) -> str:
    """The format in the URL, else the first; the Formats page's control is made to say the same."""
    wanted = st.query_params.get(FORMAT, "")
    st.session_state[FORMAT_CHOICE] = wanted if wanted in known else known[0]
    return str(st.session_state[FORMAT_CHOICE])


def keep_format() -> None:
    """Put what the control says into the URL."""
    _into_url(FORMAT, st.session_state[FORMAT_CHOICE])


def choice_key(question: str) -> str:
    """The session key of the Choose page's radio for that question."""
    return f"{CHOICE}{question}"


def crumb_key(question: str) -> str:
    """The session key of the button that goes back to that question."""
    return f"{CRUMB}{question}"


def choice(question: str) -> str:
    """The answer picked in that radio."""
    return str(st.session_state[choice_key(question)])


def parameters() -> dict[str, str]:
    """Every parameter of this URL, to carry on to another page."""
    return st.query_params.to_dict()


def link(
    *,
    model: str | None = None,
    job: str | None = None,
    report: str | None = None,
    share: str | None = None,
    answers: Mapping[str, str] | None = None,
    reports: Sequence[str] = (),
) -> dict[str, str]:
    """Query parameters for ``st.switch_page`` and ``st.page_link``; what is None is left out."""
    together = ",".join(reports)
    named = {MODEL: model, JOB: job, REPORT: report, SHARE: share, REPORTS: together}
    return {**{k: v for k, v in named.items() if v}, **_as_params(answers or {})}


def _as_params(given: Mapping[str, str]) -> dict[str, str]:
    return {f"{ANSWER}{question}": answer for question, answer in given.items()}


def _read(name: str) -> str | None:
    value = st.query_params.get(name)
    if value:
        st.session_state[name] = value
        return value
    remembered: str | None = st.session_state.get(name)
    return remembered


def _write(name: str, value: str | None) -> None:
    _into_url(name, value)
    if value:
        st.session_state[name] = value
    else:
        st.session_state.pop(name, None)


def _into_url(name: str, value: str | None) -> None:
    if value:
        if st.query_params.get(name) != value:
            st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
