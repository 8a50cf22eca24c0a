"""Does an open Measure page disturb what is measured? Medians with it open, against it closed.

The same small model is measured through the queue and the host of a served Assay, in pairs whose
order turns (A B, B A …). The browser runs on the same machine, which is worse than a colleague's.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from benchmarks.fidelity.results import Trial
from benchmarks.served import Served, served
from benchmarks.web import keep_model
from engine.bench import stats
from engine.settings import settings

PROOF = "A median with the Measure page closed over one with it open in a browser beside it"
WANTED = "equivalent, within 3 %"
TRIALS = 12
_LONGEST_S = 300


def trial(number: int, home: Path) -> Trial:
    """One measurement of the quick preset with the page closed, and one with it open. In ms."""
    with _served() as app:
        model = keep_model()
        ways = {"closed": nullcontext, "open": _watched}
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        return {way: _measured(model, app.url, ways[way]) for way in order}


def summary(trials: list[Trial]) -> str:
    """The ratio over all pairs."""
    if len(trials) < 2:
        return "not run yet"
    found = stats.ratio([one["closed"] for one in trials], [one["open"] for one in trials])
    assert found is not None
    return f"{found.value:.3f}× [{found.low:.3f}, {found.high:.3f}]: {found.verdict}"


@contextmanager
def _served() -> Iterator[Served]:
    """An Assay with data of its own, which is this process's, too, as long as it lasts."""
    with served() as app, mock.patch.dict(os.environ, ASSAY_DATA=str(app.data)):
        settings.cache_clear()
        try:
            yield app
        finally:
            settings.cache_clear()


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
    # All of them: what a page disturbs might be just what is discarded.
    blocks = [b for b in measurement.blocks if b.variant == original]
    return median(median(block.samples_ns) for block in blocks) / 1e6


@contextmanager
def _watched(address: str) -> Iterator[None]:
    """The page in a browser, for as long as this lasts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            browser.new_page().goto(address)
            yield
        finally:
            browser.close()
