"""Every file of the corpus ends as it must, and springs no trap.

One file a family by default; all of them with ``make hostile``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import engine
from engine import ImportRequest, JobState, JobView
from engine.api.uploads import PREFIX
from tests.hostile.case import AT_THE_DOOR, DONE, Case, corpus
from tests.hostile.conftest import SECRET, House, case_of

CORPUS = corpus()
_PATIENCE_S = 560


@dataclass(frozen=True)
class Outcome:
    """How bringing a file ended: ``DONE``, ``AT_THE_DOOR`` of the web, or a job's reason."""

    how: str
    message: str
    hint: str
    log: str = ""


@pytest.fixture(scope="session")
def ended(
    request: pytest.FixtureRequest, house: House, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Case, Outcome]:
    """Each file asked for, uploaded and queued; how each ended. The host works meanwhile."""
    jobs, found = {}, {}
    asked = dict.fromkeys(case for item in request.session.items if (case := case_of(item)))
    with httpx.Client(base_url=house.url, timeout=60) as web:
        for case in asked:
            path = case.make(tmp_path_factory.mktemp("made"), house.traps)
            upload = _uploaded(web, path, case.called or path.name)
            if isinstance(upload, Outcome):
                found[case] = upload
            else:
                wanted = ImportRequest("upload", upload, case.architecture)
                jobs[case] = engine.submit_import(wanted)
    return found | {case: _outcome(_end(job_id)) for case, job_id in jobs.items()}


def _uploaded(web: httpx.Client, path: Path, name: str) -> str | Outcome:
    """Over the routes a browser uses; gives the upload's id, or with which words it was refused."""
    data = path.read_bytes()
    asked = {"Upload-Length": str(len(data)), "Upload-Ticket": engine.upload_ticket("corpus")}
    told = web.post(PREFIX, content=json.dumps({"name": name}), headers=asked)
    if told.status_code == 400:
        return Outcome(AT_THE_DOOR, told.json()["message"], told.json()["hint"])
    assert told.status_code == 201, told.text
    upload: str = told.json()["id"]
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = web.patch(f"{PREFIX}/{upload}", content=data, headers=headers)
    assert sent.status_code == 204, sent.text
    kept = web.post(f"{PREFIX}/{upload}/complete")
    assert kept.status_code == 200, kept.text
    return upload


def _end(job_id: str) -> JobView:
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := engine.job(job_id)).state.ended:
        assert time.monotonic() < deadline, f"{found.title} has not ended: {found.message}"
        time.sleep(0.1)
    return found


def _outcome(job: JobView) -> Outcome:
    how = DONE if job.state is JobState.DONE else str(job.reason)
    return Outcome(how, job.message, job.hint, job.log_tail)


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(CORPUS) >= 60
    assert len({(case.family, case.name) for case in CORPUS}) == len(CORPUS)
    # What a worker may answer (32) no file brings about: tests/engine/jobs/test_evidence.py.
    assert {case.family for case in CORPUS} == set(range(1, 36)) - {32}


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.family}: {case.name}")
def test_a_hostile_file_ends_in_a_sentence(case: Case, ended: Mapping[Case, Outcome]) -> None:
    found = ended[case]
    assert found.how in case.ends, f"{found.how}: {found.message} ({found.hint})"
    assert case.said in found.message
    if found.how != DONE:
        assert found.message.rstrip().endswith((".", ")", "'")), found.message
        assert found.hint
    assert SECRET not in found.message + found.log


def test_no_trap_was_sprung(house: House, ended: Mapping[Case, Outcome]) -> None:
    assert ended
    assert not house.traps.mark.exists()
    assert not Path("/tmp/assay-was-here").exists()
    assert house.calls == []
    assert house.traps.secret.read_text() == SECRET


def test_no_secret_is_anywhere_in_the_house(house: House, ended: Mapping[Case, Outcome]) -> None:
    assert ended
    found = [
        path
        for path in house.data.rglob("*")
        if path.is_file()
        and path.stat().st_size < 64 << 20
        and SECRET.encode() in path.read_bytes()
    ]
    assert found == []


def test_the_queue_goes_on(house: House, ended: Mapping[Case, Outcome]) -> None:
    assert ended
    assert _end(engine.submit_import(ImportRequest("sample", "adaptive"))).state is JobState.DONE
