"""The host: the one process that runs jobs, ``python -m engine host``.

Jobs wait in our own table. The host hands them to DBOS, which remembers every step that ended, so
that a job goes on where it was when the host died. Web and shell never open DBOS's database.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig
from dbos import DBOSPortableJSONSerializer as JsonOnly

from engine import access, floors, store
from engine.errors import BadRequest, EngineError, Reason, TaskCancelled, TaskFailed
from engine.jobs import evidence, locks, queue_file, strays, waiting
from engine.jobs.isolation import tiers
from engine.jobs.patience import HostStopping, insist, stopping, told, wait_for_room
from engine.jobs.protocol import JobState, StepView, Task
from engine.jobs.steps import DirectSteps, clear_outputs
from engine.records import parse
from engine.settings import settings
from engine.store import cleaning, orphans

_log = logging.getLogger("assay.host")
_QUEUES = ("convert", "measure:cpu", "try")
_POLL_S = 0.5
_QUEUE_POLL_S = 1.0
_TAKE_STOCK_EVERY = 60
_SHOW_EVERY_S = 1.0
_SHOW_TEXT_EVERY_S = 0.3
_ASK_EVERY_S = 0.4
_GOODBYE_S = 8.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job: what it is asked with, what it does, where it queues, how often it shows."""

    request: type[Any]
    function: Callable[[DirectSteps, Any], Mapping[str, Any]]
    queue: str
    show_every_s: float = _SHOW_EVERY_S


def kinds() -> dict[str, Kind]:
    """Every kind of job by name."""
    from engine import pipeline

    return {
        "import": Kind(pipeline.ImportRequest, pipeline.import_model, "convert"),
        "data": Kind(pipeline.DataRequest, pipeline.prepare_data, "convert"),
        "convert": Kind(pipeline.ConvertRequest, pipeline.convert, "convert"),
        "exclude": Kind(pipeline.ExcludeRequest, pipeline.exclude, "convert"),
        "explain": Kind(pipeline.ExplainRequest, pipeline.explain, "measure:cpu"),
        "layers": Kind(pipeline.SensitivityRequest, pipeline.look_at_layers, "convert"),
        "measure": Kind(pipeline.MeasureRequest, pipeline.measure, "measure:cpu"),
        "try": Kind(pipeline.TryRequest, pipeline.try_out, "try", _SHOW_TEXT_EVERY_S),
    }


@dataclass(slots=True)
class DurableSteps(DirectSteps):
    """Steps whose ends DBOS remembers. An error is an end too, and is remembered as a value."""

    def carry_out(self, task: Task, home: Path) -> dict[str, Any]:
        """The end of this step: remembered, or had by running the task."""
        end = DBOS.run_step({"name": home.name}, self._end_of, task, home)
        if "error" in end:
            raise evidence.to_error(end["error"])
        result = evidence.read_result(home / end["attempt"])
        if result is None:
            raise TaskFailed(
                "The result of an earlier step is gone from the data folder.",
                how=Reason.WORKER_LOST,
                hint="Start the job again.",
            )
        return result

    def _end_of(self, task: Task, home: Path) -> dict[str, Any]:
        end: dict[str, Any]
        try:
            end = {"attempt": Path(self.attempt(task, home)[evidence.FOLDER]).name}
        except EngineError as error:
            end = {"error": evidence.from_error(error)}
        wait_for_room()
        return end


@dataclass(slots=True)
class _Record:
    """Writes a running job's progress to its row, and reads from there whether to stop."""

    job_id: str
    every_s: float = _SHOW_EVERY_S
    _shown_at: float = 0.0
    _asked_at: float = 0.0
    _cancelled: bool = False
    _last: tuple[tuple[StepView, ...], Mapping[str, Any]] = field(default=((), {}))

    def show(self, steps: tuple[StepView, ...], result: Mapping[str, Any]) -> None:
        """Once a second as a rule: a measurement should not feel its audience."""
        self._last = steps, result
        if time.monotonic() - self._shown_at >= self.every_s:
            self.write()

    def write(self) -> None:
        """Write what was shown last. What cannot be written now is shown a moment later."""
        self._shown_at = time.monotonic()
        with told():
            store.jobs.progress(self.job_id, *self._last)

    def cancelled(self, *, afresh: bool = False) -> bool:
        """Whether the job is to stop, as of a moment ago. Raises HostStopping when the host is."""
        if stopping.is_set():
            raise HostStopping
        if afresh or time.monotonic() - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = time.monotonic()
            with told():
                self._cancelled = store.jobs.cancel_requested(self.job_id)
        return self._cancelled


@DBOS.workflow(name="job")
def run_job(job_id: str) -> None:
    """Run one job to its end, and write that end to its row."""
    if not insist(lambda: store.jobs.start(job_id)):
        return
    kind = kinds().get(store.jobs.load(job_id).kind)
    record = _Record(job_id, kind.show_every_s if kind else _SHOW_EVERY_S)
    steps = DurableSteps(job_id, record.show, record.cancelled)
    end = _end_of_job(job_id, steps)
    if end["state"] is JobState.DONE and record.cancelled(afresh=True):
        end["message"] = "The cancel came when everything was done."
    steps.board.close()
    record.show(steps.board.views, steps.partial)
    record.write()
    insist(lambda: store.jobs.finish(job_id, **end))
    clear_outputs(job_id)


def _end_of_job(job_id: str, steps: DurableSteps) -> dict[str, Any]:
    """How the job ended, as the fields of its row."""
    row = store.jobs.load(job_id)
    try:
        kind = kinds()[row.kind]
        with access.acting(access.on_behalf_of(row.owner)):
            result = kind.function(steps, parse(kind.request, row.request))
    except TaskCancelled as error:
        return {
            "state": JobState.CANCELLED,
            "reason": Reason.CANCELLED,
            "message": error.message,
        }
    except EngineError as error:
        return {"state": JobState.FAILED, **evidence.from_error(error), "reason": error.reason}
    except Exception as error:
        _log.exception("Job %s", job_id)
        return {
            "state": JobState.FAILED,
            "reason": Reason.INTERNAL,
            "message": f"Assay itself failed: {type(error).__name__}: {error}",
            "hint": "This is a bug of Assay's; the host's log has the details.",
        }
    return {"state": JobState.DONE, "result": result}


def main() -> int:
    """Run jobs until SIGTERM or SIGINT.

    Exit status 1 when another host is running already, or a package is too old to open files with.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    _log.setLevel(logging.INFO)
    if old := floors.below():
        _log.error("\n".join(old))
        return 1
    with locks.single(locks.host_lock()) as only:
        if not only:
            _log.error("A host is already running on %s.", settings().data_dir)
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        locks.host_lock().write_text("")  # not the tier of whoever held it before
        close_to_others(settings().data_dir)
        held = tiers.sandbox(settings().sandbox)
        locks.host_lock().write_text(held.tier or "")
        sweep()
        clean()
        queue_file.mend(_queue_file())
        DBOS(config=_config())
        DBOS.launch()
        for name in _QUEUES:
            DBOS.register_queue(name, global_concurrency=1, polling_interval_sec=_QUEUE_POLL_S)
        _log.info("Sandbox %s", held.words)
        _log.info("Ready (process %d, data in %s).", os.getpid(), settings().data_dir)
        status = _serve()
        DBOS.destroy(workflow_completion_timeout_sec=int(_GOODBYE_S))
    return status


def _serve() -> int:
    """Hand jobs over until the host is asked to stop; gives its exit status."""
    opened = queue_file.identity(_queue_file())
    for turn in count():
        with told():
            if turn % _TAKE_STOCK_EVERY == 0:
                _take_stock()
            _hand_over()
        if queue_file.identity(_queue_file()) != opened:
            _log.error("The queue's database was taken away: the next host makes it anew.")
            stopping.set()
            return 1
        if stopping.wait(_POLL_S):
            break
    return 0


def _queue_file() -> Path:
    """DBOS's own database, where it has one."""
    return settings().data_dir / "dbos.db"


def _config() -> DBOSConfig:
    """DBOS on a file of its own beside ours, or in the same PostgreSQL."""
    url = settings().database_url
    own = f"sqlite:///{_queue_file()}"
    return {
        "name": "assay",
        "system_database_url": own if url.startswith("sqlite") else url,
        # Fixed names: a host that comes back, upgraded or not, takes up its own jobs.
        "application_version": "1",
        "executor_id": "host",
        "serializer": JsonOnly(),
        "log_level": "WARNING",
        "run_migrations": True,
    }


def _hand_over() -> None:
    """Give DBOS the jobs it does not know of yet. Giving one twice changes nothing.

    A job that waits for what another host has is left for that host.
    """
    for row in store.jobs.to_hand_over():
        if waiting.lacks(row.request):
            continue
        kind = kinds().get(row.kind)
        if kind is None:
            wrong = BadRequest(f"There is no kind of job {row.kind!r}.")
            store.jobs.finish(row.id, JobState.FAILED, reason=wrong.reason, message=wrong.message)
            continue
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": "job",
                "queue_name": kind.queue,
                "workflow_id": row.id,
                "app_version": "1",
            },
            row.id,
        )
        store.jobs.mark_handed_over(row.id)


def _take_stock() -> None:
    """End the jobs that are open in our table and over for DBOS; hand over what it has lost."""
    for row in store.jobs.unfinished():
        if not row.handed_over:
            continue
        known = DBOS.get_workflow_status(row.id)
        if known is None:
            _log.warning("Job %s is handed over again: the queue had lost it.", row.id)
            store.jobs.mark_handed_over(row.id, known=False)
        elif known.status not in ("ENQUEUED", "PENDING"):
            store.jobs.finish(
                row.id,
                JobState.FAILED,
                reason=Reason.WORKER_LOST,
                message="How this job ended was not written down.",
                hint="See that the disk is not full, then start it again.",
            )
            clear_outputs(row.id)


def close_to_others(folder: Path) -> None:
    """Models and reports are nobody's business who has an account on this machine.

    Nor is a program that a worker left in its folder, with the bits to run as us.
    """
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)


def clean() -> None:
    """Delete what the operator's settings say nobody needs any more."""
    here = settings()
    if here.keep_days or here.quota_bytes:
        try:
            items = cleaning.unneeded(here.keep_days or float("inf"), here.quota_bytes)
            freed = cleaning.remove(items)
        except EngineError as error:  # jobs run all the same
            _log.error("Nothing was cleaned away: %s", error)
            return
        _log.info("Cleaned %d old things away, %.1f MB.", len(items), freed / 1e6)


def sweep() -> None:
    """End and remove what processes that are gone have left: theirs, and what was half kept."""
    if ended := strays.end():
        _log.info("Ended %d processes that an earlier host's workers had left.", ended)
    for job_id in orphans.left_by_jobs():
        clear_outputs(job_id)
    for gone in orphans.sweep():
        _log.info("Removed %s: whoever made it died before it was kept.", gone)
