"""The web process: resident memory with every page visited, and CPU per rerun of a page."""

from __future__ import annotations

import shutil
import time

from benchmarks.served import cpu_s, memory_mib, served

PAGES = ("choose", "model", "convert", "measure", "report", "reports", "formats", "system")
RERUNS = 20


def main() -> None:
    """Visit every page in Chromium, then rerun each by reloading its query."""
    from playwright.sync_api import sync_playwright

    with served() as app, sync_playwright() as driver:
        print(f"healthy after {app.healthy_s:.2f} s (target < 3 s)")
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        for name in PAGES:
            page.goto(f"{app.url}/{name}")
            page.wait_for_selector("h1")
        time.sleep(2)
        print(f"RSS, all pages visited: {memory_mib(app.web_pid):.0f} MiB (target <= 200)")
        for name in ("choose", "model", "reports", "formats"):
            page.goto(f"{app.url}/{name}")
            page.wait_for_selector("h1")
            time.sleep(1)
            before = cpu_s(app.web_pid)
            for _ in range(RERUNS):
                page.keyboard.press("r")
                page.wait_for_timeout(150)
            page.wait_for_timeout(500)
            spent = (cpu_s(app.web_pid) - before) / RERUNS * 1e3
            print(f"rerun of {name}: {spent:.1f} ms CPU (target <= 30)")
        browser.close()
