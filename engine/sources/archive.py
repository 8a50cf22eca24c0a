"""Zip files of strangers: looked through first, refused at the first thing that is wrong.

Nothing is repaired, renamed or skipped. Archives inside archives stay closed.
"""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from engine.errors import InvalidModel, UnsafeModel
from engine.files import disk_errors
from engine.settings import settings

MAX_MEMBERS = 50_000
MAX_RATIO = 200
_RATIO_FROM = 10 << 20
_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_NAME_LIMIT = 1024
_END_SIZE = 22
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # what zipfile raises for a compression it does not have
    struct.error,
    RuntimeError,
    ValueError,
)


class Archive:
    """A zip that passed every check. Reads members, or writes them out under a byte budget."""

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = opened
        self.members = _checked(path, opened)
        self.names = tuple(name for name in self.members if not _is_clutter(name))

    @property
    def root(self) -> str:
        """The one folder that holds everything (with its slash); empty when there is none."""
        tops = {name.split("/", 1)[0] for name in self.names}
        nested = all("/" in name for name in self.names)
        return f"{tops.pop()}/" if len(tops) == 1 and nested else ""

    def has(self, name: str) -> bool:
        """Whether ``name`` is there, seen from the root."""
        return self.root + name in self.members

    def read(self, name: str, limit: int) -> bytes:
        """A member whole. Raises InvalidModel when it is missing or has more than ``limit``."""
        info = self.members.get(name)
        if info is None:
            raise InvalidModel(
                f"{name} is missing in this zip.",
                hint="Bring every file of the model, as its own library wrote them.",
            )
        if info.file_size > limit:
            raise InvalidModel(
                f"{name} in this zip has {info.file_size:,} bytes; at most {limit:,} are expected.",
                hint="This is not a model file Assay knows.",
            )
        with self.open(name) as member:
            return member.read(limit + 1)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A member as a stream; damage in it becomes InvalidModel."""
        try:
            with self._zip.open(self.members[name]) as member:
                yield member
        except _DAMAGE as error:
            raise _damaged(name, error) from error

    def extract(self, out: Path, names: tuple[str, ...] | None = None) -> None:
        """Write members below ``out`` (made new), paths seen from the root."""
        budget = _budget()
        for name in self.names if names is None else names:
            budget -= self._extract_one(name, out / name.removeprefix(self.root), budget)

    def _extract_one(self, name: str, target: Path, budget: int) -> int:
        """Write one member, counting real bytes; gives how many."""
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        allowed = min(budget, self.members[name].file_size)
        written = 0
        handle = os.open(target, flags, 0o600)
        with disk_errors(), os.fdopen(handle, "wb") as file, self.open(name) as source:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > allowed:
                    raise _refused(name, "holds more bytes than it declares")
                file.write(chunk)
        return written


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A zip, checked. Raises InvalidModel when it is damaged, UnsafeModel when it is a trap."""
    _check_end(path)
    try:
        source = zipfile.ZipFile(path)
    except (*_DAMAGE, OSError) as error:
        raise InvalidModel(
            "This file begins like a zip but is cut short or damaged.",
            hint="It probably was not copied whole: compare its size with the original's and "
            "bring it again.",
        ) from error
    with source:
        yield Archive(path, source)


def _check_end(path: Path) -> None:
    """The table of contents ends the file: with bytes after it, readers disagree on what is in."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_SIZE))
        end = file.read()
    if not (len(end) == _END_SIZE and end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0")):
        raise InvalidModel(
            "This file begins like a zip but does not end like one: it was cut short, or "
            "something was appended to it.",
            hint="Compare its size with the original's and bring it again; zip comments are not "
            "taken.",
        )


def _checked(path: Path, source: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Every regular member by name. Raises at the first that is not as it should be."""
    infos = source.infolist()
    if not infos:
        raise InvalidModel("This zip is empty.", hint="Put the model's files into it.")
    if len(infos) > MAX_MEMBERS:
        raise UnsafeModel(
            f"This zip has {len(infos):,} entries; at most {MAX_MEMBERS:,} are opened.",
            hint="Bring only the files of the model.",
        )
    folded: set[str] = set()
    for info in infos:
        _check_name(info)
        _check_kind(info)
        key = unicodedata.normalize("NFC", info.filename.rstrip("/")).casefold()
        if key in folded:
            raise _refused(info.filename, "appears twice (names differing in case count as one)")
        folded.add(key)
    files = {info.filename: info for info in infos if not info.is_dir()}
    _check_no_file_is_a_folder(files)
    _check_sizes(files)
    _check_spans(path, infos, source.start_dir)
    return files


def _check_name(info: zipfile.ZipInfo) -> None:
    name = info.filename
    # zipfile cuts names at NUL and turns backslashes round; the raw name tells.
    raw = info.orig_filename
    parts = name.rstrip("/").split("/")
    bad = (
        raw != name
        or "\\" in raw
        or not name
        or len(name) > _NAME_LIMIT
        or name.startswith("/")
        or any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts)
        or (len(name) > 1 and name[1] == ":")
        or any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in raw)
    )
    if bad:
        raise _refused(name, "has a name that leads out of the archive or is malformed")


def _check_kind(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or mode & (stat.S_ISUID | stat.S_ISGID):
        raise _refused(info.filename, "is a link or special file, not a regular one")
    if info.is_dir() != (kind == stat.S_IFDIR) and kind != 0:
        raise _refused(info.filename, "is a folder by name and a file by kind, or the reverse")
    if info.is_dir() and info.file_size:
        raise _refused(info.filename, "is a folder that holds bytes")
    if info.flag_bits & 0x1 or info.flag_bits & 0x40:
        raise _refused(info.filename, "is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(info.filename, "is compressed in a way Assay does not open")


def _check_no_file_is_a_folder(files: dict[str, zipfile.ZipInfo]) -> None:
    for name in files:
        for parent in PurePosixPath(name).parents:
            if str(parent) in files:
                raise _refused(str(parent), "is a file and a folder at once")


def _check_sizes(files: dict[str, zipfile.ZipInfo]) -> None:
    for info in files.values():
        if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * info.compress_size:
            raise _refused(info.filename, "would unpack to far more than it holds (a zip bomb)")
        if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
            raise _refused(info.filename, "declares two different sizes")
    total, budget = sum(info.file_size for info in files.values()), _budget()
    if total > budget:
        raise UnsafeModel(
            f"This zip would unpack to {total:,} bytes; at most {budget:,} are unpacked.",
            hint="Bring a smaller model, or raise ASSAY_MAX_UPLOAD_GIB.",
        )


def _check_spans(path: Path, infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Members lie one after the other from byte 0 to the directory and share no bytes."""
    end = 0
    with path.open("rb") as file:
        for info in sorted(infos, key=lambda item: item.header_offset):
            if info.header_offset < end:
                raise _refused(info.filename, "shares its bytes with another entry (a zip bomb)")
            if end == 0 and info.header_offset != 0:
                raise _refused(info.filename, "does not begin where the file begins")
            file.seek(info.header_offset)
            head = file.read(_LOCAL_HEADER.size)
            if len(head) < _LOCAL_HEADER.size or head[:4] != b"PK\x03\x04":
                raise _damaged(info.filename, None)
            fields = _LOCAL_HEADER.unpack(head)
            end = info.header_offset + len(head) + fields[9] + fields[10] + info.compress_size
    if end > directory:
        raise _refused(infos[-1].filename, "runs into the archive's table of contents")


def _is_clutter(name: str) -> bool:
    """What desktop systems add on their own."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1] in (".DS_Store", "Thumbs.db")


def _budget() -> int:
    return 2 * settings().max_upload_bytes


def _refused(name: str, why: str) -> UnsafeModel:
    return UnsafeModel(
        f"This zip was refused: its entry {name[:80]!r} {why}.",
        hint="Nothing was unpacked. Make the zip again from the model's own files.",
    )


def _damaged(name: str, error: Exception | None) -> InvalidModel:
    why = f" ({error})" if error else ""
    return InvalidModel(
        f"The entry {name[:80]!r} of this zip is damaged{why}.",
        hint="It probably was not copied whole: bring the file again.",
    )
