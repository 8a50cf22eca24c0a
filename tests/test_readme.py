"""Tables and counts in the documents are what the commands and files beside them say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks import load, passes
from benchmarks.fidelity import PARTS, results
from tests.engine.store.publisher import PLACES
from tests.engine.store.test_publishing import TIMES
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


def test_the_load_table_is_what_was_measured() -> None:
    found = json.loads(load.KEPT.read_text())
    assert found["passed"] and found["minutes"] >= load.WHOLE_MINUTES
    assert load.table(found) in README.read_text()


def test_the_fidelity_table_is_what_was_found() -> None:
    assert results.table(PARTS) in README.read_text()


def test_security_counts_what_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    families = {case.family for case in corpus()}
    assert f"{len(corpus())} files over {len(families)} families" in text
    assert f"{len(PARSERS)} parsers of ours" in text
    assert TIMES == 5 and f"{sum(map(len, PLACES.values()))} places, five times each" in text


def test_every_fault_in_security_has_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    _, section = text.split("## Faults\n")
    rows = re.findall(r"^\| (?!what happens|---)(.+) \|$", section.split("\n## ")[0], re.MULTILINE)
    assert section.strip().startswith(f"{len(rows)} faults,")
    files = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    known = {name for text in files for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    for row in rows:
        *_, proofs = row.split(" | ")
        named = re.findall(r"`(\w+)`", proofs)
        assert named and set(named) <= known, row
