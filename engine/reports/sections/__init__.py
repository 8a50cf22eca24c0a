"""The sections of a report that studies give. The folder is the list.

One module a section: ``PLACE`` orders them, ``section(report)`` gives it, or None where there is
nothing to show.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from engine.reports.model import Report
from engine.reports.sections.model import Section

_NOT_ONE = "model"


def sections(report: Report) -> tuple[Section, ...]:
    """Every section that has something to show, in the order of their places.

    Beneath it stands which variants its study could say nothing of, and why.
    """
    found = (section(report) for section in _makers())
    return tuple(_with_failures(one, report) for one in found if one is not None)


def _with_failures(section: Section, report: Report) -> Section:
    if report.measurement is None:
        return section
    labels = {v.key: v.label for v in report.measurement.plan.variants}
    said = " ".join((section.caption, section.table.note, *section.notes))
    failed = []
    for key, why in report.measurement.study_failures.items():
        study, _, variant = key.partition(": ")
        if study == section.name and why not in said:
            failed.append(f"{labels.get(variant, variant)}: {why}")
    return replace(section, notes=(*section.notes, *failed))


@cache
def _makers() -> tuple[Callable[[Report], Section | None], ...]:
    names = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names if name != _NOT_ONE]
    return tuple(one.section for one in sorted(modules, key=lambda one: int(one.PLACE)))
