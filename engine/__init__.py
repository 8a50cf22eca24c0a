"""Assay's laboratory. These are its public names; pages and the shell use nothing else.

A name is imported when it is first asked for, so that a worker, which only wants its task, does
not pay for the store and the exports in start-up time and in measured memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.architectures import architectures
    from engine.doctor import doctor
    from engine.errors import BadRequest, EngineError, NotFound, Reason
    from engine.jobs.client import cancel, job, jobs, submit_convert, submit_import, submit_measure
    from engine.jobs.protocol import JobState, JobView
    from engine.knowledge import (
        advice_for,
        answers_for,
        claims,
        decision_tree,
        format_guides,
        pitfalls,
        reference_tables,
        walk,
    )
    from engine.pipeline import ConvertRequest, ImportRequest, MeasureRequest
    from engine.registry import formats
    from engine.reports.export import export_csv, export_json, export_markdown, import_report
    from engine.reports.figures import Figures, figures
    from engine.reports.model import Advice, Report
    from engine.reports.render import export_html
    from engine.samples import samples
    from engine.sources import models_folder
    from engine.store.library import (
        artifacts_of,
        delete_model,
        delete_report,
        model,
        models,
        report,
        reports,
        revoke,
        share,
        shared,
        shares_of,
    )
    from engine.types import Artifact, ConvertOptions, Model, Signature, TensorSpec
    from engine.verify.model import Thresholds, Verdict, Verification

__version__ = "0.1.0"
__all__ = [
    "Advice",
    "Artifact",
    "BadRequest",
    "ConvertOptions",
    "ConvertRequest",
    "EngineError",
    "Figures",
    "ImportRequest",
    "JobState",
    "JobView",
    "MeasureRequest",
    "Model",
    "NotFound",
    "Reason",
    "Report",
    "Signature",
    "TensorSpec",
    "Thresholds",
    "Verdict",
    "Verification",
    "advice_for",
    "answers_for",
    "architectures",
    "artifacts_of",
    "cancel",
    "claims",
    "decision_tree",
    "delete_model",
    "delete_report",
    "doctor",
    "export_csv",
    "export_html",
    "export_json",
    "export_markdown",
    "figures",
    "format_guides",
    "formats",
    "import_report",
    "job",
    "jobs",
    "model",
    "models",
    "models_folder",
    "pitfalls",
    "reference_tables",
    "report",
    "reports",
    "revoke",
    "samples",
    "share",
    "shared",
    "shares_of",
    "submit_convert",
    "submit_import",
    "submit_measure",
    "walk",
]
_HOMES = {
    "engine.architectures": ("architectures",),
    "engine.doctor": ("doctor",),
    "engine.errors": (
        "BadRequest",
        "EngineError",
        "NotFound",
        "Reason",
    ),
    "engine.jobs.client": (
        "cancel",
        "job",
        "jobs",
        "submit_convert",
        "submit_import",
        "submit_measure",
    ),
    "engine.jobs.protocol": (
        "JobState",
        "JobView",
    ),
    "engine.knowledge": (
        "advice_for",
        "answers_for",
        "claims",
        "decision_tree",
        "format_guides",
        "pitfalls",
        "reference_tables",
        "walk",
    ),
    "engine.pipeline": (
        "ConvertRequest",
        "ImportRequest",
        "MeasureRequest",
    ),
    "engine.registry": ("formats",),
    "engine.reports.export": (
        "export_csv",
        "export_json",
        "export_markdown",
        "import_report",
    ),
    "engine.reports.figures": (
        "Figures",
        "figures",
    ),
    "engine.reports.model": (
        "Advice",
        "Report",
    ),
    "engine.reports.render": ("export_html",),
    "engine.samples": ("samples",),
    "engine.sources": ("models_folder",),
    "engine.store.library": (
        "artifacts_of",
        "delete_model",
        "delete_report",
        "model",
        "models",
        "report",
        "reports",
        "revoke",
        "share",
        "shared",
        "shares_of",
    ),
    "engine.types": (
        "Artifact",
        "ConvertOptions",
        "Model",
        "Signature",
        "TensorSpec",
    ),
    "engine.verify.model": (
        "Thresholds",
        "Verdict",
        "Verification",
    ),
}


def __getattr__(name: str) -> Any:
    """The public name, imported now (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'engine' has no public name {name!r}")
