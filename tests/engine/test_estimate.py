"""What a grid will take: each shared step once, by what the same steps took before."""

from __future__ import annotations

from engine import store
from engine.jobs.protocol import JobState, StepView
from engine.jobs.steps import DirectSteps
from engine.pipeline import ConvertRequest, convert
from engine.pipeline.estimate import estimate
from engine.types import Change, Target
from tests.conftest import Library

PLAIN = Target("onnx")
SMALL = Target("onnx", passes=(Change("int8-dynamic"),))


def test_targets_that_share_their_way_share_its_steps(library: Library) -> None:
    model = store.models.load(library.model_id)
    alone, both = estimate(model, (PLAIN,)), estimate(model, (PLAIN, SMALL))
    assert alone.steps == 3  # the original, the edge, the verification
    assert both.steps == 5  # one pass and one more verification
    assert both.seconds > alone.seconds
    assert both.disk_bytes > alone.disk_bytes


def test_what_cannot_be_made_counts_for_nothing(library: Library) -> None:
    model = store.models.load(library.model_id)
    assert estimate(model, (Target("gguf"),)).disk_bytes == 0
    assert estimate(model, ()).seconds == 0


def test_what_was_announced_is_what_was_done_and_fits_on_the_disk(library: Library) -> None:
    model = store.models.load(library.model_id)
    targets = (PLAIN, SMALL, Target("torchscript"))
    shown: list[tuple[StepView, ...]] = []
    steps = DirectSteps("announced", lambda views, _: shown.append(views))
    made = convert(steps, ConvertRequest(model.id, targets))
    assert not made["failures"]
    announced = next([view.label for view in views] for views in shown if views)
    assert [view.label for view in shown[-1]] == announced
    assert {view.state for view in shown[-1]} == {JobState.DONE}
    kept = sum(store.artifacts.load(one)[0].size_bytes for one in made["artifacts"])
    assert estimate(model, targets).disk_bytes >= kept
