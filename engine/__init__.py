"""Assay's laboratory. These are its public names; pages and the shell use nothing else.

A name is imported when it is first asked for, so that a worker, which only wants its task, does
not pay for the store and the exports in start-up time and in measured memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.architectures import architectures as list_architectures
    from engine.changes import Pass, label_of
    from engine.changes import passes as list_passes
    from engine.data.builtin import Builtin
    from engine.data.builtin import builtins as builtin_data
    from engine.data.model import Dataset
    from engine.doctor import Doctor, cores
    from engine.doctor import doctor as diagnose
    from engine.errors import BadRequest, EngineError, NotFound, Reason
    from engine.graphs import viewable
    from engine.jobs.client import (
        cancel,
        job,
        submit_convert,
        submit_data,
        submit_import,
        submit_measure,
        submit_try,
    )
    from engine.jobs.client import (
        jobs as list_jobs,
    )
    from engine.jobs.protocol import JobState, JobView
    from engine.knowledge import (
        Claim,
        FormatGuide,
        Leaf,
        Pitfall,
        Question,
        Recipe,
        ReferenceColumn,
        ReferenceRow,
        ReferenceTable,
        Snippet,
        Tree,
        Walk,
        advice_for,
        answers_for,
        claims,
        decision_tree,
        export_decision,
        format_guides,
        list_recipes,
        list_snippets,
        pass_reach,
        pitfalls,
        reach_from,
        reference_tables,
        walk,
    )
    from engine.lazy import one_look
    from engine.options import Choice, choices, parse_target
    from engine.pipeline import (
        ConvertRequest,
        DataRequest,
        ImportRequest,
        MeasureRequest,
        TryRequest,
    )
    from engine.pipeline.estimate import Estimate, estimate
    from engine.quality.figures import sentence as quality_sentence
    from engine.quality.model import Quality
    from engine.registry import Format, waitable
    from engine.registry import formats as list_formats
    from engine.reports.export import export_csv, export_json, export_markdown, import_report
    from engine.reports.figures import Figures, figures
    from engine.reports.model import Advice, Report
    from engine.reports.render import export_html
    from engine.reports.tradeoff import Tradeoff, best_for
    from engine.samples import Sample
    from engine.samples import samples as list_samples
    from engine.sources import models_folder
    from engine.sources.uploads import save as save_upload
    from engine.store.artifacts import report_of as conversion_report
    from engine.store.library import (
        artifacts_of,
        data_of,
        delete_data,
        delete_model,
        delete_report,
        model,
        quality_of,
        report,
        revoke,
        share,
        shared,
        shares_of,
    )
    from engine.store.library import (
        models as list_models,
    )
    from engine.store.library import (
        reports as list_reports,
    )
    from engine.store.models import has_listings
    from engine.store.models import listings as listings_of
    from engine.types import (
        Artifact,
        Change,
        Listing,
        Model,
        Reach,
        Scalar,
        Signature,
        Target,
        TensorSpec,
    )
    from engine.verify.model import LanguageComparison, Thresholds, Verdict, Verification

__version__ = "0.1.0"
__all__ = [
    "Advice",
    "Artifact",
    "BadRequest",
    "Builtin",
    "Change",
    "Choice",
    "Claim",
    "ConvertRequest",
    "DataRequest",
    "Dataset",
    "Doctor",
    "EngineError",
    "Estimate",
    "Figures",
    "Format",
    "FormatGuide",
    "ImportRequest",
    "JobState",
    "JobView",
    "LanguageComparison",
    "Leaf",
    "Listing",
    "MeasureRequest",
    "Model",
    "NotFound",
    "Pass",
    "Pitfall",
    "Quality",
    "Question",
    "Reach",
    "Reason",
    "Recipe",
    "ReferenceColumn",
    "ReferenceRow",
    "ReferenceTable",
    "Report",
    "Sample",
    "Scalar",
    "Signature",
    "Snippet",
    "Target",
    "TensorSpec",
    "Thresholds",
    "Tradeoff",
    "Tree",
    "TryRequest",
    "Verdict",
    "Verification",
    "Walk",
    "advice_for",
    "answers_for",
    "artifacts_of",
    "best_for",
    "builtin_data",
    "cancel",
    "choices",
    "claims",
    "conversion_report",
    "cores",
    "data_of",
    "decision_tree",
    "delete_data",
    "delete_model",
    "delete_report",
    "diagnose",
    "estimate",
    "export_csv",
    "export_decision",
    "export_html",
    "export_json",
    "export_markdown",
    "figures",
    "format_guides",
    "has_listings",
    "import_report",
    "job",
    "label_of",
    "list_architectures",
    "list_formats",
    "list_jobs",
    "list_models",
    "list_passes",
    "list_recipes",
    "list_reports",
    "list_samples",
    "list_snippets",
    "listings_of",
    "model",
    "models_folder",
    "one_look",
    "parse_target",
    "pass_reach",
    "pitfalls",
    "quality_of",
    "quality_sentence",
    "reach_from",
    "reference_tables",
    "report",
    "revoke",
    "save_upload",
    "share",
    "shared",
    "shares_of",
    "submit_convert",
    "submit_data",
    "submit_import",
    "submit_measure",
    "submit_try",
    "viewable",
    "waitable",
    "walk",
]
_HOMES = {
    "Advice": "engine.reports.model:Advice",
    "Artifact": "engine.types:Artifact",
    "BadRequest": "engine.errors:BadRequest",
    "Builtin": "engine.data.builtin:Builtin",
    "Change": "engine.types:Change",
    "Choice": "engine.options:Choice",
    "Claim": "engine.knowledge:Claim",
    "ConvertRequest": "engine.pipeline:ConvertRequest",
    "DataRequest": "engine.pipeline:DataRequest",
    "Dataset": "engine.data.model:Dataset",
    "Doctor": "engine.doctor:Doctor",
    "EngineError": "engine.errors:EngineError",
    "Estimate": "engine.pipeline.estimate:Estimate",
    "Figures": "engine.reports.figures:Figures",
    "Format": "engine.registry:Format",
    "FormatGuide": "engine.knowledge:FormatGuide",
    "ImportRequest": "engine.pipeline:ImportRequest",
    "JobState": "engine.jobs.protocol:JobState",
    "JobView": "engine.jobs.protocol:JobView",
    "LanguageComparison": "engine.verify.model:LanguageComparison",
    "Leaf": "engine.knowledge:Leaf",
    "Listing": "engine.types:Listing",
    "MeasureRequest": "engine.pipeline:MeasureRequest",
    "Model": "engine.types:Model",
    "NotFound": "engine.errors:NotFound",
    "Pass": "engine.changes:Pass",
    "Pitfall": "engine.knowledge:Pitfall",
    "Quality": "engine.quality.model:Quality",
    "Question": "engine.knowledge:Question",
    "Reach": "engine.types:Reach",
    "Reason": "engine.errors:Reason",
    "Recipe": "engine.knowledge:Recipe",
    "ReferenceColumn": "engine.knowledge:ReferenceColumn",
    "ReferenceRow": "engine.knowledge:ReferenceRow",
    "ReferenceTable": "engine.knowledge:ReferenceTable",
    "Report": "engine.reports.model:Report",
    "Sample": "engine.samples:Sample",
    "Scalar": "engine.types:Scalar",
    "Signature": "engine.types:Signature",
    "Snippet": "engine.knowledge:Snippet",
    "Target": "engine.types:Target",
    "TensorSpec": "engine.types:TensorSpec",
    "Thresholds": "engine.verify.model:Thresholds",
    "Tradeoff": "engine.reports.tradeoff:Tradeoff",
    "Tree": "engine.knowledge:Tree",
    "TryRequest": "engine.pipeline:TryRequest",
    "Verdict": "engine.verify.model:Verdict",
    "Verification": "engine.verify.model:Verification",
    "Walk": "engine.knowledge:Walk",
    "advice_for": "engine.knowledge:advice_for",
    "answers_for": "engine.knowledge:answers_for",
    "artifacts_of": "engine.store.library:artifacts_of",
    "best_for": "engine.reports.tradeoff:best_for",
    "builtin_data": "engine.data.builtin:builtins",
    "cancel": "engine.jobs.client:cancel",
    "choices": "engine.options:choices",
    "claims": "engine.knowledge:claims",
    "conversion_report": "engine.store.artifacts:report_of",
    "cores": "engine.doctor:cores",
    "data_of": "engine.store.library:data_of",
    "decision_tree": "engine.knowledge:decision_tree",
    "delete_data": "engine.store.library:delete_data",
    "delete_model": "engine.store.library:delete_model",
    "delete_report": "engine.store.library:delete_report",
    "diagnose": "engine.doctor:doctor",
    "estimate": "engine.pipeline.estimate:estimate",
    "export_csv": "engine.reports.export:export_csv",
    "export_decision": "engine.knowledge:export_decision",
    "export_html": "engine.reports.render:export_html",
    "export_json": "engine.reports.export:export_json",
    "export_markdown": "engine.reports.export:export_markdown",
    "figures": "engine.reports.figures:figures",
    "format_guides": "engine.knowledge:format_guides",
    "has_listings": "engine.store.models:has_listings",
    "import_report": "engine.reports.export:import_report",
    "job": "engine.jobs.client:job",
    "label_of": "engine.changes:label_of",
    "list_architectures": "engine.architectures:architectures",
    "list_formats": "engine.registry:formats",
    "list_jobs": "engine.jobs.client:jobs",
    "list_models": "engine.store.library:models",
    "list_passes": "engine.changes:passes",
    "list_recipes": "engine.knowledge:list_recipes",
    "list_reports": "engine.store.library:reports",
    "list_samples": "engine.samples:samples",
    "list_snippets": "engine.knowledge:list_snippets",
    "listings_of": "engine.store.models:listings",
    "model": "engine.store.library:model",
    "models_folder": "engine.sources:models_folder",
    "one_look": "engine.lazy:one_look",
    "parse_target": "engine.options:parse_target",
    "pass_reach": "engine.knowledge:pass_reach",
    "pitfalls": "engine.knowledge:pitfalls",
    "quality_of": "engine.store.library:quality_of",
    "quality_sentence": "engine.quality.figures:sentence",
    "reach_from": "engine.knowledge:reach_from",
    "reference_tables": "engine.knowledge:reference_tables",
    "report": "engine.store.library:report",
    "revoke": "engine.store.library:revoke",
    "save_upload": "engine.sources.uploads:save",
    "share": "engine.store.library:share",
    "shared": "engine.store.library:shared",
    "shares_of": "engine.store.library:shares_of",
    "submit_convert": "engine.jobs.client:submit_convert",
    "submit_data": "engine.jobs.client:submit_data",
    "submit_import": "engine.jobs.client:submit_import",
    "submit_measure": "engine.jobs.client:submit_measure",
    "submit_try": "engine.jobs.client:submit_try",
    "viewable": "engine.graphs:viewable",
    "waitable": "engine.registry:waitable",
    "walk": "engine.knowledge:walk",
}


def __getattr__(name: str) -> Any:
    """The public name, imported now (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no public name {name!r}")
    home, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(home), attribute)
