"""Hashing, weighing and publishing files."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.errors import StorageFull
from engine.files import disk_errors, hash_path, publish, size_of, write_atomically


def folder(root: Path, **files: str) -> Path:
    root.mkdir()
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def test_a_folder_is_its_names_and_contents(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", a="x", b="y")
    same = folder(tmp_path / "two", b="y", a="x")
    renamed = folder(tmp_path / "three", a="x", c="y")
    assert hash_path(one) == hash_path(same) != hash_path(renamed)
    assert size_of(one) == 2


def test_publishing_shows_the_whole_folder_and_keeps_the_source(tmp_path: Path) -> None:
    made = folder(tmp_path / "made", model="weights")
    publish(made, tmp_path / "kept" / "id")
    assert (tmp_path / "kept" / "id" / "model").read_text() == "weights"
    assert (made / "model").exists(), "a step that runs again must find what it left"
    assert [item.name for item in (tmp_path / "kept").iterdir()] == ["id"]


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    publish(folder(tmp_path / "first", model="one"), home)
    publish(folder(tmp_path / "second", model="two"), home)
    assert (home / "model").read_text() == "one"


def test_an_atomic_write_leaves_no_part_behind(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, "{}")
    write_atomically(path, '{"a": 1}')
    assert path.read_text() == '{"a": 1}'
    assert [item.name for item in tmp_path.iterdir()] == ["result.json"]


def test_a_full_disk_is_a_sentence() -> None:
    with pytest.raises(StorageFull, match="disk is full"), disk_errors():
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_disk_errors_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), disk_errors():
        raise PermissionError(errno.EACCES, "Permission denied")
