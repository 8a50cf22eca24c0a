"""The web process: resident memory with every page visited, and CPU per rerun of a page."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from benchmarks.served import cpu_s, memory_mib, served

PAGES = ("choose", "model", "reports", "formats", "system")
RERUNS = 20
RERUN = "r"
"""The key with which Streamlit runs a page again."""


def main() -> None:
    """Visit every page in Chromium, then run each again, and print the figures."""
    from playwright.sync_api import sync_playwright

    with served() as app, sync_playwright() as driver:
        print(f"healthy after {app.healthy_s:.2f} s (target < 3 s)")
        addresses = {name: f"{app.url}/{name}" for name in PAGES}
        os.environ["ASSAY_DATA"] = str(app.data)
        model = keep_model()
        for name in ("model", "convert", "measure"):  # the first is visited without one, too
            addresses[f"{name}, a model open"] = f"{app.url}/{name}?model={model}"
        addresses["report"] = f"{app.url}/report?id={keep_report()}"
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        runs = count_runs(page)
        for address in addresses.values():
            visit(page, address)
        print(f"RSS, all pages visited: {memory_mib(app.web_pid):.0f} MiB (target <= 200)")
        for name, address in addresses.items():
            visit(page, address)
            spent = rerun(page, runs, app.web_pid)
            print(f"rerun of {name}: {spent * 1e3:.1f} ms CPU (target <= 30)")
        print(f"RSS at the end: {memory_mib(app.web_pid):.0f} MiB")
        browser.close()


def keep_model() -> str:
    """The digits sample, converted to two formats in the served data folder; gives its id."""
    from engine import pipeline
    from engine.jobs.steps import DirectSteps
    from engine.types import Target

    def unheard(steps: object, partial: object) -> None:
        """Nobody watches."""

    sample = pipeline.ImportRequest("sample", "digits")
    model: str = pipeline.import_model(DirectSteps("import", unheard), sample)["model_id"]
    wanted = pipeline.ConvertRequest(model, (Target("onnx"), Target("torchscript")))
    failures = pipeline.convert(DirectSteps("convert", unheard), wanted)["failures"]
    if failures:
        raise SystemExit(f"The model to be shown could not be converted: {failures}")
    return model


def keep_report() -> str:
    """A report of three formats in the served data folder; gives its id."""
    from engine import store
    from tests.engine.reports.made import report

    made = report()
    store.reports.save(made)
    return made.id


def count_runs(page: Any) -> list[int]:
    """A list that grows by one whenever the server says that a run of the page has ended."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    runs: list[int] = []

    def hear(frame: bytes | str) -> None:
        if isinstance(frame, bytes):
            message = ForwardMsg.FromString(frame)
            if message.WhichOneof("type") == "script_finished":
                runs.append(message.script_finished)

    page.on("websocket", lambda socket: socket.on("framereceived", hear))
    return runs


def visit(page: Any, address: str) -> None:
    """Open the page, and let it come to rest."""
    page.goto(address)
    page.wait_for_selector("h1")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)


def rerun(page: Any, runs: list[int], pid: int) -> float:
    """CPU seconds of the web process for one more run of the open page: a mean of ``RERUNS``.

    The key does nothing while the browser still draws the run before: it is pressed until the
    server has run the page often enough, and divided by how often that was.
    """
    page.locator("h1").first.click()
    before, started = len(runs), cpu_s(pid)
    deadline = time.monotonic() + 60
    while len(runs) < before + RERUNS:
        if time.monotonic() > deadline:
            raise SystemExit(f"{page.url} did not run again when {RERUN!r} was pressed")
        page.keyboard.press(RERUN)
        page.wait_for_timeout(150)
    page.wait_for_timeout(500)
    return (cpu_s(pid) - started) / (len(runs) - before)
