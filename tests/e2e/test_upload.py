"""A model brought through the browser: paused, resumed, recognised; a job left and met again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

import engine
from engine.settings import settings
from tests.e2e.conftest import App
from tests.e2e.test_journey import query, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

BYTES_PER_S = 12_000_000
JOB_MS = 120_000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state_dict of three slices: ResNet-18's weights, about 47 MB."""
    from safetensors.torch import save_file

    from engine.architectures import architecture_named

    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    wanted = architecture_named("resnet18")
    save_file(wanted.build(wanted.default_config).state_dict(), path)
    return path


def slow_down(page: Page) -> None:
    """An upload line slow enough to be interrupted by hand."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": BYTES_PER_S,
        },
    )


def test_a_large_file_is_paused_resumed_and_recognised(app: App, page: Page, weights: Path) -> None:
    page.goto(f"{app.url}/model")
    settle(page)
    page.get_by_role("tab", name="Upload a model").click()
    slow_down(page)
    page.get_by_label("Choose a model file").set_input_files(weights)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. What has arrived is kept for a day.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    expect(page.get_by_text(f"Uploaded. sha256 {digest}")).to_be_visible(timeout=60_000)
    settle(page)
    page.get_by_text("For files that do not say enough").first.click()
    page.wait_for_timeout(1000)  # the expander slides open, and a list over it would close again
    architecture = page.get_by_role("combobox", name="Architecture").first
    architecture.click()
    expect(page.get_by_role("listbox")).to_be_visible()
    architecture.press_sequentially("ResNet-18", delay=50)
    page.get_by_role("option", name="ResNet-18", exact=True).click()
    settle(page)
    page.get_by_role("button", name="Recognise this model").click()
    expect(page.get_by_role("button", name="Convert this model")).to_be_visible(timeout=JOB_MS)
    settle(page)
    assert "weights.safetensors" in page.inner_text("body")
    assert query(page)["model"]


def test_a_ticket_that_is_good_no_more_is_renewed(app: App, page: Page, tmp_path: Path) -> None:
    page.goto(f"{app.url}/model")
    settle(page)
    page.get_by_role("tab", name="Upload a model").click()
    (app.data / "tickets.key").unlink()  # every ticket under it ends, as one does by itself in time
    file = tmp_path / "small.bin"
    file.write_bytes(b"not a model")
    page.get_by_label("Choose a model file").set_input_files(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    expect(page.get_by_text(f"Uploaded. sha256 {digest}")).to_be_visible(timeout=60_000)


def test_a_page_waits_for_its_turn_and_says_so(
    app: App, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(app.data))
    settings.cache_clear()
    page.goto(f"{app.url}/model")
    settle(page)
    page.get_by_role("tab", name="Upload a model").click()
    file = tmp_path / "small.bin"
    file.write_bytes(b"not a model")
    with httpx.Client(base_url=app.url, timeout=60) as web:
        others = [announced(web, number) for number in range(settings().uploads_at_once)]
        for path in others:
            assert web.patch(path, headers={"Upload-Offset": "0"}).status_code == 204
        page.get_by_label("Choose a model file").set_input_files(file)
        expect(page.get_by_text("the most it takes at a time. Trying again in")).to_be_visible()
        for path in others:
            assert web.delete(path).status_code == 204
    expect(page.get_by_text("Uploaded. sha256")).to_be_visible(timeout=60_000)


def announced(web: httpx.Client, number: int) -> str:
    """The path of an upload of somebody of that number."""
    headers = {"Upload-Length": "10", "Upload-Ticket": engine.upload_ticket(f"session {number}")}
    answer = web.post("/api/v1/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def test_weights_without_an_architecture_are_refused_in_words(
    app: App, page: Page, weights: Path
) -> None:
    page.goto(f"{app.url}/model")
    settle(page)
    page.get_by_role("tab", name="Upload a model").click()
    page.get_by_label("Choose a model file").set_input_files(weights)
    expect(page.get_by_text("Uploaded. sha256")).to_be_visible(timeout=60_000)
    settle(page)
    page.get_by_role("button", name="Recognise this model").click()
    expect(page.get_by_text("resnet50").first).to_be_visible(timeout=JOB_MS)
    assert "architecture" in page.inner_text("body")


def test_a_job_goes_on_without_its_tab_and_a_colleague_stops_it(app: App, browser: Browser) -> None:
    mine = browser.new_context()
    page = mine.new_page()
    page.goto(f"{app.url}/model")
    settle(page)
    page.get_by_role("button", name="Use Digits").click()
    expect(page.get_by_role("button", name="Convert this model")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Convert this model").click()
    settle(page)
    page.get_by_role("button", name="Convert and verify").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    url = page.url
    mine.close()

    theirs = browser.new_context()
    page = theirs.new_page()
    page.goto(url)
    expect(page.get_by_text("Convert Digits to ONNX, TorchScript")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=20_000)
    theirs.close()
