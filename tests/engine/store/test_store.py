"""What is stored comes back as it was, and leaves when it should."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine import processor, store
from engine.bench.model import Environment
from engine.errors import BadRequest, NotFound
from engine.settings import settings
from engine.store import library
from engine.store.database import transaction
from engine.types import Change
from engine.verify.model import Verdict
from tests.engine.reports.made import report
from tests.engine.store.conftest import a_model, a_report, a_verification, an_artifact


def test_a_model_comes_back_equal(workspace: Path) -> None:
    model = a_model("m", workspace)
    store.models.save(model)
    store.models.save(model)
    assert store.models.load("m") == model
    assert store.models.recent() == (model,)


def test_the_newest_models_come_first(workspace: Path) -> None:
    for day in (2, 3, 1):
        store.models.save(a_model(f"m{day}", workspace, f"2026-01-0{day}T00:00:00+00:00"))
    assert [model.id for model in store.models.recent(2)] == ["m3", "m2"]


def test_the_data_folder_can_move(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.models.save(a_model("m", workspace))
    with transaction() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    moved = workspace.with_name("moved")
    shutil.copytree(workspace, moved)
    monkeypatch.setenv("ASSAY_DATA", str(moved))
    settings.cache_clear()
    path = store.models.load("m").artifact.path
    assert path == moved / "models" / "m" / "model.onnx"
    assert path.exists()


def test_an_artifact_carries_its_latest_verification(workspace: Path) -> None:
    artifact = an_artifact("a", workspace / "artifacts")
    store.artifacts.save(artifact, "m")
    assert store.artifacts.load("a") == (artifact, None)
    for verdict in (Verdict.BROKEN, Verdict.EXACT):
        store.artifacts.save_verification(a_verification("a", verdict))
    store.artifacts.save(artifact, "m")
    assert store.artifacts.of_model("m") == ((artifact, a_verification("a")),)


def test_verifying_what_was_deleted_says_so(workspace: Path) -> None:
    with pytest.raises(NotFound, match="deleted"):
        store.artifacts.save_verification(a_verification("gone"))


def test_deleting_a_model_takes_its_artifacts_and_files_and_no_others(workspace: Path) -> None:
    for name in ("m", "n"):
        store.models.save(a_model(name, workspace))
        store.artifacts.save(an_artifact(f"{name}-a", workspace / "artifacts"), name)
    store.models.delete("m")
    assert [model.id for model in store.models.recent()] == ["n"]
    assert store.artifacts.of_model("m") == ()
    assert sorted(path.name for path in (workspace / "artifacts").iterdir()) == ["n-a"]
    assert sorted(path.name for path in (workspace / "models").iterdir()) == ["n"]


@pytest.mark.parametrize(
    "look", [store.models.load, store.models.delete, store.artifacts.load, store.reports.load]
)
def test_what_is_not_there_is_an_error_that_says_what_to_do(workspace: Path, look: object) -> None:
    assert callable(look)
    with pytest.raises(NotFound) as caught:
        look("nothing")
    assert caught.value.hint


def test_a_report_comes_back_equal_and_is_listed(workspace: Path) -> None:
    report = a_report("r", workspace)
    store.reports.save(report)
    store.reports.save(report)
    assert store.reports.load("r") == report
    (line,) = store.reports.recent()
    assert (line.title, line.model_name, line.fastest) == ("Report r", "Model r", None)


def test_reports_are_found_by_words_taken_literally(workspace: Path) -> None:
    for name in ("alpha", "100%"):
        store.reports.save(a_report(name, workspace))
    assert [line.id for line in store.reports.recent("ALPHA")] == ["alpha"]
    assert [line.id for line in store.reports.recent("%")] == ["100%"]


def test_a_share_is_a_snapshot_that_outlives_its_report(workspace: Path) -> None:
    report = a_report("r", workspace)
    store.reports.save(report)
    new = store.shares.create(report, days=14)
    store.reports.delete("r")
    for views in (1, 2):
        assert store.shares.find(new.token) == (report, replace(new.share, views=views))
    (share,) = store.shares.of_report("r")
    assert (share.views, share.active) == (2, True)


def test_the_token_is_nowhere_in_the_data_folder(workspace: Path) -> None:
    new = store.shares.create(a_report("r", workspace), days=None)
    for path in workspace.rglob("*"):
        assert path.is_dir() or new.token.encode() not in path.read_bytes()


def test_unknown_expired_and_revoked_links_answer_alike(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = a_report("r", workspace)
    revoked, expired = store.shares.create(report, None), store.shares.create(report, days=1)
    store.shares.revoke(revoked.share.id)
    store.shares.revoke(revoked.share.id)
    monkeypatch.setattr(store.shares, "now", lambda: "2999-01-01T00:00:00.000+00:00")
    answers = set()
    for token in ("unknown", revoked.token, expired.token):
        with pytest.raises(NotFound) as caught:
            store.shares.find(token)
        answers.add(str(caught.value))
    assert len(answers) == 1
    assert not any(share.active for share in store.shares.of_report("r"))
    assert all(share.views == 0 for share in store.shares.of_report("r"))


@pytest.mark.parametrize("days", [0, -1, 100_000])
def test_a_share_lasts_a_sensible_time(workspace: Path, days: int) -> None:
    with pytest.raises(BadRequest, match="days"):
        store.shares.create(a_report("r", workspace), days)


def test_pages_share_and_close_by_id(workspace: Path) -> None:
    store.reports.save(a_report("r", workspace))
    new = library.share("r", 14)
    assert library.shared(new.token) == library.report("r")
    library.revoke(new.share.id)
    assert [share.active for share in library.shares_of("r")] == [False]
    with pytest.raises(NotFound):
        library.share("nothing", 14)


def test_the_newest_report_that_measured_a_pass_is_its_evidence(workspace: Path) -> None:
    made = report({"torch": 70.0, "onnx": 35.0})
    assert made.measurement is not None
    with_pass = tuple(
        one if one.is_original else replace(one, passes=(Change("int8-static"),))
        for one in made.artifacts
    )
    here = replace(made.measurement, environment=Environment({"Processor": processor.name()}, {}))
    dates = ("2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-06")
    for day, artifacts, measurement in (
        (dates[0], with_pass, here),
        (dates[1], with_pass, here),
        (dates[2], made.artifacts, here),
        (dates[3], with_pass, None),
        (dates[4], with_pass, made.measurement),  # on another processor
    ):
        store.reports.save(
            replace(made, id=day, created_at=day, artifacts=artifacts, measurement=measurement)
        )
    store.reports.save(replace(a_report("other", workspace), created_at="2026-01-07"))
    assert library.measured_passes("m") == {"int8-static": dates[1]}
    assert library.measured_passes("elsewhere") == {}
    library.delete_report(dates[1])
    assert library.measured_passes("m") == {"int8-static": dates[0]}
