"""Keeps things on a disk that fills up: ``python -m tests.engine.store.small_disk OTHER_DISK``.

``ASSAY_DATA`` lies on a small disk of its own. Every case fills it, sees the sentence, makes room
and does the same again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from engine import store
from engine.errors import StorageFull
from engine.files import hash_path, publish, write_atomically
from engine.settings import settings
from engine.sources import uploads
from engine.store.database import transaction
from tests.engine.store.conftest import a_report


def main(other_disk: Path) -> None:
    """Every case on the same disk."""
    store.reports.save(a_report("before", other_disk))
    for case in (_upload, _artifact, _text, _report):
        case(other_disk)
        sys.stdout.write(f"{case.__name__}\n")
    assert store.reports.load("before").title == "Report before"
    with transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def _upload(other_disk: Path) -> None:
    """What arrived stays; the upload goes on from there."""
    upload = uploads.create("model.onnx", 2_000_000)
    with uploads.Appender(upload.id, 0) as part:
        part.write(bytes(500_000))
    here = uploads.offset(upload.id)
    with _full():
        _refused(lambda: _append(upload.id, here, 2_000_000 - here))
    here = uploads.offset(upload.id)
    assert 500_000 <= here < 2_000_000
    _append(upload.id, here, 2_000_000 - here)
    assert uploads.complete(upload.id).size == 2_000_000
    uploads.delete(upload.id)


def _append(upload_id: str, at: int, count: int) -> None:
    with uploads.Appender(upload_id, at) as part:
        part.write(bytes(count))


def _artifact(other_disk: Path) -> None:
    """Copied from another disk, for want of a link: nothing of it is seen."""
    made = other_disk / "made"
    made.mkdir()
    (made / "model.onnx").write_bytes(bytes(1_000_000))
    home = settings().artifacts_dir / "a"
    with _full():
        _refused(lambda: publish(made, home))
        assert list(home.parent.iterdir()) == []
    publish(made, home)
    assert hash_path(home) == hash_path(made)


def _text(other_disk: Path) -> None:
    """The text from before stands, whole."""
    path = settings().data_dir / "result.json"
    write_atomically(path, "before")
    with _full():
        _refused(lambda: write_atomically(path, "x" * 1_000_000))
        assert path.read_text() == "before"
        assert not path.with_name("result.json.part").exists()
    write_atomically(path, "x" * 1_000_000)


def _report(other_disk: Path) -> None:
    """A commit that does not fit is no commit."""
    large = replace(a_report("r", other_disk), reproduce="x" * 2_000_000)
    with _full():
        _refused(lambda: store.reports.save(large))
        assert [line.id for line in store.reports.recent()] == ["before"]
    store.reports.save(large)
    assert store.reports.load("r") == large


@contextmanager
def _full() -> Iterator[None]:
    """Fill the disk to its last page, and free that room again."""
    filler = settings().data_dir / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


def _refused(doing: Callable[[], None]) -> None:
    try:
        doing()
    except StorageFull as error:
        assert "disk is full" in error.message and error.hint
        return
    raise AssertionError("it fitted")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
