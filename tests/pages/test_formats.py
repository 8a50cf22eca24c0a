"""The encyclopedia shows all that is known, in words, and marks what others measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from pages.components import state
from tests.pages.conftest import opened, tables, words


def test_the_comparison_is_in_words_and_numbers(workspace: Path) -> None:
    rows = {row["Format"]: row for row in tables(opened("formats"))[0]}
    assert list(rows) == [guide.label for guide in engine.format_guides()]
    assert rows["TensorRT"]["Portability"] == "very low (1 of 5)"
    assert rows["torch.export"]["Optimization"] == "not rated"
    assert "⭐" not in str(rows)


@pytest.mark.parametrize("guide", engine.format_guides(), ids=lambda guide: guide.name)
def test_each_format_opens_by_link_with_everything_about_it(
    guide: engine.FormatGuide, workspace: Path
) -> None:
    app = opened("formats", format=guide.name)
    text = words(app)
    assert app.header[0].value == f"{guide.label}: {guide.best_for}"
    for wanted in (guide.sentence, guide.status, *guide.use_cases, *guide.benefits, *guide.limits):
        assert wanted in text
    for trap in engine.pitfalls():
        assert (trap.title in text) == (trap.format == guide.name)
    assert len(app.code) == len(guide.recipes)


def test_the_founding_documents_code_is_listed_with_what_became_of_it(workspace: Path) -> None:
    app = opened("formats")
    assert len(app.expander) == len(engine.list_snippets())
    closed = len(app.code)
    for snippet in engine.list_snippets():
        app.session_state[f"{state.SNIPPET}{snippet.id}"] = True
    app.session_state[state.SHELL_RAN] = True
    shown = words(app.run())
    assert len(app.code) == closed + len(engine.list_snippets()), "an opened one draws its code"
    for snippet in engine.list_snippets():
        assert snippet.now in shown and (snippet.says or "") in shown


def test_the_control_changes_the_link(workspace: Path) -> None:
    app = opened("formats", format="elf")
    assert app.header[0].value.startswith("ONNX"), "an unknown format shows the first"
    app.radio[0].set_value("gguf").run()
    assert app.header[0].value.startswith("GGUF")
    assert app.query_params["format"] == "gguf"


def test_published_figures_are_marked_as_such(workspace: Path) -> None:
    app = opened("formats")
    text = words(app)
    assert text.count("published, other machine") == len(engine.reference_tables())
    resnet = {row[""]: row for row in tables(app)[-len(engine.reference_tables())]}
    assert resnet["ONNX Runtime"]["CPU (Intel Xeon)"] == "95 ms"
    assert resnet["TensorRT INT8"]["CPU (Intel Xeon)"] == "not applicable"
    assert "sequence 512" in text and "does not say on which hardware" in text
