"""Where people log in: the journey in a browser, and the same people on the routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

import engine
from engine import store
from engine.access import Person, Role, acting
from engine.records import fingerprint
from engine.settings import settings
from engine.store import library
from tests import logins
from tests.e2e.conftest import serving
from tests.engine.store.conftest import a_model, a_report, an_artifact

UPLOADS = "/api/v1/uploads"


@dataclass(frozen=True)
class Served:
    """An Assay with a login: its address, its data folder, its provider."""

    url: str
    data: Path
    provider: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Assay as ``make run`` starts it where a login is configured. Its data folder is set here."""
    home = tmp_path_factory.mktemp("login")
    with logins.provider() as provider:
        secrets = logins.write_secrets(home / "secrets.toml", provider)
        with (
            serving(home / "data", ASSAY_SECRETS=str(secrets)) as address,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("ASSAY_DATA", str(home / "data"))
            settings.cache_clear()
            yield Served(address, home / "data", provider)
    settings.cache_clear()


@pytest.fixture
def url(served: Served) -> str:
    return served.url


@pytest.fixture
def provider(served: Served) -> str:
    return served.provider


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def announce(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post(UPLOADS, headers={"Upload-Length": "5", **headers}, json={"name": "m.onnx"})


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/artifacts/some",
        "/api/v1/artifacts/some/importance-matrix",
        "/api/v1/reports/some.json",
        "/viewer/model/some/",
        "/viewer/artifact/some/",
        "/media/some.png",
    ],
)
def test_nobody_reaches_a_route(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code == 401
    assert "Log in" in answer.json()["hint"]


def test_nobody_brings_anything(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        assert announce(client, Origin=url).status_code == 401
        put = client.put("/_stcore/upload_file/session/file", headers={"Origin": url})
        assert put.status_code == 401


def test_health_and_share_links_need_no_login(url: str) -> None:
    assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
    assert httpx.get(f"{url}/r/no-such-link").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"), [("ada", 201), ("rita", 201), ("vera", 403), ("nora", 403)]
)
def test_who_may_bring_a_model(url: str, provider: str, name: str, status: int) -> None:
    with logins.log_in(url, name) as client:
        answer = announce(client, Origin=url, **ticket(provider, name))
        assert answer.status_code == status
        if status == 403:
            assert "role runner" in answer.json()["message"]


def test_a_ticket_is_good_for_the_one_it_was_given(url: str, provider: str) -> None:
    with logins.log_in(url, "rita") as client:
        answer = announce(client, Origin=url, **ticket(provider, "ron"))
        assert answer.status_code == 403
        assert "somebody else" in answer.json()["message"]


def ticket(provider: str, name: str) -> dict[str, str]:
    """What the pages give a person of that name."""
    return {"Upload-Ticket": engine.upload_ticket("s", fingerprint("person", provider, name))}


def test_a_cookie_alone_changes_nothing(url: str) -> None:
    with logins.log_in(url, "rita") as client:
        assert announce(client).status_code == 403
        for foreign in ("http://evil.example", "null", url.replace("127.0.0.1", "localhost")):
            assert announce(client, Origin=foreign).status_code == 403
        assert client.get("/api/v1/artifacts/some").status_code == 404, "reading needs no Origin"


def test_a_cookie_that_was_touched_is_nobodys(url: str) -> None:
    with logins.log_in(url, "rita") as client:
        cookies = {cookie.name: str(cookie.value) for cookie in client.cookies.jar}
    signed = cookies["_streamlit_user"]
    payload, dot, rest = signed.partition(".")
    for forged in (
        f"{payload[:-4]}AAAA{dot}{rest}",
        signed[:-2],
        f"{payload}..{rest}",
        "",
        cookies["_streamlit_user_tokens"],
    ):
        headers = {"Cookie": f"_streamlit_user={forged}"}
        assert httpx.get(f"{url}/api/v1/artifacts/x", headers=headers).status_code == 401
    headers = {"Cookie": f"_streamlit_user={signed}"}
    assert httpx.get(f"{url}/api/v1/artifacts/x", headers=headers).status_code == 404


def test_it_answers_under_the_name_people_come_back_to(url: str) -> None:
    elsewhere = httpx.get(f"{url.replace('127.0.0.1', 'localhost')}/healthz")
    assert elsewhere.status_code == 403
    assert url.removeprefix("http://") in elsewhere.json()["hint"]


@dataclass(frozen=True)
class Kept:
    """Things that Rita made, written as the host writes them."""

    report: str
    model: str
    artifact: str
    token: str


@pytest.fixture(scope="module")
def ritas(served: Served) -> Kept:
    rita = Person(fingerprint("person", served.provider, "rita"), "rita", Role.RUNNER)
    with acting(rita):
        store.models.save(a_model("ritas-model", served.data))
        made = an_artifact("ritas-artifact", served.data / "artifacts")
        store.artifacts.save(made, "ritas-model")
        store.reports.save(a_report("ritasreport", served.data))
        store.reports.save(a_report("tobeopened", served.data))
        token = library.share("ritasreport", 1).token
        return Kept("ritasreport", "ritas-model", "ritas-artifact", token)


@pytest.mark.parametrize("name", ["rita", "ada", "ron", "vera"])
def test_the_routes_give_what_is_ones_own(url: str, ritas: Kept, name: str) -> None:
    allowed = name in ("rita", "ada")
    with logins.log_in(url, name) as client:
        for path in (
            f"/api/v1/artifacts/{ritas.artifact}",
            f"/api/v1/reports/{ritas.report}.json",
            f"/viewer/model/{ritas.model}/",
            f"/viewer/artifact/{ritas.artifact}/data/model.onnx",
        ):
            assert client.get(path).status_code == (200 if allowed else 404), path


def test_a_share_link_opens_for_whoever_has_it(url: str, ritas: Kept) -> None:
    assert "Report ritasreport" in httpx.get(f"{url}/r/{ritas.token}").text
    assert httpx.get(f"{url}/api/v1/reports/{ritas.report}.json").status_code == 401


def test_an_upload_is_the_one_persons_who_announced_it(url: str, provider: str) -> None:
    with logins.log_in(url, "rita") as rita, logins.log_in(url, "ron") as ron:
        place = announce(rita, Origin=url, **ticket(provider, "rita")).headers["Location"]
        body = {"Origin": url, "Upload-Offset": "0"}
        assert ron.head(place).status_code == 404
        assert ron.patch(place, headers=body, content=b"bytes").status_code == 404
        assert ron.delete(place, headers={"Origin": url}).status_code == 404
        assert rita.patch(place, headers=body, content=b"bytes").status_code == 204
        assert rita.head(place).headers["Upload-Offset"] == "5"


def enter(tab: Page, url: str, name: str) -> None:
    """Log in as a person does."""
    tab.goto(url)
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("button", name=name, exact=True).first.click()
    expect(tab.get_by_text(f"Logged in as {name}@example.org · ")).to_be_visible()


@pytest.mark.browser
def test_a_person_logs_in_works_and_logs_out(url: str, tab: Page) -> None:
    tab.goto(f"{url}/system")
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()
    expect(tab.get_by_role("link", name="Formats")).to_have_count(0)
    expect(tab.get_by_role("heading", name="This machine")).to_have_count(0)
    enter(tab, url, "rita")
    expect(tab.get_by_role("link", name="Convert")).to_be_visible()
    expect(tab.get_by_role("link", name="System")).to_have_count(0)
    tab.goto(f"{url}/system")
    expect(tab.get_by_role("heading", name="Not for your role")).to_be_visible()
    tab.goto(f"{url}/model")
    tab.get_by_role("button", name="Use Digits").click()
    expect(tab.get_by_role("button", name="Convert this model")).to_be_visible(timeout=90_000)
    brought = tab.url.partition("model=")[2]
    for name, status in (("rita", 400), ("ada", 400), ("ron", 404)):
        with logins.log_in(url, name) as client:  # 400: an eager model is code and has no graph
            assert client.get(f"/viewer/model/{brought}/").status_code == status, name
    tab.get_by_role("button", name="Log out").click()
    tab.wait_for_url("**/oauth2/end_session**")
    tab.get_by_role("button").first.click()
    tab.goto(url)
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()


@pytest.mark.browser
def test_a_report_is_opened_to_everybody_who_logs_in(
    url: str, ritas: Kept, browser: Browser, tab: Page
) -> None:
    enter(tab, url, "vera")
    tab.goto(f"{url}/report?id=tobeopened")
    expect(tab.get_by_text("There is no such report")).to_be_visible()
    tab.goto(f"{url}/report?share={ritas.token}")
    expect(tab.get_by_role("heading", name="Report ritasreport")).to_be_visible()
    with browser.new_context() as own:
        own.set_default_timeout(30_000)
        ritas_tab = own.new_page()
        ritas_tab.goto(f"{url}/report?share={ritas.token}")
        expect(ritas_tab.get_by_role("heading", name="Report ritasreport")).to_be_visible()
        enter(ritas_tab, url, "rita")
        ritas_tab.goto(f"{url}/report?id=tobeopened")
        ritas_tab.get_by_role("button", name="Share", exact=True).click()
        ritas_tab.get_by_text("Everybody who logs in here may read it").click()
        ritas_tab.goto(f"{url}/reports")
        expect(ritas_tab.get_by_text("yours · open to everybody who logs in")).to_be_visible()
    tab.goto(f"{url}/reports")
    asked = tab.get_by_label("Filter by title, model or format")
    asked.fill("tobeopened")  # among the examples, which are everybody's
    asked.press("Enter")
    expect(tab.get_by_role("button", name="Open")).to_have_count(1)
    tab.get_by_role("button", name="Open").click()
    expect(tab.get_by_role("heading", name="Report tobeopened")).to_be_visible()
    expect(tab.get_by_role("button", name="Share", exact=True)).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "opened", "refused"),
    [("ada", "/system", None), ("vera", "/reports", "/model"), ("nora", None, "/reports")],
)
def test_what_each_role_opens(
    url: str, tab: Page, name: str, opened: str | None, refused: str | None
) -> None:
    enter(tab, url, name)
    if opened:
        tab.goto(url + opened)
        title = opened.strip("/").capitalize()
        expect(tab.get_by_role("heading", name=title, exact=True)).to_be_visible()
    if refused:
        tab.goto(url + refused)
        why = "No role yet" if name == "nora" else "Not for your role"
        expect(tab.get_by_role("heading", name=why)).to_be_visible()
