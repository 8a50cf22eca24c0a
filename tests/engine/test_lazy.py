"""Frameworks asked for by name."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from engine.errors import MissingDependency
from engine.lazy import Requirement, one_look, require


def test_an_installed_module_is_given() -> None:
    assert require("json") is json


def test_a_missing_one_says_how_to_get_it() -> None:
    with pytest.raises(MissingDependency, match="pip install no-such-thing"):
        require("no_such_module", "no-such-thing")


def test_probing_says_what_is_there() -> None:
    assert Requirement("numpy", "numpy").installed
    assert Requirement("numpy", "numpy").version
    assert not Requirement("no_such_module", "no-such-thing").installed
    assert Requirement("no_such_module", "no-such-thing").version is None


def test_one_look_asks_for_each_module_once_and_forgets_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    need = Requirement("brought_meanwhile", "brought-meanwhile")
    with one_look():
        assert not need.installed
        (tmp_path / "brought_meanwhile.py").touch()
        importlib.invalidate_caches()
        assert not need.installed, "the same answer within one run of a page"
    assert need.installed, "and the new one in the next"
