"""Names that are code elsewhere (family 33) stay text wherever Assay writes them down."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import engine
from engine import store
from engine.api.artifacts import _attachment
from engine.jobs.evidence import LOG, log_tail
from engine.pipeline import ImportRequest, import_model
from engine.reports import migrations
from engine.reports.export import export_csv, export_json, export_markdown, import_report
from engine.reports.render import charts, export_html
from engine.sources.words import one_line
from engine.types import Signature, TensorSpec
from pages.components.tree import picture
from tests.engine.reports.made import renamed, report
from tests.engine.reports.test_render import SVG, Reader
from tests.engine.sources.steps import StepsHere
from tests.hostile.files.odd import NAMES
from tests.pages.conftest import OpenPage, opened

ALL = "".join(NAMES)
UNSEEN = "\x1b[2J\x07\u202egnp.exe\u2066x\ud800"
"""What clears a terminal, rings, turns text round, and is no text at all."""
_MARKUP = re.compile(r"(?<!\\)(?:<img|</?script|!\[x\]|\[x\]\()")
_DRAWN_AS_MARKDOWN = ("label", "body", "help", "text", "caption", "content", "options")


@pytest.fixture
def open_page(workspace: Any) -> OpenPage:
    """Open pages over an empty data folder."""
    return opened


@pytest.mark.parametrize("name", NAMES)
def test_in_the_static_report_and_its_pictures(name: str) -> None:
    text = export_html(renamed(report(), name))
    read = Reader(text)
    assert read.text.count(name) > 10
    assert not {tag for tag, _ in read.tags} & {"script", "img", "a", "iframe"}
    assert not {key for _, told in read.tags for key in told if key.startswith("on")}
    for drawn in SVG.findall(text):
        assert not {one.tag.rsplit("}")[-1] for one in ElementTree.fromstring(drawn).iter()} & {
            "script",
            "img",
            "a",
        }


@pytest.mark.parametrize("name", [*NAMES, "+1", "-1", "@x", "\t=1", "\r=1"])
def test_in_a_table_that_a_spreadsheet_opens(name: str) -> None:
    for row in csv.reader(io.StringIO(export_csv(renamed(report(), name)))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("name", NAMES)
def test_in_markdown(name: str) -> None:
    prose = export_markdown(renamed(report(), name)).split("```sh")[0]
    assert not re.search(r"(?<!\\)[<\]]|(?<!\\)!", prose)


def test_in_the_picture_of_the_tree() -> None:
    walk = engine.walk({ALL: ALL, engine.decision_tree().root: ALL})
    drawn = picture(walk).source
    assert "javascript" not in drawn and "URL" not in drawn and "onerror" not in drawn


@pytest.mark.parametrize("name", NAMES)
def test_in_charts(name: str) -> None:
    found = engine.figures(renamed(report(), name))
    assert found.variants
    for drawn in SVG.findall(charts.latency(found)):
        assert ElementTree.fromstring(drawn) is not None


@pytest.mark.parametrize("name", [*NAMES, "a\r\nSet-Cookie: x=1", "../../x", 'x"; filename="y'])
def test_in_the_name_of_a_download(name: str) -> None:
    (value,) = _attachment(name).values()
    assert re.fullmatch(r'attachment; filename="[\w.\-]*"; filename\*=UTF-8\'\'[\w.%~/\-]*', value)


def test_in_logs(tmp_path: Any) -> None:
    (tmp_path / LOG).write_bytes(UNSEEN.encode("utf-8", "surrogatepass") + b"\nwords\n")
    assert log_tail(tmp_path).isprintable() is False  # it has lines
    assert all(line.isprintable() for line in log_tail(tmp_path).splitlines())
    assert one_line(UNSEEN).isprintable()


def test_in_a_report_of_somebody_else(workspace: Any) -> None:
    text = export_json(report()).replace('"ResNet-50:', '"\\u202e\\u001b[2J\\ud800ResNet-50:')
    assert "u202e" in text
    kept = import_report(text)
    assert kept.title.startswith("[2JResNet-50:")
    assert migrations.loads(export_json(kept)) == kept


def test_on_the_pages_of_a_report(open_page: OpenPage) -> None:
    made = renamed(report(), ALL)
    store.reports.save(made)
    _check(open_page("report", id=made.id))
    _check(open_page("reports"), shown=False)


def test_on_the_pages_of_a_model(open_page: OpenPage, workspace: Any) -> None:
    made = import_model(StepsHere(workspace), ImportRequest("sample", "adaptive"))
    known = store.models.load(str(made["model_id"]))
    spec = TensorSpec(ALL, "float32", (ALL, 2))
    artifact = replace(known.artifact, id="e" * 16, signature=Signature((spec,), (spec,)))
    named = replace(
        known,
        id="f" * 16,
        name=ALL,
        artifact=artifact,
        op_histogram={ALL: 3},
        facts={ALL: ALL},
        notes=(ALL,),
        barred="",
    )
    store.models.save(named)
    _check(open_page("model", model="f" * 16))
    for name in ("convert", "measure"):
        _check(open_page(name, model="f" * 16), shown=False)


def test_on_the_page_of_a_job(open_page: OpenPage, workspace: Any) -> None:
    store.jobs.add("a" * 16, "import", f"Bring in {ALL}", {})
    _check(open_page("model", job="a" * 16))


@pytest.mark.parametrize(
    ("page", "parameter"),
    [("model", "model"), ("model", "job"), ("model", "try"), ("report", "id"), ("report", "share"),
     ("convert", "job"), ("measure", "job"), ("choose", "model"), ("formats", "format")],
)  # fmt: skip
def test_in_an_address_that_somebody_sends(open_page: OpenPage, page: str, parameter: str) -> None:
    _check(open_page(page, **{parameter: ALL}), shown=False)


def _check(page: AppTest, *, shown: bool = True) -> None:
    """The name is on the page, and nothing that is drawn as Markdown holds it as it is."""
    assert not page.exception
    drawn = [text for element in page.main for text in _texts(element)]
    assert not shown or any("onerror" in text for text in drawn), "nothing was tested"
    for text in drawn:
        assert not _MARKUP.search(text), text


def _texts(element: Any) -> Iterator[str]:
    """What an element draws as Markdown; what it draws as plain text or code is left out."""
    if element.type in ("text", "code", "arrow_data_frame", "text_area", "text_input"):
        return
    for name in _DRAWN_AS_MARKDOWN:
        value = getattr(element.proto, name, None)
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str):
                yield one
