"""What is configured of logins, and what becomes of what a provider says of somebody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.access import NOBODY, OPERATOR, Person, Role, acting, identify_by, need, who
from engine.errors import BadRequest, NotAllowed
from engine.jobs.isolation.grants import grants_for
from engine.logins import Login, login
from engine.settings import settings
from tests.logins import COOKIE_SECRET, write_secrets

CLAIMS = {"iss": "https://id.example", "sub": "42", "is_logged_in": True}
Written = Callable[[str], Login | None]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """``written(text)``: the login that a secrets.toml of that text configures."""
    monkeypatch.setenv("ASSAY_SECRETS", str(tmp_path / "secrets.toml"))
    settings.cache_clear()

    def write(text: str) -> Login | None:
        (tmp_path / "secrets.toml").write_text(text, encoding="utf-8")
        return login()

    yield write
    settings.cache_clear()


def a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **roles: Any) -> Login:
    path = write_secrets(tmp_path / "secrets.toml", "https://id.example", roles=roles)
    monkeypatch.setenv("ASSAY_SECRETS", str(path))
    settings.cache_clear()
    found = login()
    settings.cache_clear()
    assert found is not None
    return found


def said(**more: Any) -> dict[str, Any]:
    """What a provider says of somebody who logged in just now."""
    return {**CLAIMS, "iat": int(time.time()), **more}


def test_without_auth_nobody_logs_in(written: Written) -> None:
    assert login() is None
    assert written("[roles]\nadmin = ['a@example.org']") is None


PROVIDER = "client_id = 'a'\nclient_secret = 'b'\nserver_metadata_url = 'https://id.example'\n"
START = f"[auth]\nredirect_uri = 'https://assay.example/oauth2callback'\n{PROVIDER}"
SECRET = f"cookie_secret = '{COOKIE_SECRET}'\n"
ROLES = "[roles]\nadmin = ['a@example.org']\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[auth", "no TOML"),
        ("auth = 1", "tables"),
        (f"[auth]\n{PROVIDER}{SECRET}{ROLES}", "redirect_uri"),
        (START.replace("/oauth2callback", "/") + SECRET + ROLES, "redirect_uri"),
        (START + ROLES, "cookie_secret"),
        (f"{START}cookie_secret = 'short'\n{ROLES}", "32 signs"),
        (START.replace(PROVIDER, "") + SECRET + ROLES, "client_id"),
        (START + SECRET, "nobody a role"),
        (f"{START}{SECRET}[roles]\nadmin = 'a@example.org'", "list of texts"),
        (f"{START}{SECRET}[roles]\nowner = ['a@example.org']", "owner"),
        (f"{START}{SECRET}{ROLES}hours = 0", "no time"),
        (f"{START}{SECRET}{ROLES}claim = 1", "no name"),
    ],
)
def test_a_file_that_is_wrong_says_what_to_do(written: Written, text: str, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem) as caught:
        written(text)
    assert "README" in caught.value.hint
    assert COOKIE_SECRET not in str(caught.value)


def test_one_provider_or_several(written: Written) -> None:
    found = written(START + SECRET + ROLES)
    assert found is not None and found.providers == ()


def test_several_providers_have_names(written: Written) -> None:
    named = f"[auth.google]\n{PROVIDER}[auth.microsoft]\n{PROVIDER}"
    found = written(START.replace(PROVIDER, SECRET) + named + ROLES)
    assert found is not None and found.providers == ("google", "microsoft")


def test_the_highest_role_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = a_login(
        tmp_path, monkeypatch, claim="groups", viewer=["*"], runner=["ml", "Ops"], admin=["ops"]
    )
    for groups, role in (
        (["ml"], Role.RUNNER),
        (["ML", "other"], Role.RUNNER),
        (["ml", "ops"], Role.ADMIN),
        ("ops", Role.ADMIN),
        ([], Role.VIEWER),
        (None, Role.VIEWER),
        ([1, {"ops": 1}], Role.VIEWER),
    ):
        assert found.person(said(groups=groups)).role is role, groups


def test_by_email_unless_the_provider_doubts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = a_login(tmp_path, monkeypatch, runner=["rita@example.org"])
    assert found.person(said(email="Rita@Example.org")).role is Role.RUNNER
    assert found.person(said(email="rita@example.org", email_verified=True)).role is Role.RUNNER
    for doubtful in (False, "false", "true", 0, 1, None):
        assert found.person(said(email="rita@example.org", email_verified=doubtful)).role is None
    assert found.person(said(email="rita@example.org.evil.example")).role is None
    assert found.person(said()).role is None


@pytest.mark.parametrize(
    "change",
    [
        {"is_logged_in": False},
        {"is_logged_in": "yes"},
        {"sub": ""},
        {"iss": ""},
        {"iat": None},
        {"iat": 1},
        {"iat": "now"},
        {"iat": int(time.time()) + 24 * 3600},
    ],
)
def test_claims_that_do_not_hold_are_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    found = a_login(tmp_path, monkeypatch, viewer=["*"])
    assert found.person({}) is NOBODY
    assert found.person(said(**change)) is NOBODY


def test_people_are_told_apart_by_issuer_and_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = a_login(tmp_path, monkeypatch, viewer=["*"])
    rita = found.person(said(email="rita@example.org"))
    assert found.person(said(email="renamed@example.org")).id == rita.id
    assert found.person(said(iss="https://other.example")).id != rita.id
    assert found.person(said(sub="43")).id != rita.id


def test_no_worker_is_given_the_file_with_the_secrets(tmp_path: Path) -> None:
    given = grants_for({}, tmp_path)
    secrets = settings().secrets
    assert secrets.name == "secrets.toml"
    assert not any(secrets.is_relative_to(place) for place in (*given.code, *given.data))


def test_who_asks() -> None:
    assert who() is OPERATOR
    rita = Person("r", "Rita", Role.RUNNER)
    with acting(rita):
        assert who() is rita
        need(Role.VIEWER)
        with pytest.raises(NotAllowed, match="yours is runner"):
            need(Role.ADMIN)
        assert rita.sees("r") and not rita.sees("") and not rita.sees("other")
    assert OPERATOR.sees("r") and OPERATOR.sees("")
    assert not NOBODY.sees("") and not Person("r", "Rita", None).sees("r")


def test_a_process_that_asks_and_knows_nobody_lets_nobody_in() -> None:
    identify_by(lambda: NOBODY)
    try:
        with pytest.raises(NotAllowed, match="you have none"):
            need(Role.VIEWER)
    finally:
        identify_by(None)
    need(Role.ADMIN)
