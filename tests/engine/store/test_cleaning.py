"""What may go, and what never does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine import store
from engine.cli import main
from engine.errors import NotFound
from engine.settings import settings
from engine.store import cleaning, schema
from engine.store.database import transaction
from tests.conftest import Library

FOREVER = float("inf")


@pytest.fixture
def copied(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The library of the whole job, as one's own: this test deletes."""
    home = tmp_path / "copy" / "data"
    shutil.copytree(library.data, home, ignore=shutil.ignore_patterns("*.lock"))
    monkeypatch.setenv("ASSAY_DATA", str(home))
    settings.cache_clear()
    for one in store.reports.recent():
        if one.id != library.report_id:
            store.reports.delete(one.id)
    with transaction() as connection:  # what other tests have left in it
        connection.execute(sa.delete(schema.job))
        connection.execute(sa.delete(schema.data))
        for table, ours in (
            (schema.model, (library.model_id,)),
            (schema.artifact, library.artifact_ids),
        ):
            connection.execute(sa.delete(table).where(table.c.id.not_in(ours)))
    return library


def test_what_a_report_speaks_of_stays(copied: Library) -> None:
    going = {one.id for one in cleaning.unneeded(0.0)}
    assert copied.model_id not in going
    assert not going & set(copied.artifact_ids)


def test_without_its_report_a_model_goes_with_all_that_was_made_of_it(copied: Library) -> None:
    store.reports.delete(copied.report_id)
    for one in store.reports.recent():
        store.reports.delete(one.id)
    assert cleaning.unneeded(1.0) == (), "nothing is a day old"
    items = cleaning.unneeded(0.0)
    assert {copied.model_id, *copied.artifact_ids} <= {one.id for one in items}
    freed = cleaning.remove(items)
    assert freed == sum(one.size_bytes for one in items) > 0
    with pytest.raises(NotFound):
        store.models.load(copied.model_id)
    here = settings()
    assert not (here.models_store / copied.model_id).exists()
    assert not any((here.artifacts_dir / id_).exists() for id_ in copied.artifact_ids)


def test_a_quota_takes_the_oldest_first_and_no_more_than_it_must(copied: Library) -> None:
    store.reports.delete(copied.report_id)
    total = sum(cleaning.sizes().values())
    assert cleaning.unneeded(FOREVER, total) == ()
    everything = cleaning.unneeded(0.0)
    assert cleaning.unneeded(FOREVER, total - 1) == everything[:1]
    assert cleaning.unneeded(FOREVER, 1) == everything
    kinds = [one.kind for one in everything]
    assert kinds.index("model") > kinds.index("artifact")


def test_the_shell_says_what_would_go_and_what_went(
    copied: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean"]) == 1
    assert "ASSAY_KEEP_DAYS" in capsys.readouterr().err
    store.reports.delete(copied.report_id)
    assert main(["clean", "--days", "0.0000001", "--dry-run"]) == 0
    assert "would be free again" in capsys.readouterr().out
    assert store.models.load(copied.model_id)
    assert main(["clean", "--days", "0.0000001"]) == 0
    assert "are free again" in capsys.readouterr().out
    with pytest.raises(NotFound):
        store.models.load(copied.model_id)
