"""Files and folders: hashed, weighed, and published so that a half-written one is never seen."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import LibraryUnusable, StorageFull
from engine.failpoints import failpoint

_CHUNK = 1 << 20


def hash_path(path: Path) -> str:
    """sha256 of a file; of a folder, over its sorted (relative name, sha256) lines."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = (f"{hash_path(item)}  {item.relative_to(path).as_posix()}" for item in files_of(path))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of every file below a folder."""
    return sum(item.stat().st_size for item in files_of(path))


def files_of(path: Path) -> tuple[Path, ...]:
    """The file itself, or every regular file below a folder, sorted by name."""
    if path.is_file():
        return (path,)
    return tuple(sorted(item for item in path.rglob("*") if item.is_file()))


def publish(made: Path, home: Path) -> None:
    """Let the folder ``made`` appear at ``home``, whole: link, fsync, then one rename.

    ``made`` stays where it is (the links share its bytes), so that a step that runs again after
    its host died finds what it left. Where ``home`` is there already, nothing is done: homes are
    named by the hash of their content.
    """
    failpoint("publish: begun")
    if home.exists():
        with disk_errors():
            fsync(home.parent)  # whoever renamed it may have died before this
        return
    staging = home.with_name(f"{home.name}.part-{os.getpid()}-{threading.get_ident()}")
    with disk_errors():
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        try:
            shutil.copytree(made, staging, copy_function=link_or_copy)
            failpoint("publish: linked")
            for item in (*staging.rglob("*"), staging):
                fsync(item)
            failpoint("publish: written through")
            staging.rename(home)
            failpoint("publish: renamed")
        except OSError:
            shutil.rmtree(staging, ignore_errors=True)
            if not home.exists():
                raise
        fsync(home.parent)
    failpoint("publish: kept")


def link_or_copy(source: str, target: str) -> None:
    """A hard link where the file system can, a copy where it cannot."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copy2(source, target)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, whole."""
    part = path.with_name(path.name + ".part")
    with disk_errors():
        try:
            with part.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                failpoint("write: begun")
                os.fsync(file.fileno())
            failpoint("write: written through")
            part.rename(path)
            failpoint("write: renamed")
            fsync(path.parent)
        except OSError:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the system's "no space left" into a sentence."""
    try:
        yield
    except OSError as error:
        # Copying a folder gathers what failed in one error without a number.
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
            raise StorageFull() from error
        raise


def unwritable(folder: Path, why: object) -> LibraryUnusable:
    """The error of a data folder that this user, or this disk, does not let be written."""
    return LibraryUnusable(
        f"The data folder {folder} cannot be written ({why}).",
        hint="Give the user who runs Assay the right to write there, or set ASSAY_DATA.",
    )


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it, however deep, and whoever locked us out.

    What lies deep is first brought to the top, so that no path and no call grows with the depth.
    What cannot be removed stays, and whoever looks for room finds it there.
    """
    if path.is_symlink() or not path.is_dir():
        with suppress(OSError):
            path.unlink()
        return
    here = f"{secrets.token_hex(8)}-"
    waiting, moved = [path], 0
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder):
            with suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                top, moved = path / f"{here}{moved}", moved + 1
                os.rename(entry.path, top)
                waiting.append(top)
        with suppress(OSError):
            folder.rmdir()
    with suppress(OSError):
        path.rmdir()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing where it cannot be opened."""
    try:
        folder.chmod(0o700)
        return list(os.scandir(folder))
    except OSError:
        return []


def fsync(path: Path) -> None:
    """Have the disk keep a file's bytes, or the names in a folder, before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
