"""Passes on the Convert page: what is promised, what was measured, and what came of accuracy."""

from __future__ import annotations

from dataclasses import replace

from engine import store
from engine.quality.model import Quality
from engine.types import Change
from pages.components import state
from tests.conftest import Library
from tests.pages.conftest import OpenPage, words


def test_a_pass_says_what_was_promised_and_links_to_what_was_measured(
    open_done: OpenPage, library: Library
) -> None:
    measured = store.reports.load(library.report_id)
    artifacts = tuple(
        one if one.is_original else replace(one, passes=(Change("int8-static"),))
        for one in measured.artifacts
    )
    app = open_done("convert", model=library.model_id)
    picker = f"{state.PASSES}precision"
    app.button_group(key=picker).set_value(["int8-static", "int8-dynamic"]).run()
    assert not app.exception
    said = words(app).splitlines()
    assert any(
        line.startswith("**INT8 calibrated.**") and "TensorRT INT8: GPU (RTX 4090) 2" in line
        for line in said
    )
    assert any(line.endswith("The founding document gives no figure for it.") for line in said)
    assert not _links(app)
    store.reports.save(replace(measured, id="later", created_at="2999", artifacts=artifacts))
    app.run()
    assert _links(app) == ["Measured on this model: INT8 calibrated"]


def test_a_card_says_that_accuracy_was_lost(open_done: OpenPage, library: Library) -> None:
    labels = tuple(index % 10 for index in range(360))
    answers = (*(99,) * 43, *labels[43:])
    counted = ("0" * 64, "images", 360, 360)
    (artifact_id,) = library.artifact_ids
    store.artifacts.save_quality(
        Quality(artifact_id, "d", "digits", *counted, labels, labels, answers)
    )
    app = open_done("convert", model=library.model_id)
    assert not app.exception
    assert "Loses 11.9 points of accuracy on digits, surely more than 5" in words(app)


def _links(app: object) -> list[str]:
    found = app.get("page_link")
    labels = [item.proto.label for item in found]
    return [label for label in labels if label.startswith("Measured on this model")]
