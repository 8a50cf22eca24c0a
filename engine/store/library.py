"""The store as pages and shell speak of it: one verb for each thing a person does."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from engine.access import OPERATOR, Person, Role, need, who
from engine.data.model import Dataset
from engine.data.stored import THUMBNAILS
from engine.quality.model import Quality
from engine.reports.model import Report
from engine.store import artifacts as _artifacts
from engine.store import cleaning as _cleaning
from engine.store import data as _data
from engine.store import findings as _findings
from engine.store import models as _models
from engine.store import owners as _owners
from engine.store import reports as _reports
from engine.store import shares as _shares
from engine.store.cleaning import Item
from engine.store.reports import ReportSummary
from engine.store.shares import NewShare, Share
from engine.tuning.model import Explanation, Search, Sensitivity
from engine.types import Artifact, Model
from engine.verify.model import Verification

R = TypeVar("R", bound=_findings.Record)


def model(model_id: str) -> Model:
    """The model of that id. Raises NotFound."""
    return _models.load(model_id)


def models(limit: int = 50) -> tuple[Model, ...]:
    """The newest models first."""
    return _models.recent(limit)


def delete_model(model_id: str) -> None:
    """Forget a model with everything made from it; reports stay. Raises NotFound."""
    _models.delete(model_id)


def artifacts_of(model_id: str) -> tuple[tuple[Artifact, Verification | None], ...]:
    """Everything made from a model, newest first, each with its verification."""
    return _artifacts.of_model(model_id)


def quality_of(artifact_id: str) -> tuple[Quality, ...]:
    """How good an artifact is, on every data set it was judged on."""
    return _artifacts.quality_of(artifact_id)


def explanation_of(artifact_id: str) -> Explanation | None:
    """Why an artifact is as fast as it is; None where nobody has looked."""
    return _found(artifact_id, _findings.EXPLANATION, Explanation)


def sensitivity_of(artifact_id: str) -> Sensitivity | None:
    """How far each of its layers is from float; None where nobody has looked."""
    return _found(artifact_id, _findings.SENSITIVITY, Sensitivity)


def search_of(artifact_id: str) -> Search | None:
    """The last search for layers to leave in float; None where there was none."""
    return _found(artifact_id, _findings.SEARCH, Search)


def _found(artifact_id: str, kind: str, record: type[R]) -> R | None:
    """A finding; none for what whoever asks may not see."""
    if not who().sees_all and not _artifacts.visible(artifact_id):
        return None
    return _findings.load(artifact_id, kind, record)


def data_of(model_id: str) -> tuple[Dataset, ...]:
    """The data that was brought for a model, newest first."""
    return _data.of_model(model_id)


def data_picture(data: Dataset) -> Path | None:
    """The sheet of the first samples as the model sees them; None where they are no images."""
    path = data.path / THUMBNAILS
    return path if path.is_file() else None


def delete_data(data_id: str) -> None:
    """Forget a data set; what was calibrated and judged with it stays. Raises NotFound."""
    _data.delete(data_id)


def report(report_id: str) -> Report:
    """The report of that id. Raises NotFound."""
    return _reports.load(report_id)


def reports(query: str = "", limit: int = 100) -> tuple[ReportSummary, ...]:
    """The newest reports first, those that match the words."""
    return _reports.recent(query, limit)


def measured_passes(model_id: str) -> dict[str, str]:
    """By name of a pass, the id of the newest report that measured it on this model."""
    return _reports.measured_passes(model_id)


def delete_report(report_id: str) -> None:
    """Forget a report. What was shared keeps its own snapshot. Raises NotFound."""
    _reports.delete(report_id)


def share(report_id: str, days: int | None) -> NewShare:
    """Freeze a report behind a new link, for so many days or until it is revoked.

    Raises NotFound, for a report that somebody else made too.
    """
    _reports.check_own(report_id)
    return _shares.create(_reports.load(report_id), days)


def report_summary(report_id: str) -> ReportSummary:
    """Whose a report is, and whether everybody who logs in may read it. Raises NotFound."""
    return _reports.summary(report_id)


def open_report(report_id: str, *, open_: bool) -> None:
    """Let everybody who logs in read a report, or no longer. Raises NotFound."""
    _reports.open_to_all(report_id, open_=open_)


def people() -> dict[str, str]:
    """By the id of an owner: their name. Raises NotAllowed for whoever is no admin."""
    need(Role.ADMIN)
    return {OPERATOR.id: OPERATOR.name, **_owners.names()}


def remember(person: Person) -> None:
    """Keep the name of somebody who is here."""
    _owners.remember(person)


def shares_of(report_id: str) -> tuple[Share, ...]:
    """Every share of a report, newest first."""
    return _shares.of_report(report_id)


def revoke(share_id: str) -> None:
    """Close a share for good."""
    _shares.revoke(share_id)


def unneeded(days: float) -> tuple[Item, ...]:
    """What is older than ``days`` and no report or open job speaks of, oldest first."""
    return _cleaning.unneeded(days)


def free_room(days: float) -> int:
    """Delete what ``unneeded`` gives now; the bytes that are free again."""
    return _cleaning.remove(_cleaning.unneeded(days))


def shared(token: str) -> Report:
    """The snapshot behind a link. Raises NotFound, alike in every bad case."""
    report, _ = _shares.find(token)
    return report
