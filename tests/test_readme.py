"""The README's tables are what the commands beside them found."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import passes

README = Path(__file__).parents[1] / "README.md"


def test_the_passes_table_is_what_was_measured() -> None:
    found = json.loads(passes.RESULTS.read_text())
    assert set(found) == set(passes.MODELS)
    text = README.read_text()
    for name in passes.MODELS:
        assert any(row[2] for row in found[name]["cells"]), f"nothing was measured for {name}"
        assert passes.markdown(name, found[name]) in text
