"""Assay served as it is, with traps around it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.settings import settings
from tests.e2e.conftest import serving
from tests.hostile.case import Case, Traps, corpus

SECRET = "hunter2-4f1c9b7d"
"""What the secret file and the host's environment hold; it may turn up nowhere."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="every hostile file, not one a family")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the corpus one file a family, unless all are asked for; what is left out is counted."""
    if config.getoption("--whole", default=False):
        return
    first: dict[int, Case] = {}
    for case in corpus():
        first.setdefault(case.family, case)
    left_out = [item for item in items if (case := case_of(item)) and case not in first.values()]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def case_of(item: pytest.Item) -> Case | None:
    """The hostile file that a test is about; None for any other test."""
    found = getattr(item, "callspec", None)
    case = found.params.get("case") if found else None
    return case if isinstance(case, Case) else None


@dataclass(frozen=True)
class House:
    """A served Assay, its data folder, and what may not be touched."""

    url: str
    data: Path
    traps: Traps
    calls: list[str]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Web and host, and this process as a page of it: the same data folder."""
    home = tmp_path_factory.mktemp("hostile")
    secret, calls = home / "secret.txt", []
    secret.write_text(SECRET)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer, args=(listener, calls), daemon=True).start()
    traps = Traps(secret, home / "mark", listener.getsockname()[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(home / "data"))
        patch.setenv("ASSAY_LOCK_DIR", str(home))
        patch.setenv("ASSAY_CANARY", SECRET)
        patch.delenv("ASSAY_DATABASE", raising=False)
        settings.cache_clear()
        with serving(home / "data") as url:
            yield House(url, home / "data", traps, calls)
    settings.cache_clear()
    listener.close()


def _answer(listener: socket.socket, calls: list[str]) -> None:
    while True:
        try:
            called, address = listener.accept()
        except OSError:
            return
        calls.append(str(address))
        called.close()
