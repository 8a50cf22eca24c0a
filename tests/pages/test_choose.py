"""Choose, walked as a person walks it: every way to every leaf, by clicks and by link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import engine
from pages.components import tree
from tests.pages.conftest import ROOT, tables, words


def every_way(answers: dict[str, str] | None = None) -> Iterator[dict[str, str]]:
    """The answers of every complete walk."""
    here = engine.walk(answers or {})
    if here.question is None:
        yield here.answers
        return
    for answer in here.question.answers:
        yield from every_way({**here.answers, here.question.id: answer.id})


WAYS = list(every_way())
SHORTEST = {engine.walk(way).leaf.title: way for way in reversed(WAYS)}


def landing(**query: str) -> AppTest:
    """The app as a visitor of the root address gets it."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def press(app: AppTest, label: str) -> None:
    """Press the button of that label."""
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception, app.exception


def answered(app: AppTest, answer: str) -> None:
    """Pick the answer and go on."""
    question = app.subheader[0].value
    asked = next(q for q in engine.decision_tree().questions if q.ask == question)
    picked = asked.answer(answer)
    assert picked is not None
    assert next(b for b in app.button if b.label == "Continue").disabled
    app.radio[0].set_value(answer).run()
    press(app, "Continue")


def in_url(app: AppTest) -> dict[str, str]:
    """The answers that the address carries."""
    return {
        key.removeprefix("cho_"): value[-1] if isinstance(value, list) else value
        for key, value in app.query_params.items()
        if key.startswith("cho_")
    }


def test_the_first_page_says_what_assay_is_and_asks_one_question(workspace: Path) -> None:
    app = landing()
    assert app.title[0].value == "Which format should this model be deployed in?"
    assert "Assay recommends a deployment format" in words(app)
    assert app.subheader[0].value == "Where will the model run?"
    assert len(app.radio) == 1 and app.radio[0].value is None
    assert len(app.radio[0].options) == 6
    labels = [link.proto.label for link in app.get("page_link")]
    assert labels == ["Bring a model", "See results"]


@pytest.mark.parametrize("title", SHORTEST)
def test_every_leaf_is_reached_by_answering(title: str, workspace: Path) -> None:
    app = landing()
    way = SHORTEST[title]
    for answer in way.values():
        answered(app, answer)
    assert app.header[0].value == title
    assert in_url(app) == way


def test_every_way_is_a_link_that_opens_the_same_place(workspace: Path) -> None:
    app = landing()
    for way in WAYS:
        app.query_params.clear()
        for question, answer in way.items():
            app.query_params[f"cho_{question}"] = answer
        app.run()
        assert not app.exception, way
        leaf = engine.walk(way).leaf
        assert leaf is not None
        assert app.header[0].value == leaf.title
        assert not app.radio


def test_a_leaf_shows_reasons_pitfalls_recipe_and_claims(workspace: Path) -> None:
    app = landing(cho_target="pytorch", cho_control_flow="no")
    leaf = engine.decision_tree().leaf("torchscript-trace")
    assert leaf is not None
    text = words(app)
    assert leaf.recommendation in text and leaf.why in text
    assert "torch.export" in app.info[0].value
    assert [tab.label for tab in app.tabs] == ["Why not others", "Pitfalls", "Recipe", "Claims"]
    reasons = tables(app)[0]
    assert {row["Format"] for row in reasons} == {
        "ONNX",
        "SavedModel",
        "GGUF",
        "TensorRT",
        "torch.export",
        "torch.jit.script",
    }
    assert all(row["Why not"] for row in reasons)
    assert "Tracing freezes a branch silently" in text
    assert "torch.jit.trace(model, example)" in app.code[0].value
    assert "20-40% faster than eager PyTorch" in text
    assert app.get("download_button")


def test_back_crumbs_and_start_again_take_answers_back(workspace: Path) -> None:
    app = landing(cho_target="unknown", cho_hardware="cpu", cho_kind="other")
    assert app.subheader[0].value == "Which framework does the model come from?"
    assert "Ruled out so far: TensorRT, GGUF" in [box.label for box in app.expander]
    press(app, "Back")
    assert in_url(app) == {"target": "unknown", "hardware": "cpu"}
    press(app, "Hardware: Processors")
    assert in_url(app) == {"target": "unknown"}
    assert app.subheader[0].value == "What will answer the requests?"
    press(app, "Start again")
    assert in_url(app) == {}
    assert app.subheader[0].value == "Where will the model run?"


def test_a_link_with_a_wrong_answer_stops_at_that_question(workspace: Path) -> None:
    app = landing(cho_target="pytorch", cho_control_flow="<b>maybe</b>")
    assert app.subheader[0].value == "Does the model take different paths for different inputs?"
    assert "maybe" not in words(app)


def test_an_unknown_model_in_the_link_is_said_and_the_question_still_asked(workspace: Path) -> None:
    app = landing(model="nobody")
    assert len(app.warning) == 1
    assert app.radio[0].value is None


def test_prove_it_carries_the_plan_to_the_model_page(workspace: Path) -> None:
    way = {"target": "pytorch", "control_flow": "no"}
    app = landing(**{f"cho_{question}": answer for question, answer in way.items()})
    press(app, "Prove it on my model")
    assert app.title[0].value != "Which format should this model be deployed in?"
    assert in_url(app) == way


def test_the_picture_has_the_whole_founding_tree_with_the_way_lit() -> None:
    walk = engine.walk({"target": "nvidia", "calibration": "yes"})
    drawn = tree.edges(walk)
    assert {edge.target for edge in drawn} >= {leaf.id for leaf in engine.decision_tree().leaves}
    assert [edge.label for edge in drawn if edge.lit] == ["NVIDIA GPU max perf", "Yes"]
    source = tree.picture(walk).source
    assert source.count(f'color="{tree.LIGHT.lit}" fillcolor') == 3
    assert source.count("penwidth=3") == 2, "lit by thickness too, not by colour alone"
    assert "Recommended: INT8 TensorRT" in tree.sentence(walk)


def test_the_other_half_is_drawn_as_far_as_it_was_walked() -> None:
    drawn = tree.edges(engine.walk({"target": "unknown", "hardware": "cpu"}))
    assert [(edge.source, edge.target) for edge in drawn if edge.lit] == [
        ("target", "hardware"),
        ("hardware", "kind"),
    ]
    assert {edge.source for edge in drawn if not edge.lit} == {"kind"}


def test_the_picture_has_a_text_that_says_the_same() -> None:
    lines = list(tree.outline(engine.walk({"target": "pytorch"})))
    assert lines[0].startswith("- Where will the model run? **Inside PyTorch** (not: On several")
    assert lines[1].startswith("  - Does the model take different paths")
    assert "open" in lines[1]


def test_the_inks_have_contrast() -> None:
    def luminance(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for ink, paper in ((tree.LIGHT, "#FFFFFF"), (tree.DARK, "#101316")):
        assert contrast(ink.text, ink.lit_fill) >= 4.5
        assert contrast(ink.quiet, paper) >= 4.5
        assert min(contrast(ink.line, paper), contrast(ink.lit, paper)) >= 3
