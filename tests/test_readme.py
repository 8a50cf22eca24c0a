"""Tables and counts in the documents are what the commands and files beside them say."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import passes
from tests.hostile.case import corpus
from tests.hostile.parsers import PARSERS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_passes_table_is_what_was_measured() -> None:
    found = json.loads(passes.RESULTS.read_text())
    assert set(found) == set(passes.MODELS)
    text = README.read_text()
    for name in passes.MODELS:
        assert any(row[2] for row in found[name]["cells"]), f"nothing was measured for {name}"
        assert passes.markdown(name, found[name]) in text


def test_security_counts_what_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    families = {case.family for case in corpus()}
    assert f"{len(corpus())} files over {len(families)} families" in text
    assert f"{len(PARSERS)} parsers of ours" in text
