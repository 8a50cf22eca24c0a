"""Frameworks asked for by name."""

from __future__ import annotations

import json

import pytest

from engine.errors import MissingDependency
from engine.lazy import Requirement, require


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
