"""Does an open Measure page disturb what is measured? Medians with it open, against it closed.

The same small model is measured again and again through the queue and the host, in pairs whose
order turns (A B, B A …). The browser runs on the same machine, which is worse than a colleague's.
Some ten minutes on a quiet machine.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Any

from benchmarks.served import served
from benchmarks.web import keep_model

PAIRS = 12
_LONGEST_S = 300


def main() -> None:
    """Run the pairs, and print the verdict."""
    from playwright.sync_api import sync_playwright

    with served() as app, sync_playwright() as driver:
        os.environ["ASSAY_DATA"] = str(app.data)
        from engine.bench import stats
        from engine.settings import settings

        settings.cache_clear()
        model = keep_model()
        closed: list[float] = []
        opened: list[float] = []
        for pair in range(PAIRS):
            both = ((closed, nullcontext), (opened, lambda address: _open(driver, address)))
            for kept, watching in both if pair % 2 == 0 else both[::-1]:
                kept.append(_measured(model, app.url, watching))
            print(
                f"pair {pair + 1}: closed {closed[-1]:.4f} ms, open {opened[-1]:.4f} ms", flush=True
            )
        found = stats.ratio(closed, opened)
        if found is None:
            raise SystemExit("Two pairs are needed for a comparison.")
        print(
            f"closed over open: {found.value:.3f}x [{found.low:.3f}, {found.high:.3f}] over "
            f"{found.rounds} pairs: {found.verdict} (wanted: equivalent, within 3 %)"
        )


def _measured(model: str, url: str, watching: Any) -> float:
    """The median in ms of the original in one quick measurement, run by the host."""
    import engine
    from engine import MeasureRequest, store

    artifact, _ = engine.artifacts_of(model)[0]
    job = engine.submit_measure(MeasureRequest(model, (artifact.id,)))
    watched: AbstractContextManager[object] = watching(f"{url}/measure?model={model}&job={job}")
    deadline = time.monotonic() + _LONGEST_S
    with watched:
        while not engine.job(job).state.ended:
            if time.monotonic() > deadline:
                raise SystemExit(f"Not measured after {_LONGEST_S} s.")
            time.sleep(1)
    view = engine.job(job)
    if "report_id" not in view.result:
        raise SystemExit(f"The measurement failed: {view.message}")
    measurement = store.reports.load(view.result["report_id"]).measurement
    if measurement is None:
        raise SystemExit("The report holds no measurement.")
    original = next(v.key for v in measurement.plan.variants if v.is_original)
    blocks = [b for b in measurement.blocks if b.variant == original and not b.discarded]
    return median(median(block.samples_ns) for block in blocks) / 1e6


@contextmanager
def _open(driver: Any, address: str) -> Any:
    """The page in a browser, for as long as this lasts."""
    browser = driver.chromium.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )
    try:
        browser.new_page().goto(address)
        yield
    finally:
        browser.close()
