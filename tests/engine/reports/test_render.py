"""The HTML report: whole, well-formed, self-contained, and deaf to what names say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from engine.reports.figures import figures
from engine.reports.render import charts, export_html
from engine.reports.render.svg import element, ticks
from tests.engine.reports.made import renamed, report
from tests.engine.reports.test_export import HOSTILE

SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Checks that elements close in order, and remembers what is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("made", [report(), renamed(report(), HOSTILE)], ids=["plain", "hostile"])
def test_it_is_well_formed_and_asks_nobody_for_anything(made: object) -> None:
    text = export_html(made)
    read = Reader(text)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "base"}
    for _, attributes in read.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href")}
    assert "url(" not in text and "@import" not in text


def test_hostile_names_are_shown_as_they_are() -> None:
    read = Reader(export_html(renamed(report(), HOSTILE)))
    assert read.text.count(HOSTILE) > 10
    properties = {a.get("property"): a.get("content") for _, a in read.tags}
    assert properties["og:title"] == HOSTILE


def test_it_carries_headline_tables_and_open_graph_tags() -> None:
    made = report()
    found = figures(made)
    read = Reader(export_html(made))
    properties = {a.get("property"): a.get("content") for _, a in read.tags}
    assert properties["og:description"] == found.headline
    assert found.headline in read.text
    captions = sum(tag == "caption" for tag, _ in read.tags)
    assert captions == sum(tag == "table" for tag, _ in read.tags) > 5
    assert all(a.get("scope") in ("col", "row") for tag, a in read.tags if tag == "th")


def test_every_picture_is_an_xml_document_of_its_own_with_words() -> None:
    pictures = SVG.findall(export_html(renamed(report(), HOSTILE)))
    assert len(pictures) > 10
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        if root.get("role") == "img":
            title = root[0]
            assert title.tag.endswith("title") and title.text
        else:
            assert root.get("aria-hidden") == "true"


def test_bars_are_as_long_as_their_values() -> None:
    (wide, _) = SVG.findall(charts.latency(figures(report())))
    lengths = [
        float(rect.get("width", "0"))
        for rect in ElementTree.fromstring(wide).iter("{http://www.w3.org/2000/svg}rect")
    ]
    medians = [v.typical_ms for v in figures(report()).variants]
    assert [length / lengths[0] for length in lengths] == pytest.approx(
        [value / medians[0] for value in medians], rel=0.01
    )


def test_the_forest_puts_each_ratio_where_the_band_says_it_is() -> None:
    shown = figures(report({"torch": 70.0, "onnx": 35.0, "torchscript": 70.0})).forest
    assert shown is not None
    assert all(shown.span[0] < row.ratio.low for row in shown.rows)
    for picture in SVG.findall(charts.forest(shown)):
        root = ElementTree.fromstring(picture)
        assert "faster than the original" in (root[0].text or "")
        band = root.find("{http://www.w3.org/2000/svg}rect")
        assert band is not None and band.get("class") == "band"
        left = float(band.get("x", "0"))
        right = left + float(band.get("width", "0"))
        marks = [
            (mark.tag.rpartition("}")[2], float(mark.get("x") or 0) + 5)
            for mark in root
            if (mark.get("class") or "").startswith("fill") and mark.get("x")
        ]
        assert marks and all(kind == "rect" and x > right for kind, x in marks), "ONNX is outside"
        diamonds = [m.get("points", "") for m in root if m.tag.endswith("polygon")]
        (same,) = (float(points.split(",")[0]) for points in diamonds)
        assert left <= same <= right, "an equal speed lies in the band"


def test_reference_bars_are_hollow_and_never_among_the_measured() -> None:
    found = figures(report())
    measured = charts.measured_rows(found.references[0])
    printed = charts.reference_rows(found.references[0])
    assert "printed" not in measured
    assert 'class="fill' not in printed
    assert "Reference, other machine" in printed


def test_one_variant_and_no_measurement_render_too() -> None:
    Reader(export_html(report({"torch": 70.0})))
    Reader(export_html(replace(report(), measurement=None)))


def test_svg_attributes_and_text_are_escaped() -> None:
    assert element("rect", class_='a"><b') == '<rect class="a&quot;&gt;&lt;b"/>'


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (3.0, 97.0), (0.0012, 0.0019), (5.0, 5.0)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 1 <= len(found) <= 12
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
