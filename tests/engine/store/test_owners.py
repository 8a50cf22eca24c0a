"""What somebody made is theirs: to others it is as if it were not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import store
from engine.access import NOBODY, OPERATOR, Person, Role, acting, on_behalf_of
from engine.errors import EngineError, NotAllowed, NotFound
from engine.jobs import client
from engine.jobs.waiting import behind
from engine.pipeline import ConvertRequest, ImportRequest, MeasureRequest
from engine.reports.export import export_json, import_report
from engine.sources import uploads
from engine.store import cleaning, library
from engine.store.findings import EXPLANATION
from engine.types import Target
from tests.engine.store.conftest import a_model, a_report, a_verification, an_artifact
from tests.pages.test_looks import FOUND

RITA = Person("rita", "rita@example.org", Role.RUNNER)
RON = Person("ron", "ron@example.org", Role.RUNNER)
VERA = Person("vera", "vera@example.org", Role.VIEWER)
ADA = Person("ada", "ada@example.org", Role.ADMIN)
NORA = Person("nora", "nora@example.org", None)
OTHERS = (RON, VERA, NORA, NOBODY)
SEEING = (RITA, ADA, OPERATOR)


@pytest.fixture
def ritas(workspace: Path) -> dict[str, str]:
    """One of everything, made by Rita: its ids."""
    with acting(RITA):
        store.models.save(a_model("m", workspace))
        store.artifacts.save(an_artifact("a", workspace / "artifacts"), "m")
        store.artifacts.save_verification(a_verification("a"))
        store.findings.save("a", EXPLANATION, FOUND)
        store.findings.save(a_model("m", workspace).artifact.id, EXPLANATION, FOUND)
        store.reports.save(a_report("r", workspace))
        job = client.submit_convert(ConvertRequest("m", (Target("onnx"),)))
        upload = uploads.save("m.onnx", b"bytes").id
        share = library.share("r", 14)
    return {"job": job, "upload": upload, "share": share.share.id, "token": share.token}


READS: dict[str, Callable[[dict[str, str]], Any]] = {
    "model": lambda ids: library.model("m"),
    "models": lambda ids: library.models(),
    "artifacts": lambda ids: library.artifacts_of("m"),
    "artifact": lambda ids: store.artifacts.load("a"),
    "why of the artifact": lambda ids: library.explanation_of("a"),
    "why of the original": lambda ids: library.explanation_of("m"),
    "report": lambda ids: library.report("r"),
    "reports": lambda ids: library.reports(),
    "a report's line": lambda ids: library.report_summary("r"),
    "shares": lambda ids: library.shares_of("r"),
    "job": lambda ids: client.job(ids["job"]),
    "jobs": lambda ids: client.jobs(),
    "upload": lambda ids: uploads.info(ids["upload"]),
    "an upload's offset": lambda ids: uploads.offset(ids["upload"]),
    "an upload's file": lambda ids: uploads.path_of(ids["upload"]),
}


def seen(read: Callable[[dict[str, str]], Any], ids: dict[str, str]) -> bool:
    """Whether a reading finds anything."""
    try:
        return bool(read(ids))
    except NotFound:
        return False


@pytest.mark.parametrize("what", READS)
def test_only_its_owner_and_admins_see_it(ritas: dict[str, str], what: str) -> None:
    for person in SEEING:
        with acting(person):
            assert seen(READS[what], ritas), person
    for person in OTHERS:
        with acting(person):
            assert not seen(READS[what], ritas), person


@pytest.mark.parametrize("what", ["model", "artifact", "report", "job", "upload"])
def test_it_looks_as_if_it_were_not_there(ritas: dict[str, str], what: str) -> None:
    nothing = {"job": "x", "upload": ritas["upload"]}
    with acting(RON), pytest.raises(NotFound) as hidden:
        READS[what](ritas)
    library.delete_model("m")
    library.delete_report("r")
    uploads.delete(ritas["upload"])
    with acting(RON), pytest.raises(NotFound) as gone:
        READS[what](nothing)
    assert str(hidden.value) == str(gone.value)


WRITES: dict[str, Callable[[dict[str, str]], Any]] = {
    "delete the model": lambda ids: library.delete_model("m"),
    "delete the artifact": lambda ids: store.artifacts.delete("a"),
    "delete the report": lambda ids: library.delete_report("r"),
    "share": lambda ids: library.share("r", 1),
    "open": lambda ids: library.open_report("r", open_=True),
    "cancel": lambda ids: client.cancel(ids["job"]),
    "withdraw": lambda ids: uploads.delete(ids["upload"]),
    "go on with the upload": lambda ids: uploads.Appender(ids["upload"], 5),
    "complete the upload": lambda ids: uploads.complete(ids["upload"]),
    "convert": lambda ids: client.submit_convert(ConvertRequest("m", (Target("onnx"),))),
    "measure": lambda ids: client.submit_measure(MeasureRequest("m", ("a",))),
    "import": lambda ids: client.submit_import(ImportRequest("upload", ids["upload"])),
}


@pytest.mark.parametrize("what", WRITES)
def test_others_do_nothing_with_it(ritas: dict[str, str], what: str) -> None:
    for person in OTHERS:
        with acting(person), pytest.raises(NotFound):
            WRITES[what](ritas)
    assert all(seen(read, ritas) for read in READS.values())
    assert not client.job(ritas["job"]).state.ended


@pytest.mark.parametrize("person", SEEING, ids=lambda person: person.name)
@pytest.mark.parametrize("what", set(WRITES) - {"go on with the upload"})
def test_its_owner_and_admins_do(ritas: dict[str, str], what: str, person: Person) -> None:
    with acting(person):
        WRITES[what](ritas)


def test_measuring_somebody_elses_artifact_with_ones_own_model(
    ritas: dict[str, str], workspace: Path
) -> None:
    with acting(RON):
        store.models.save(a_model("rons", workspace))
        with pytest.raises(NotFound):
            client.submit_measure(MeasureRequest("rons", ("a",)))


def test_a_share_is_closed_by_whoever_made_it(ritas: dict[str, str]) -> None:
    for person in OTHERS:
        with acting(person):
            library.revoke(ritas["share"])
            assert library.shared(ritas["token"]).id == "r", "the link is for whoever has it"
    with acting(RITA):
        library.revoke(ritas["share"])
        assert not library.shares_of("r")[0].active


def test_a_report_that_is_open_is_read_by_every_role_and_by_nobody_else(
    ritas: dict[str, str],
) -> None:
    with acting(RITA):
        library.open_report("r", open_=True)
    for person in (RON, VERA):
        with acting(person):
            assert library.report("r").id == "r"
            (line,) = library.reports()
            assert line.for_all and not line.own
            for change in ("delete the report", "share", "open"):
                with pytest.raises(NotFound):
                    WRITES[change](ritas)
    for person in (NORA, NOBODY):
        with acting(person):
            assert not seen(READS["report"], ritas) and not library.reports()
    with acting(RITA):
        library.open_report("r", open_=False)
    with acting(VERA):
        assert not seen(READS["report"], ritas)


def test_what_a_role_does_not_include(workspace: Path) -> None:
    deeds: tuple[Callable[[], object], ...] = (
        lambda: client.submit_import(ImportRequest("sample", "digits")),
        lambda: uploads.create("m.onnx", 5),
        lambda: import_report(export_json(a_report("new", workspace))),
    )
    for person in (VERA, NORA, NOBODY):
        for deed in deeds:
            with acting(person), pytest.raises(NotAllowed):
                deed()
    for deed in (
        cleaning.sizes,
        lambda: library.unneeded(90),
        lambda: library.free_room(90),
        library.people,
    ):
        with acting(RITA), pytest.raises(NotAllowed):
            deed()
        with acting(ADA):
            deed()


def test_an_import_never_takes_anothers_place(ritas: dict[str, str], workspace: Path) -> None:
    with acting(RON):
        mine = import_report(export_json(a_report("r", workspace)))
        assert mine.id != "r"
        assert [line.id for line in library.reports()] == [mine.id]
        assert import_report(export_json(a_report("r", workspace))).id == mine.id
    with acting(RITA):
        assert import_report(export_json(a_report("r", workspace))).id == "r"
        assert [line.id for line in library.reports()] == ["r"]


def test_equal_requests_of_two_people_are_two_jobs(workspace: Path) -> None:
    asked = ImportRequest("sample", "digits")
    jobs = []
    for person in (RITA, RON, OPERATOR):
        with acting(person):
            jobs.append(client.submit_import(asked))
            assert client.submit_import(asked) == jobs[-1]
    assert len(set(jobs)) == 3
    assert [store.jobs.load(job).owner for job in jobs] == ["rita", "ron", ""]


def test_what_an_admin_makes_of_a_model_is_its_owners(
    ritas: dict[str, str], workspace: Path
) -> None:
    with acting(ADA):
        store.artifacts.save(an_artifact("adas", workspace / "artifacts"), "m")
    with acting(RITA):
        assert {one.id for one, _ in library.artifacts_of("m")} == {"a", "adas"}


def test_the_host_makes_things_for_whoever_asked(workspace: Path) -> None:
    with acting(on_behalf_of(RITA.id)):
        store.models.save(a_model("made", workspace))
    with acting(RITA):
        assert library.model("made")
    with acting(RON), pytest.raises(NotFound):
        library.model("made")


def test_a_line_tells_no_names_of_others(workspace: Path) -> None:
    for person, name in ((RITA, "first"), (RON, "second")):
        with acting(person):
            store.jobs.add(name, "measure", f"Measure {name}", {})
    for person, told in ((RON, False), (ADA, True)):
        with acting(person):
            said = behind(store.jobs.load("second"))
        assert "1 job has this machine first" in said
        assert ("Measure first" in said) is told


def test_quotas_count_what_others_upload(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_UNFINISHED_UPLOADS", "1")
    uploads.settings.cache_clear()
    with acting(RITA):
        uploads.create("m.onnx", 5)
    with acting(RON), pytest.raises(EngineError, match="1 uploads are unfinished"):
        uploads.create("m.onnx", 5)
