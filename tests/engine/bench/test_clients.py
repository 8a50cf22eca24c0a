"""Load on the digits net: clients to the capacity, arrivals below it, in real processes too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from engine.bench import load, session, sweep
from engine.bench.load import arrivals
from engine.bench.model import Measurement
from engine.bench.observations import LoadRun
from engine.bench.studies import clients
from engine.errors import InvalidModel
from engine.jobs.steps import DirectSteps
from engine.records import parse
from engine.types import Artifact
from tests.engine.bench.asked import short_looks, study_task, studying
from tests.engine.bench.test_session import InProcess, plan
from tests.models import converted, eager


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """The digits net, eager (one call at a time) and as ONNX (threads may share it)."""
    out = tmp_path_factory.mktemp("pair")
    model = eager(out / "model")
    onnx = converted(model, "onnx", out / "onnx")
    return {"original": replace(model, id="original"), "other": replace(onnx, id="other")}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SHORTEST_S", 0.05)
    monkeypatch.setattr(clients, "REQUESTS", 5)
    monkeypatch.setattr(clients, "MOST", 2)
    short_looks(monkeypatch)


def studied(pair: dict[str, Artifact], steps: Any) -> Measurement:
    a, b = plan().variants
    asked = studying("clients", a, replace(b, format="onnx", batch=1))
    return session.run(steps, asked, pair, pair["original"].signature)


def of(found: Measurement, variant: str, *, opened: bool) -> list[LoadRun]:
    return [r for r in found.clients if r.variant == variant and (r.rate is not None) is opened]


def test_a_closed_loop_to_the_capacity_then_an_open_one_below_it(
    pair: dict[str, Artifact], tmp_path: Path
) -> None:
    found = studied(pair, InProcess(tmp_path))
    assert found.study_failures == {}
    for key in "ab":
        closed = of(found, key, opened=False)
        assert [run.clients for run in closed] == [1, 2]
        reached = {run.clients: median(load.rates(run)) for run in closed}
        opened = of(found, key, opened=True)
        assert [run.share for run in opened] == [0.5, 0.7, 0.9]
        for run in opened:
            assert run.rate == pytest.approx(run.share * max(reached.values()))
            assert run.clients == sweep.enough(reached)
            assert len({window.due_ns for window in run.windows}) == 1, "the same arrivals"
        for run in (*closed, *opened):
            assert len(run.windows) == 3
            assert all(min(window.latency_ns) > 0 for window in run.windows)
    assert {run.variant: run.queued for run in found.clients} == {"a": True, "b": False}


def test_a_variant_that_fails_under_load_is_left_out_with_the_reason(
    pair: dict[str, Artifact], tmp_path: Path
) -> None:
    class Breaks(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            if task.name == "study" and task.request["clients"] == 2:
                raise InvalidModel("Asked by 2 clients at once, it answered otherwise.")
            return super().run(task)

    found = studied(pair, Breaks(tmp_path))
    assert set(found.study_failures) == {"clients: a", "clients: b"}
    assert [(run.variant, run.clients) for run in found.clients] == [("a", 1), ("b", 1)]


def test_a_model_too_slow_for_any_window_has_no_capacity(
    pair: dict[str, Artifact], tmp_path: Path
) -> None:
    class Slow(InProcess):
        def run(self, task: Any) -> dict[str, Any]:
            result = super().run(task)
            if task.name == "study":
                for window in result["run"]["windows"]:
                    window.update(due_ns=[0], latency_ns=[10**12])
            return result

    found = studied(pair, Slow(tmp_path))
    assert "No request was answered" in found.study_failures["clients: a"]
    assert all(run.rate is None for run in found.clients)


def test_a_load_in_a_real_process(pair: dict[str, Artifact], workspace: Path) -> None:
    steps = DirectSteps("clients", lambda views, partial: None)
    asked = study_task("clients", pair["other"], clients=2, rate=40.0, share=0.5)
    found = parse(LoadRun, steps.run(asked)["run"])
    assert (found.clients, found.rate, found.share, found.queued) == (2, 40.0, 0.5, False)
    assert found.window_s == pytest.approx(1.5)  # 60 requests at 40 a second
    assert [window.due_ns for window in found.windows] == 3 * [arrivals(40.0, 1.875, seed=1)]


@pytest.mark.parametrize(("each_s", "window_s"), [(1e-5, 0.03), (1e-3, 0.5), (0.05, 3.0), (2, 8.0)])
def test_a_window_is_as_long_as_its_requests_need(
    each_s: float, window_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SHORTEST_S", 0.5)
    monkeypatch.setattr(clients, "REQUESTS", 60)
    assert clients._window_s(each_s) == pytest.approx(window_s)
