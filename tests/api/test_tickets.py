"""No upload without a ticket of the page, which nobody else can make, stretch or use for long."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine import access
from engine.access import Person, Role
from engine.api.routes import MIDDLEWARE, ROUTES
from engine.api.uploads import PREFIX
from engine.errors import LibraryUnusable, UploadError
from engine.settings import settings
from engine.sources import tickets

NOON = 1_800_000_000.0


@pytest.fixture
def client(workspace: Path) -> Iterator[TestClient]:
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as opened:
        yield opened


def announced(client: TestClient, ticket: str | None, size: int = 100) -> tuple[int, str]:
    headers = {"Upload-Length": str(size)} | ({} if ticket is None else {"Upload-Ticket": ticket})
    answer = client.post(PREFIX, headers=headers, json={"name": "m.pt"})
    return answer.status_code, str(answer.json().get("message"))


def changed(ticket: str, **fields: object) -> str:
    """The ticket saying something else, under the HMAC it had."""
    body, mac = ticket.split(".")
    said = json.loads(base64.urlsafe_b64decode(body)) | fields
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode() + "." + mac


def test_a_ticket_lets_an_upload_in_and_again(client: TestClient) -> None:
    ticket = tickets.issue("a session")
    assert announced(client, ticket)[0] == announced(client, ticket)[0] == 201


@pytest.mark.parametrize(
    "ticket", [None, "", ".", "a.b", "x" * 5000, "é.é", "eyJ9.AAAA", "a.b.c", "%00.%00"]
)
def test_what_is_no_ticket_is_refused(client: TestClient, ticket: str | None) -> None:
    sent = ticket.encode() if ticket else ticket
    headers = {"Upload-Length": "100"} | ({} if sent is None else {"Upload-Ticket": sent})
    answer = client.post(PREFIX, headers=headers, json={"name": "m.pt"})  # type: ignore[arg-type]
    assert answer.status_code == 403
    assert "ticket" in answer.json()["message"] and answer.json()["hint"]
    assert not settings().uploads_dir.exists()


@pytest.mark.parametrize(
    "fields",
    [{"most_bytes": 10**15}, {"until": 10**12}, {"user": "root"}, {"session": "b"}, {"more": 1}],
)
def test_a_ticket_that_was_changed_is_refused(
    client: TestClient, fields: dict[str, object]
) -> None:
    ticket = tickets.issue("a session", most_bytes=1000)
    assert announced(client, changed(ticket, **fields))[0] == 403
    assert announced(client, ticket)[0] == 201


def test_every_byte_of_a_ticket_counts(workspace: Path) -> None:
    ticket = tickets.issue("a session")
    for at in range(len(ticket)):
        wrong = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
        with pytest.raises(UploadError) as refused:
            tickets.check(wrong, 100)
        assert refused.value.status == 403


def test_a_file_larger_than_the_ticket_says_is_refused(client: TestClient) -> None:
    ticket = tickets.issue("a session", most_bytes=1000)
    status, message = announced(client, ticket, 1001)
    assert status == 413
    assert "1,001" in message and "1,000" in message
    assert announced(client, ticket, 1000)[0] == 201


def test_a_ticket_is_one_persons(workspace: Path) -> None:
    somebody, another = (Person(name, name, Role.RUNNER) for name in ("somebody", "another"))
    with access.acting(somebody):
        theirs = tickets.issue("a session")
        assert tickets.check(theirs, 100).user == "somebody"
    for person in (another, access.OPERATOR):
        with access.acting(person), pytest.raises(UploadError, match="somebody else"):
            tickets.check(theirs, 100)


def test_of_a_person_turns_are_counted_together_of_nobody_known_by_session(
    workspace: Path,
) -> None:
    def holder(session: str, user: str) -> str:
        with access.acting(Person(user, user, Role.RUNNER)):
            return tickets.check(tickets.issue(session), 1).holder

    assert holder("a", "somebody") == holder("b", "somebody") != holder("a", "another")
    assert holder("a", "") != holder("b", "")


def test_a_ticket_of_another_purpose_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "UPLOAD", "something else")
        other = tickets.issue("a session")
    with pytest.raises(UploadError, match="for something else"):
        tickets.check(other, 100)


def test_a_ticket_runs_out_and_stays_the_same_for_a_while(workspace: Path) -> None:
    ticket = tickets.issue("a session", now=lambda: NOON)
    assert tickets.issue("a session", now=lambda: NOON + tickets.PERIOD_S - 1) == ticket
    assert tickets.issue("a session", now=lambda: NOON + tickets.PERIOD_S) != ticket
    tickets.check(ticket, 100, now=lambda: NOON + 2 * tickets.PERIOD_S - 1)
    with pytest.raises(UploadError, match="run out") as refused:
        tickets.check(ticket, 100, now=lambda: NOON + 2 * tickets.PERIOD_S)
    assert refused.value.status == 403


def test_the_key_is_the_owners_alone(workspace: Path) -> None:
    old = os.umask(0)
    try:
        tickets.issue("a session")
    finally:
        os.umask(old)
    key = settings().data_dir / "tickets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in settings().data_dir.iterdir()] == ["tickets.key"]


@pytest.mark.parametrize("harm", ["read by others", "cut"])
def test_a_key_that_others_may_know_or_that_is_cut_is_made_anew(workspace: Path, harm: str) -> None:
    ticket = tickets.issue("a session")
    key = settings().data_dir / "tickets.key"
    before = key.read_bytes()
    if harm == "cut":
        key.write_bytes(before[:7])
    else:
        key.chmod(0o644)
    with pytest.raises(UploadError, match="not one of ours"):
        tickets.check(ticket, 100)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and key.read_bytes() != before
    tickets.check(tickets.issue("a session"), 100)


def test_another_data_folder_has_another_key(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = tickets.issue("a session")
    monkeypatch.setenv("ASSAY_DATA", str(workspace.parent / "other"))
    settings.cache_clear()
    with pytest.raises(UploadError, match="not one of ours"):
        tickets.check(ticket, 100)


def test_those_who_begin_at_once_come_to_one_key(workspace: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: tickets.issue("a session", now=lambda: NOON), range(64)))
    assert len(made) == 1


def test_a_folder_where_no_key_can_be_kept_is_named(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.parent / "file").touch()
    monkeypatch.setenv("ASSAY_DATA", str(workspace.parent / "file"))
    settings.cache_clear()
    with pytest.raises(LibraryUnusable, match="file"):
        tickets.issue("a session")
