"""Does an open Measure page disturb what is measured? Medians with it live, against it held still.

One model is measured through the queue and the host of a served Assay, with the page open in a
browser. By turns of one block the browser is stopped by a signal and goes on, as if the page were
closed and opened without the work of loading it: what is compared lies seconds apart. The browser
runs on the same machine, which is worse than a colleague's.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from benchmarks.served import Served, served
from engine.bench import stats
from engine.bench.model import Block
from engine.jobs.steps import DirectSteps
from engine.kernel import tree
from engine.onnxfile import file_of
from engine.pipeline import ImportRequest, import_model
from engine.settings import settings

PROOF = "A median with the Measure page held still over one with it live in a browser beside it"
WANTED = "equivalent, within 3 %"
_SMALL, _EAGER, _ONNX = "digits, eager", "resnet50, eager", "resnet50, ONNX Runtime"
_SUBJECTS = (_SMALL, _SMALL, _SMALL, _EAGER, _ONNX, _ONNX)
"""Where a machine's pace jumps, blocks of eager models lie far apart; those of the last do not."""

TRIALS = len(_SUBJECTS)
_LOOK_S = 0.25
"""A block begins later than this after the one before it."""

_LONGEST_S = 900
_PROGRAM = "chromium"


def trial(number: int, home: Path) -> Trial:
    """One measurement of the rigorous preset: the median of every block, in ms.

    The first block finds the page live; by turns of a trial it counts, or the second is the first.
    """
    subject = _SUBJECTS[number]
    sample = subject.partition(",")[0]
    file = file_of(converted(sample, "onnx").path) if subject == _ONNX else None
    with _served(file) as app, _browser() as page:
        request = ImportRequest("path", file.name) if file else ImportRequest("sample", sample)
        blocks = _measured(_imported(request), app.url, page)
    # The discarded ones, too: what a page disturbs might be just those.
    found = [median(block.samples_ns) / 1e6 for block in blocks[number % 2 :]]
    pairs = len(found) // 2
    ways = ("still", "live") if number % 2 else ("live", "still")
    medians = {way: found[at::2][:pairs] for at, way in enumerate(ways)}
    return {"subject": subject, **medians}


def summary(trials: list[Trial]) -> str:
    """The ratio over all pairs of neighbouring blocks, for each model."""
    found = {name: _ratio(name, trials) for name in dict.fromkeys(_SUBJECTS)}
    return "; ".join(
        f"{name}: {one.value:.3f}× [{one.low:.3f}, {one.high:.3f}] "
        f"over {one.rounds} pairs of processes, {one.verdict}"
        if one
        else f"{name}: not run yet"
        for name, one in found.items()
    )


def _ratio(subject: str, trials: list[Trial]) -> stats.Ratio | None:
    own = [one for one in trials if one["subject"] == subject]
    still, live = ([value for one in own for value in one[way]] for way in ("still", "live"))
    return stats.ratio(still, live)


def _imported(request: ImportRequest) -> str:
    """A model, brought in the ordinary way; gives its id."""
    steps = DirectSteps("import", lambda views, partial: None)
    model: str = import_model(steps, request)["model_id"]
    return model


@contextmanager
def _served(file: Path | None) -> Iterator[Served]:
    """An Assay with data of its own, which is this process's, too, as long as it lasts.

    This process may bring in the file by its path.
    """
    with served() as app:
        known = {"ASSAY_DATA": str(app.data)} | ({"ASSAY_MODELS": str(file.parent)} if file else {})
        with mock.patch.dict(os.environ, known):
            settings.cache_clear()
            try:
                yield app
            finally:
                settings.cache_clear()


@contextmanager
def _browser() -> Iterator[Any]:
    """A tab that shows nothing yet."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which(_PROGRAM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()


def _measured(model: str, url: str, page: Any) -> Sequence[Block]:
    """Every block of the original against itself, in the order they ran."""
    import engine
    from engine import MeasureRequest, store

    job = engine.submit_measure(MeasureRequest(model, (), preset="rigorous"))
    page.goto(f"{url}/measure?model={model}&job={job}")
    browser, live = _of_browser(), True
    deadline = time.monotonic() + _LONGEST_S
    try:
        while not (view := engine.job(job)).state.ended:
            if time.monotonic() > deadline:
                raise SystemExit(f"Not measured after {_LONGEST_S} s.")
            ran = len(view.result.get("live", {}).get("strip", ()))
            wanted = ran % 2 == 0
            if wanted != live:
                _signal(browser, signal.SIGCONT if wanted else signal.SIGSTOP)
                live = wanted
            time.sleep(_LOOK_S)
    finally:
        _signal(browser, signal.SIGCONT)
    if "report_id" not in view.result:
        raise SystemExit(f"The measurement failed: {view.message}")
    measurement = store.reports.load(view.result["report_id"]).measurement
    if measurement is None:
        raise SystemExit("The report holds no measurement.")
    return measurement.blocks


def _of_browser() -> list[int]:
    """The processes of the browser below this one."""
    return [pid for pid in tree(os.getpid()) if _PROGRAM in Path(f"/proc/{pid}/comm").read_text()]


def _signal(processes: Sequence[int], what: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):  # a helper of the browser that has ended
            os.kill(pid, what)
