"""Assay's laboratory. These are its public names; pages and the shell use nothing else.

A name is imported when it is first asked for, so that a worker, which only wants its task, does
not pay for the store and the exports in start-up time and in measured memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.access import Person, Role, identify_by, who
    from engine.architectures import architectures as list_architectures
    from engine.bench.studies import Study
    from engine.bench.studies import studies as list_studies
    from engine.changes import Pass, label_of
    from engine.changes import passes as list_passes
    from engine.data.builtin import Builtin
    from engine.data.builtin import builtins as builtin_data
    from engine.data.model import Dataset
    from engine.data.opening import TAKES as data_takes
    from engine.data.recipe import Recipe as PictureRecipe
    from engine.data.recipe import takes_pictures
    from engine.doctor import Doctor
    from engine.doctor import doctor as diagnose
    from engine.errors import BadRequest, EngineError, NotFound, Reason
    from engine.graphs import viewable
    from engine.jobs.client import (
        cancel,
        job,
        submit_convert,
        submit_data,
        submit_exclude,
        submit_explain,
        submit_import,
        submit_measure,
        submit_sensitivity,
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
        pass_promise,
        pass_reach,
        pitfalls,
        reach_from,
        reference_tables,
        walk,
    )
    from engine.lazy import one_look
    from engine.logins import login
    from engine.options import Choice, choices, parse_target
    from engine.pipeline import (
        ConvertRequest,
        DataRequest,
        ExcludeRequest,
        ExplainRequest,
        ImportRequest,
        MeasureRequest,
        SensitivityRequest,
        TryRequest,
    )
    from engine.pipeline.estimate import Estimate, estimate
    from engine.pipeline.explaining import has_layers
    from engine.processor import cores, worker_threads
    from engine.quality.figures import sentence as quality_sentence
    from engine.quality.figures import warning as quality_warning
    from engine.quality.model import Quality
    from engine.registry import Format, waitable
    from engine.registry import formats as list_formats
    from engine.reports.against import Against, Baseline, against, baselines
    from engine.reports.comparison import MOST as most_compared
    from engine.reports.comparison import Comparison, compare
    from engine.reports.export import export_csv, export_json, export_markdown, import_report
    from engine.reports.figures import Figures, figures
    from engine.reports.forest import Forest
    from engine.reports.model import Advice, Report
    from engine.reports.render import export_html
    from engine.reports.sections.model import Plot, Section, Series
    from engine.reports.tradeoff import Tradeoff, best_for
    from engine.samples import Sample
    from engine.samples import samples as list_samples
    from engine.sources import data_folder, models_folder
    from engine.sources.tickets import issue as upload_ticket
    from engine.sources.uploads import save as save_upload
    from engine.store.artifacts import matrix_of as importance_matrix
    from engine.store.artifacts import report_of as conversion_report
    from engine.store.cleaning import sizes as disk_sizes
    from engine.store.library import (
        artifacts_of,
        data_of,
        data_picture,
        delete_data,
        delete_model,
        delete_report,
        explanation_of,
        free_room,
        measured_passes,
        model,
        open_report,
        people,
        quality_of,
        remember,
        report,
        report_summary,
        revoke,
        search_of,
        sensitivity_of,
        share,
        shared,
        shares_of,
        unneeded,
    )
    from engine.store.library import (
        models as list_models,
    )
    from engine.store.library import (
        reports as list_reports,
    )
    from engine.store.models import has_listings
    from engine.store.models import listings as listings_of
    from engine.tuning.model import Explanation, Goal, GoalKind, Search, Sensitivity
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
    "Against",
    "Artifact",
    "BadRequest",
    "Baseline",
    "Builtin",
    "Change",
    "Choice",
    "Claim",
    "Comparison",
    "ConvertRequest",
    "DataRequest",
    "Dataset",
    "Doctor",
    "EngineError",
    "Estimate",
    "ExcludeRequest",
    "ExplainRequest",
    "Explanation",
    "Figures",
    "Forest",
    "Format",
    "FormatGuide",
    "Goal",
    "GoalKind",
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
    "Person",
    "PictureRecipe",
    "Pitfall",
    "Plot",
    "Quality",
    "Question",
    "Reach",
    "Reason",
    "Recipe",
    "ReferenceColumn",
    "ReferenceRow",
    "ReferenceTable",
    "Report",
    "Role",
    "Sample",
    "Scalar",
    "Search",
    "Section",
    "Sensitivity",
    "SensitivityRequest",
    "Series",
    "Signature",
    "Snippet",
    "Study",
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
    "against",
    "answers_for",
    "artifacts_of",
    "baselines",
    "best_for",
    "builtin_data",
    "cancel",
    "choices",
    "claims",
    "compare",
    "conversion_report",
    "cores",
    "data_folder",
    "data_of",
    "data_picture",
    "data_takes",
    "decision_tree",
    "delete_data",
    "delete_model",
    "delete_report",
    "diagnose",
    "disk_sizes",
    "estimate",
    "explanation_of",
    "export_csv",
    "export_decision",
    "export_html",
    "export_json",
    "export_markdown",
    "figures",
    "format_guides",
    "free_room",
    "has_layers",
    "has_listings",
    "identify_by",
    "import_report",
    "importance_matrix",
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
    "list_studies",
    "listings_of",
    "login",
    "measured_passes",
    "model",
    "models_folder",
    "most_compared",
    "one_look",
    "open_report",
    "parse_target",
    "pass_promise",
    "pass_reach",
    "people",
    "pitfalls",
    "quality_of",
    "quality_sentence",
    "quality_warning",
    "reach_from",
    "reference_tables",
    "remember",
    "report",
    "report_summary",
    "revoke",
    "save_upload",
    "search_of",
    "sensitivity_of",
    "share",
    "shared",
    "shares_of",
    "submit_convert",
    "submit_data",
    "submit_exclude",
    "submit_explain",
    "submit_import",
    "submit_measure",
    "submit_sensitivity",
    "submit_try",
    "takes_pictures",
    "unneeded",
    "upload_ticket",
    "viewable",
    "waitable",
    "walk",
    "who",
    "worker_threads",
]
_PLACES = {
    "engine.access": "Person Role identify_by who",
    "engine.architectures": "list_architectures=architectures",
    "engine.bench.studies": "Study list_studies=studies",
    "engine.changes": "Pass label_of list_passes=passes",
    "engine.data.builtin": "Builtin builtin_data=builtins",
    "engine.data.model": "Dataset",
    "engine.data.opening": "data_takes=TAKES",
    "engine.data.recipe": "PictureRecipe=Recipe takes_pictures",
    "engine.doctor": "Doctor diagnose=doctor",
    "engine.errors": "BadRequest EngineError NotFound Reason",
    "engine.graphs": "viewable",
    "engine.jobs.client": (
        "cancel job list_jobs=jobs submit_convert submit_data submit_exclude submit_explain "
        "submit_import submit_measure submit_sensitivity submit_try"
    ),
    "engine.jobs.protocol": "JobState JobView",
    "engine.knowledge": (
        "Claim FormatGuide Leaf Pitfall Question Recipe ReferenceColumn ReferenceRow "
        "ReferenceTable Snippet Tree Walk advice_for answers_for claims decision_tree "
        "export_decision format_guides list_recipes list_snippets pass_promise pass_reach "
        "pitfalls reach_from reference_tables walk"
    ),
    "engine.lazy": "one_look",
    "engine.logins": "login",
    "engine.options": "Choice choices parse_target",
    "engine.processor": "cores worker_threads",
    "engine.store.cleaning": "disk_sizes=sizes",
    "engine.pipeline": (
        "ConvertRequest DataRequest ExcludeRequest ExplainRequest ImportRequest MeasureRequest "
        "SensitivityRequest TryRequest"
    ),
    "engine.pipeline.estimate": "Estimate estimate",
    "engine.pipeline.explaining": "has_layers",
    "engine.quality.figures": "quality_sentence=sentence quality_warning=warning",
    "engine.quality.model": "Quality",
    "engine.registry": "Format list_formats=formats waitable",
    "engine.reports.against": "Against Baseline against baselines",
    "engine.reports.comparison": "Comparison compare most_compared=MOST",
    "engine.reports.export": "export_csv export_json export_markdown import_report",
    "engine.reports.figures": "Figures figures",
    "engine.reports.model": "Advice Report",
    "engine.reports.render": "export_html",
    "engine.reports.forest": "Forest",
    "engine.reports.sections.model": "Plot Section Series",
    "engine.reports.tradeoff": "Tradeoff best_for",
    "engine.samples": "Sample list_samples=samples",
    "engine.sources": "data_folder models_folder",
    "engine.sources.tickets": "upload_ticket=issue",
    "engine.sources.uploads": "save_upload=save",
    "engine.store.artifacts": "conversion_report=report_of importance_matrix=matrix_of",
    "engine.store.library": (
        "artifacts_of data_of data_picture delete_data delete_model delete_report "
        "explanation_of free_room list_models=models list_reports=reports measured_passes model "
        "open_report people quality_of remember report report_summary revoke search_of "
        "sensitivity_of share shared shares_of unneeded"
    ),
    "engine.store.models": "has_listings listings_of=listings",
    "engine.tuning.model": "Explanation Goal GoalKind Search Sensitivity",
    "engine.types": "Artifact Change Listing Model Reach Scalar Signature Target TensorSpec",
    "engine.verify.model": "LanguageComparison Thresholds Verdict Verification",
}
"""Where each public name is defined; ``public=name`` where it is called otherwise there."""

_HOMES = {
    public: (home, attribute or public)
    for home, names in _PLACES.items()
    for public, _, attribute in (name.partition("=") for name in names.split())
}


def __getattr__(name: str) -> Any:
    """The public name, imported now (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no public name {name!r}")
    home, attribute = _HOMES[name]
    return getattr(import_module(home), attribute)
