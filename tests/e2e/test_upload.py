"""A model brought through the browser: paused, resumed, recognised; a job left and met again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

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
