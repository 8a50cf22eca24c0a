"""The doctor looks without touching."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine import doctor as module
from engine import registry
from engine.doctor import doctor
from engine.jobs import locks
from engine.lazy import Requirement
from engine.settings import settings

ROOT = Path(__file__).parents[2]


def test_it_imports_no_framework(workspace: Path) -> None:
    script = (
        "import sys; from engine.doctor import doctor; doctor();"
        "print({'torch', 'tensorflow', 'onnx', 'onnxruntime', 'llama_cpp'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"


def test_it_sees_whether_a_host_lives(workspace: Path) -> None:
    assert not doctor().host_alive
    with locks.single(locks.host_lock()) as only:
        assert only
        assert doctor().host_alive
    assert not doctor().host_alive


def test_what_is_not_installed_comes_with_the_line_that_installs_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = Requirement("no_such_module_at_all", "no-such-package")
    lacking = replace(registry.format_named("onnx"), requires=(need,))
    monkeypatch.setattr(module, "formats", lambda: {"onnx": lacking})
    (end,) = doctor().back_ends
    assert (end.available, end.install) == (False, "pip install no-such-package")
    assert "not installed" in end.reason


def test_every_format_is_a_back_end_once(workspace: Path) -> None:
    assert [end.name for end in doctor().back_ends] == list(registry.formats())


def test_every_fact_is_filled(workspace: Path) -> None:
    found = doctor()
    assert all(found.facts.values())
    assert found.cores >= 1


def test_it_says_how_workers_are_held_and_what_stands_in_the_way(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor().facts["Sandbox"][:2] in ("A:", "B:", "C:")
    monkeypatch.setenv("ASSAY_SANDBOX", "Z")
    settings.cache_clear()
    said = "none: no task is run. ASSAY_SANDBOX is 'Z', and can be A, B or C."
    assert doctor().facts["Sandbox"] == said
