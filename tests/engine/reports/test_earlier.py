"""Reports that earlier versions of Assay wrote are read, drawn and exported.

``earlier/`` holds one of each schema version, written by the code of that version; of every block
six samples were kept.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.reports.export import export_csv, export_json, export_markdown
from engine.reports.figures import figures
from engine.reports.migrations import loads
from engine.reports.model import SCHEMA_VERSION
from engine.reports.render import export_html

EARLIER = Path(__file__).parent / "earlier"


def test_there_is_one_of_every_version() -> None:
    names = {path.name for path in EARLIER.iterdir()}
    assert names == {f"schema{version}.json" for version in range(1, SCHEMA_VERSION)}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_it_is_read_drawn_and_exported(version: int) -> None:
    text = (EARLIER / f"schema{version}.json").read_text(encoding="utf-8")
    assert f'"schema_version":{version},' in text
    made = loads(text)
    assert made.schema_version == SCHEMA_VERSION
    assert [one.label for one in made.artifacts] == ["PyTorch (eager)", "ONNX Runtime"]
    torch, onnx = figures(made).variants
    assert torch.p50.value == pytest.approx(70, rel=0.05)
    assert onnx.ratio is not None and onnx.ratio.value == pytest.approx(2, rel=0.1)
    page = export_html(made)
    assert "ResNet-50" in page and "ONNX Runtime" in page
    assert "ONNX Runtime" in export_markdown(made)
    assert "onnx-b1-t2" in export_csv(made)
    assert loads(export_json(made)) == made
