"""Whom Assay is served to: this machine, unless somebody says otherwise and the sandbox holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.doorway import Doorway, doorway, is_loopback_name
from engine.errors import BadRequest
from engine.jobs import locks
from engine.jobs.isolation import tiers
from engine.settings import settings
from tests.logins import write_secrets


@pytest.fixture
def held() -> None:
    if tiers.sandbox("").tier not in (tiers.Tier.A, tiers.Tier.B):
        pytest.skip(f"no sandbox of tier A or B here: {tiers.sandbox('').words}")


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ASSAY_SANDBOX", "C")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_this_machine_needs_nothing(address: str, weak: None) -> None:
    door = doorway(address, 8501)
    assert door.host == ""
    assert door.url == f"http://{door.here}"


@pytest.mark.parametrize(
    ("address", "name"),
    [("0.0.0.0", ""), ("::", ""), ("192.0.2.7", ""), ("127.0.0.1", "assay.lan:8501")],
)
def test_others_are_refused_in_a_sentence_that_says_what_to_do(address: str, name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        doorway(address, 8501, name=name)
    assert (name or address) in caught.value.message
    assert "--without-login" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "name", "expected"),
    [
        ("192.0.2.7", "", Doorway("192.0.2.7", 80, "192.0.2.7:80", "http://192.0.2.7:80")),
        ("0.0.0.0", "Assay.lan:80", Doorway("0.0.0.0", 80, "assay.lan:80", "http://assay.lan:80")),
        ("127.0.0.1", "assay.lan", Doorway("127.0.0.1", 80, "assay.lan", "http://assay.lan")),
        (
            "2001:db8::7",
            "",
            Doorway("2001:db8::7", 80, "[2001:db8::7]:80", "http://[2001:db8::7]:80"),
        ),
    ],
)
def test_asked_for_it_serves_others_under_one_name(
    held: None, address: str, name: str, expected: Doorway
) -> None:
    assert doorway(address, 80, name=name, without_login=True) == expected


def test_every_address_has_no_name_of_its_own(held: None) -> None:
    with pytest.raises(BadRequest, match="only one name") as caught:
        doorway("0.0.0.0", 8501, without_login=True)
    assert "--name" in caught.value.hint


def test_limits_alone_are_not_enough_for_others(weak: None) -> None:
    with pytest.raises(BadRequest, match="limits alone") as caught:
        doorway("192.0.2.7", 8501, without_login=True)
    assert "bubblewrap" in caught.value.hint


@pytest.mark.parametrize(("tier", "serves"), [("A", True), ("B", True), ("C", False)])
def test_a_host_that_runs_already_holds_workers_for_others_too(
    held: None, workspace: Path, tier: str, serves: bool
) -> None:
    with locks.single(locks.host_lock()):
        locks.host_lock().write_text(tier)
        if serves:
            doorway("192.0.2.7", 8501, without_login=True)
        else:
            with pytest.raises(BadRequest, match="in tier C") as caught:
                doorway("192.0.2.7", 8501, without_login=True)
            assert "Stop that host" in caught.value.hint


Configured = Callable[[str], None]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configured]:
    """``configured(redirect_uri)``: people log in, and come back there."""

    def write(redirect_uri: str) -> None:
        path = write_secrets(tmp_path / "secrets.toml", "https://id.example", redirect_uri)
        monkeypatch.setenv("ASSAY_SECRETS", str(path))
        settings.cache_clear()

    yield write
    settings.cache_clear()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "192.0.2.7"])
def test_with_a_login_the_name_is_the_one_people_come_back_to(
    held: None, configured: Configured, address: str
) -> None:
    configured("https://Assay.example/oauth2callback")
    expected = Doorway(address, 8501, "assay.example", "https://assay.example")
    assert doorway(address, 8501) == doorway(address, 8501, name="assay.example") == expected


def test_a_login_on_this_machine_needs_no_sandbox(weak: None, configured: Configured) -> None:
    configured("http://localhost:{port}/oauth2callback")
    expected = Doorway("127.0.0.1", 8600, "localhost:8600", "http://localhost:8600")
    assert doorway("127.0.0.1", 8600) == expected


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7"])
def test_a_login_for_others_does(weak: None, configured: Configured, address: str) -> None:
    configured("https://assay.example/oauth2callback")
    with pytest.raises(BadRequest, match="limits alone"):
        doorway(address, 8501)


def test_a_login_that_others_read_along_is_refused(held: None, configured: Configured) -> None:
    configured("http://assay.example:8501/oauth2callback")
    with pytest.raises(BadRequest, match="reads along") as caught:
        doorway("0.0.0.0", 8501)
    assert "https://" in caught.value.hint


def test_a_login_and_none_at_once_is_refused(held: None, configured: Configured) -> None:
    configured("https://assay.example/oauth2callback")
    with pytest.raises(BadRequest, match="--without-login says they do not"):
        doorway("0.0.0.0", 8501, without_login=True)
    with pytest.raises(BadRequest, match=r"not to assay\.lan"):
        doorway("0.0.0.0", 8501, name="assay.lan")


@pytest.mark.parametrize("address", ["assay.lan", "", "1.2.3", "127.0.0.1:8501"])
def test_an_address_is_a_number(address: str) -> None:
    with pytest.raises(BadRequest, match="no address"):
        doorway(address, 8501, without_login=True)


@pytest.mark.parametrize(
    "name", ["http://assay.lan", "a b", "assay.lan/x", "user@assay.lan", "a:b"]
)
def test_a_name_is_a_host(name: str) -> None:
    with pytest.raises(BadRequest, match="no host"):
        doorway("127.0.0.1", 8501, name=name, without_login=True)


@pytest.mark.parametrize(
    ("door", "here"),
    [
        (Doorway("0.0.0.0", 1, "a", "b"), "127.0.0.1:1"),
        (Doorway("::", 1, "a", "b"), "[::1]:1"),
        (Doorway("192.0.2.7", 1, "a", "b"), "192.0.2.7:1"),
        (Doorway("::1", 1, "", ""), "[::1]:1"),
    ],
)
def test_how_this_machine_reaches_it(door: Doorway, here: str) -> None:
    assert door.here == here


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("localhost:8501", True),
        ("127.0.0.1:8501", True),
        ("127.9.9.9", True),
        ("[::1]:8501", True),
        ("::1", True),
        ("0.0.0.0:8501", False),
        ("localhost.evil.example", False),
        ("user@localhost", False),
        ("[", False),
        ("", False),
    ],
)
def test_which_names_are_this_machine(host: str, ours: bool) -> None:
    assert is_loopback_name(host) is ours
