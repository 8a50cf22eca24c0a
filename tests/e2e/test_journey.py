"""The whole job in a real browser, on ResNet-50: choose, bring, convert, measure, report, share."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.reports.model import SCHEMA_VERSION
from tests.e2e.conftest import SHOTS, App

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

JOB_MS = 600_000
LOOKS = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"))


@dataclass
class Journey:
    """What the first walk left behind, for the tests that look at it again."""

    model_id: str = ""
    report_url: str = ""
    share_url: str = ""


def settle(page: Page) -> None:
    """Until Streamlit has finished this run of the script."""
    page.wait_for_timeout(400)
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )


def shoot(page: Page, name: str) -> None:
    """A picture of the whole page, kept as a test artifact."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"] if page.viewport_size else 1440
    height = page.evaluate(
        """() => document.querySelector('[data-testid="stMain"]')?.scrollHeight ?? 1000"""
    )
    page.set_viewport_size({"width": width, "height": min(max(int(height) + 40, 844), 9000)})
    page.wait_for_timeout(800)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.set_viewport_size({"width": width, "height": 1000})


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def answer(page: Page, label: str) -> None:
    page.get_by_test_id("stRadio").get_by_text(label, exact=True).click()
    settle(page)
    page.get_by_role("button", name="Continue").click()
    settle(page)


@pytest.fixture(scope="module")
def journey(app: App, browser: Browser) -> Iterator[Journey]:
    """Walk once, as a new user would; everything else looks at what came of it."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(60_000)
    page = context.new_page()
    seen = Journey()
    page.goto(app.url)
    choose(page)
    bring(page, seen)
    convert(page)
    measure(page)
    seen.report_url = page.url
    seen.share_url = share(page)
    yield seen
    context.close()


def choose(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)
    shoot(page, "choose-start")
    answer(page, "On several platforms")
    answer(page, "Yes: faster than the framework")
    expect(page.get_by_role("button", name="Prove it on my model")).to_be_visible()
    assert query(page)["cho_target"]
    shoot(page, "choose-leaf")
    page.go_back()
    settle(page)
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    page.go_forward()
    settle(page)
    page.get_by_role("button", name="Prove it on my model").click()
    settle(page)


def bring(page: Page, seen: Journey) -> None:
    expect(page.get_by_role("heading", name="Model", level=1)).to_be_visible()
    shoot(page, "model-start")
    page.get_by_role("button", name="Use ResNet-50").click()
    convert_button = page.get_by_role("button", name="Convert this model")
    expect(convert_button).to_be_visible(timeout=JOB_MS)
    settle(page)
    seen.model_id = query(page)["model"]
    shoot(page, "model-resnet50")
    convert_button.click()
    settle(page)


def convert(page: Page) -> None:
    expect(page.get_by_role("heading", name="Convert", level=1)).to_be_visible()
    page.get_by_role("button", name="Convert and verify").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.wait_for_timeout(3000)
    shoot(page, "convert-live")
    done = page.get_by_text("Every format asked for was made and verified.")
    expect(done).to_be_visible(timeout=JOB_MS)
    settle(page)
    shoot(page, "convert-done")
    page.get_by_role("button", name="Measure them on this machine").click()
    settle(page)


def measure(page: Page) -> None:
    expect(page.get_by_role("heading", name="Measure", level=1)).to_be_visible()
    shoot(page, "measure-start")
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.wait_for_timeout(20_000)
    shoot(page, "measure-live")
    link = page.get_by_role("button", name="Open the report")
    expect(link).to_be_visible(timeout=JOB_MS)
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ResNet-50")
    settle(page)


def share(page: Page) -> str:
    """Make a link in the dialog; gives the address of the page that needs no websocket."""
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("Create")).click()
    code = dialog.locator("code").filter(has_text="/r/").first
    expect(code).to_be_visible()
    shoot(page, "report-share")
    return str(code.inner_text()).strip()


def test_the_report_says_what_was_found(journey: Journey, page: Page) -> None:
    page.goto(journey.report_url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("ResNet-50")
    settle(page)
    shown = page.inner_text("body")
    assert "reference, other machine" in shown.lower()
    assert re.search(r"confirmed|contradicted|not decided", shown)
    expect(page.locator("body")).to_contain_text("python -m engine run")


def test_a_stranger_opens_the_shared_link(journey: Journey, browser: Browser, app: App) -> None:
    """A second, fresh browser context; no session, no script, no third party."""
    asked: list[str] = []
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000}, java_script_enabled=False
    )
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(journey.share_url)
    assert "ResNet-50" in page.inner_text("h1")
    assert "reference, other machine" in page.inner_text("body").lower()
    assert page.locator('meta[property="og:title"]').count() == 1
    assert all(url.startswith((app.url, "data:")) for url in asked)
    page.screenshot(path=SHOTS / "shared-1440-light.png", full_page=True)
    context.close()


def test_a_revoked_link_is_gone(journey: Journey, page: Page) -> None:
    page.goto(journey.report_url)
    url = share(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("Revoke")).first.click()
    settle(page)
    # The newest link stands first; one of the two must now be gone, the other one still there.
    states = sorted(status_of(link) for link in (url, journey.share_url))
    assert states == [200, 404]
    if status_of(journey.share_url) == 404:
        journey.share_url = url


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_exported_report_is_whole(journey: Journey, app: App) -> None:
    report_id = parse_qs(urlparse(journey.report_url).query)["id"][0]
    with urllib.request.urlopen(f"{app.url}/api/v1/reports/{report_id}.json") as answered:
        report = json.load(answered)
    assert report["schema_version"] == SCHEMA_VERSION
    assert {item["format"] for item in report["artifacts"]} == {"torch", "onnx", "torchscript"}
    assert report["advice"]["origin"] == "tree"
    assert all(len(block["samples_ns"]) > 0 for block in report["measurement"]["blocks"])


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_fits(
    journey: Journey, browser: Browser, app: App, width: int, scheme: str
) -> None:
    """Nothing wider than the screen, no error shown, in both themes; pictures kept."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    model = f"?model={journey.model_id}"
    leaf = "?cho_target=multi-platform&cho_optimization=yes"
    for name, url in {
        "choose": f"{app.url}/choose{leaf}",
        "model": f"{app.url}/model{model}",
        "convert": f"{app.url}/convert{model}",
        "measure": f"{app.url}/measure{model}",
        "report": journey.report_url,
        "reports": f"{app.url}/reports",
        "formats": f"{app.url}/formats",
        "system": f"{app.url}/system",
    }.items():
        page.goto(url)
        expect(page.get_by_role("heading", level=1).first).to_be_visible(timeout=30_000)
        settle(page)
        assert page.locator('[data-testid="stException"]').count() == 0, name
        overflow = page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} is {overflow} px wider than {width}"
        shoot(page, f"{name}-{width}-{scheme}")
    page.goto(journey.share_url)
    page.screenshot(path=SHOTS / f"shared-{width}-{scheme}.png", full_page=True)
    context.close()
