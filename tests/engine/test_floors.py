"""No package with known holes opens a stranger's file."""

from __future__ import annotations

import pytest

from engine import floors
from engine.jobs import host


def test_what_is_installed_is_new_enough() -> None:
    assert floors.below() == ()


@pytest.mark.parametrize(
    ("version", "good"), [("2.9.1", False), ("2.10", True), ("2.13.0+cpu", True), ("3", True)]
)
def test_versions_are_compared_as_numbers(
    version: str, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "_version", {"torch": version}.get)
    assert (floors.below() == ()) is good
    assert good or "torch 2.9.1 is older than 2.10" in floors.below()[0]


@pytest.mark.usefixtures("workspace")
def test_a_host_with_an_older_one_does_not_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(floors, "_version", {"torch": "2.6.0"}.get)
    assert host.main() == 1
    assert "pip install 'torch>=2.10'" in caplog.text
