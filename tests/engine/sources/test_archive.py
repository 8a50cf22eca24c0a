"""Hostile zips: refused before a byte is written; honest ones pass."""

from __future__ import annotations

import resource
import signal
import stat
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import InvalidModel, UnsafeModel
from engine.sources import archive
from tests.engine.sources.conftest import zipped


def unpack(path: Path) -> list[str]:
    """Extract below ``path``'s folder; gives what is there afterwards."""
    out = path.parent / "out"
    try:
        with archive.opened(path) as source:
            source.extract(out)
    finally:
        outside = [item for item in path.parent.iterdir() if item not in (path, out)]
        assert not outside, f"written outside: {outside}"
    return sorted(str(item.relative_to(out)) for item in out.rglob("*") if item.is_file())


def test_an_honest_zip_is_unpacked_below_its_root(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        {"m/a.bin": b"1" * 5000, "m/sub/b.bin": b"2", "__MACOSX/m/._a": b"x", "m/.DS_Store": b"y"},
    )
    assert unpack(path) == ["a.bin", "sub/b.bin"]


def test_a_compressed_streamed_zip_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("m")
        with file.open("m/a.bin", "w") as member:
            member.write(b"abc" * 10_000)
    assert unpack(path) == ["a.bin"]


def named(name: str, mode: int = 0) -> Callable[[zipfile.ZipFile], None]:
    def add(file: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        file.writestr(info, b"/etc/passwd")

    return add


def twice(first: str, second: str) -> Callable[[zipfile.ZipFile], None]:
    def add(file: zipfile.ZipFile) -> None:
        file.writestr(first, b"1")
        file.writestr(second, b"2")

    return add


def bomb(file: zipfile.ZipFile) -> None:
    file.writestr("zeros", bytes(64 << 20), zipfile.ZIP_DEFLATED)


def squeezed(file: zipfile.ZipFile) -> None:
    file.writestr("a", b"a" * 1000, zipfile.ZIP_BZIP2)


@pytest.mark.parametrize(
    "add",
    [
        named("../evil"),
        named("a/../../evil"),
        named("/etc/evil"),
        named("C:/evil"),
        named("..\\evil"),
        named("a//b"),
        named("./a"),
        named("a\nb"),
        named("a" * 300),
        named("link", stat.S_IFLNK | 0o777),
        named("pipe", stat.S_IFIFO | 0o644),
        named("root", stat.S_IFREG | stat.S_ISUID | 0o755),
        named("folder/", stat.S_IFREG | 0o644),
        twice("a", "A"),
        twice("é", "e\u0301"),
        twice("a", "a/b"),
        bomb,
        squeezed,
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_traps_are_refused_and_nothing_is_written(
    tmp_path: Path, add: Callable[[zipfile.ZipFile], None]
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        add(file)
    started = time.monotonic()
    with pytest.raises(UnsafeModel):
        unpack(path)
    assert time.monotonic() - started < 30
    assert not (tmp_path / "out").exists()


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(UnsafeModel, match="encrypted"):
        unpack(path)


@pytest.mark.parametrize("tail", [b"x", b"PK\x05\x06" + bytes(10), bytes(70_000)])
def test_bytes_after_the_zip_are_refused(tmp_path: Path, tail: bytes) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    path.write_bytes(path.read_bytes() + tail)
    with pytest.raises(InvalidModel, match="appended"):
        unpack(path)


def test_a_comment_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"hello"
    with pytest.raises(InvalidModel, match="appended"):
        unpack(path)


def test_bytes_before_the_zip_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    with pytest.raises(UnsafeModel, match="begin"):
        unpack(path)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Two names in the table of contents for the same span: many files out of one."""
    path = zipped(tmp_path / "a.zip", {"a": b"x" * 50})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    other = entry.replace(b"a", b"b") if entry.endswith(b"a") else entry
    directory = entry + other
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)
    path.write_bytes(data[:start] + directory + tail)
    with pytest.raises(UnsafeModel, match="shares"):
        unpack(path)


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", b"x" * 100_000)
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        where = data.index(magic) + at
        data[where : where + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(InvalidModel):
        unpack(path)


def test_a_damaged_entry_is_invalid(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x" * 1000})
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InvalidModel, match="damaged"):
        unpack(path)


def test_names_that_are_no_text_are_damage(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"é": b"x"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(InvalidModel):
        unpack(path)


def test_a_failing_write_is_no_damage(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x" * 100_000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            unpack(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = zipped(tmp_path / "a.zip", {str(index): b"" for index in range(4)})
    with pytest.raises(UnsafeModel, match="entries"):
        unpack(path)


def test_more_than_the_budget(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.settings import settings

    monkeypatch.setenv("ASSAY_MAX_UPLOAD_GIB", "0.000001")
    settings.cache_clear()
    home = tmp_path / "zips"
    home.mkdir()
    path = zipped(home / "a.zip", {"a": bytes(5000)})
    with pytest.raises(UnsafeModel, match="unpack"):
        unpack(path)
