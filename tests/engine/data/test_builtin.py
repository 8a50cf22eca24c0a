"""Data of ours, made ready for the digits sample by the real job."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from engine import changes, pipeline, store
from engine.data.builtin import builtins
from engine.data.model import Dataset
from engine.data.stored import samples_of
from engine.errors import BadRequest, NotFound
from engine.jobs.steps import DirectSteps
from engine.records import dump, parse
from engine.registry import Conversion
from engine.settings import settings
from engine.tasks import convert
from engine.types import Artifact, Change, Step
from tests import models
from tests.conftest import Library, ignore
from tests.engine.data.made import PICTURES


@pytest.fixture(scope="module")
def digits(done_once: Library) -> Iterator[Dataset]:
    """The digits, made ready once for this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATA", str(done_once.data))
        patch.setenv("ASSAY_LOCK_DIR", str(done_once.data.parent))
        settings.cache_clear()
        request = pipeline.DataRequest(done_once.model_id, "builtin", "digits")
        made = pipeline.prepare_data(DirectSteps("digits", ignore), request)
        yield store.data.load(made["data_id"])
    settings.cache_clear()


def test_what_the_sample_was_trained_on_calibrates_and_the_rest_judges(digits: Dataset) -> None:
    assert (digits.calibration, digits.evaluation, digits.duplicates) == (1437, 360, 0)
    assert digits.labelled
    assert digits.kind == "images"
    assert (digits.path / "seen.png").is_file()
    (channel,) = digits.channels
    assert (channel.low, channel.high) == (0.0, 1.0)


def test_the_sample_is_as_good_on_them_as_it_said_when_it_was_made(
    digits: Dataset, library: Library
) -> None:
    model = store.models.load(library.model_id)
    samples = samples_of(digits, "evaluation", model.artifact.signature)
    labels = samples.labels()
    assert labels is not None
    feed = {"image": np.concatenate([one["image"] for one in samples.feeds()])}
    right = (models.infer(model.artifact, feed)["logits"].argmax(1) == labels).mean()
    assert model.facts["Held-out accuracy"].startswith(f"{right * 100:.1f} %")


def test_a_pass_is_given_the_part_that_never_judges(
    digits: Dataset, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[changes.Given] = []

    def look(source: Artifact, out: Path, options: object, given: changes.Given) -> Conversion:
        seen.append(given)
        list(islice(given.samples.feeds(), 7))
        out.write_bytes(source.path.read_bytes())
        return Conversion(source.signature, Step("look", "test", "1"))

    known = changes.passes()["int8-dynamic"]
    fake = changes.Pass(known.name, known.label, known.sentence, "precision", wants="samples")
    monkeypatch.setattr(changes, "pass_named", lambda _: fake)
    monkeypatch.setitem(changes._ways, ("int8-dynamic", "onnx"), changes._Way(look, None, ()))
    artifact, _ = store.artifacts.load(library.artifact_ids[0])
    for data in (digits, None):
        request = {
            "artifact": dump(artifact),
            "target": "onnx",
            "options": {},
            "change": dump(Change("int8-dynamic")),
            "data": dump(data),
        }
        result = convert.run(request, models.task_folder(tmp_path / str(data is None)))
        step = parse(Step, result["step"])
        samples = seen[-1].samples
        assert step.options["samples read"] == 7
        if data is not None:
            assert samples.count == digits.calibration
            assert next(iter(samples.feeds()))["image"].shape == (1, 1, 8, 8)
            assert step.options["data sha256"] == digits.sha256
            assert not step.notes
        else:
            assert samples.origin == "random"
            assert "mean little" in step.notes[0]


def test_another_data_set_is_another_job(digits: Dataset) -> None:
    from engine.records import fingerprint

    requests = [pipeline.ConvertRequest("m", (), data_id=one) for one in (None, digits.id)]
    assert len({fingerprint(request) for request in requests}) == 2


def test_data_is_of_one_model(digits: Dataset) -> None:
    assert store.data.load_for(digits.model_id, digits.id) == digits
    with pytest.raises(BadRequest, match="made ready for another model"):
        store.data.load_for("other", digits.id)


def test_data_is_forgotten_with_its_files(library: Library) -> None:
    request = pipeline.DataRequest(library.model_id, "builtin", "digits")
    made = pipeline.prepare_data(DirectSteps("again", ignore), request)
    kept = store.data.load(made["data_id"])
    copy = parse(Dataset, {**dump(kept), "id": "copy", "path": str(kept.path.with_name("copy"))})
    copy.path.mkdir()
    store.data.save(copy)
    assert {one.id for one in store.data.of_model(library.model_id)} == {"copy", kept.id}
    store.data.delete("copy")
    assert not copy.path.exists()
    with pytest.raises(NotFound, match="no such data"):
        store.data.load("copy")


def test_data_of_ours_is_offered_where_it_fits() -> None:
    assert builtins(PICTURES) == ()


def test_an_unknown_name_and_a_path_outside_are_refused(workspace: Path) -> None:
    from engine.pipeline.preparing import located

    with pytest.raises(NotFound, match=r"Built in: .*digits"):
        located(pipeline.DataRequest("m", "builtin", "cats"))
    with pytest.raises(BadRequest, match="models folder"):
        located(pipeline.DataRequest("m", "path", "/etc/passwd"))
