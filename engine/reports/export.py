"""A report as JSON (lossless), CSV (every raw sample) and Markdown (what a colleague reads)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine import access
from engine.errors import BadRequest, NotFound
from engine.records import dumps, fingerprint
from engine.reports import migrations
from engine.reports.figures import Figures, figures
from engine.reports.model import Report
from engine.reports.quality import ANSWER_COLUMNS, answer_rows
from engine.reports.tables import Table

_CSV_COLUMNS = (
    "report",
    "model",
    "variant",
    "label",
    "format",
    "batch",
    "threads",
    "round",
    "discarded",
    "phase",
    "index",
    "nanoseconds",
    *ANSWER_COLUMNS,
)
_LONGEST_NAME = 300
_EARLIEST = "2020"  # a machine without a clock thinks that it is 1970
_CLOCKS_APART = timedelta(days=1)
_LONGEST_DATE = 40
_NO_ANSWER = ("",) * len(ANSWER_COLUMNS)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARKDOWN_SIGNS = "\\`*_{}[]<>#|~$!"


def export_json(report: Report) -> str:
    """Everything, lossless: importing it gives an equal report."""
    return dumps(report)


def import_report(text: str) -> Report:
    """Keep a report that was exported as JSON, here or on another machine.

    Raises BadRequest, NotAllowed. A different report that has its id already stays, and so does
    somebody else's: the imported one then gets a new id.
    """
    from engine.store import reports as library

    access.need(access.Role.RUNNER)
    report = migrations.loads(text)
    _check_shown(report)
    if library.exists(report.id):
        try:
            if library.load(report.id) == report:
                return report
        except NotFound:
            pass  # somebody else's
        report = replace(report, id=fingerprint("imported", report, *access.own()))
    library.save(report)
    return report


def _check_shown(report: Report) -> None:
    """A report from elsewhere can be worked out, drawn and put in order; BadRequest where not.

    Its numbers may fit no record that Assay ever wrote: then it is refused here, once, and not by
    whatever page comes to show it.
    """
    from engine.reports.render import export_html

    if max(len(report.title), len(report.model.name)) > _LONGEST_NAME:
        raise BadRequest(
            f"Its title or its model's name is longer than {_LONGEST_NAME} characters.",
            hint="Import the JSON file that a report's Export button gave.",
        )
    if not _EARLIEST <= report.created_at <= _latest():
        raise BadRequest(
            f"It says that it was made on {report.created_at[:_LONGEST_DATE]}, which is not a time "
            "up to now.",
            hint="Set the clock of the machine that measured, and export the report anew there; "
            "or see whether the clock of this one is right.",
        )
    try:
        export_html(report)
    except (ArithmeticError, LookupError, ValueError) as error:
        raise BadRequest(
            "This is not an Assay report that can be worked out "
            f"({type(error).__name__}: {error}).",
            hint="Import the JSON file that a report's Export button gave.",
        ) from error


def _latest() -> str:
    """No report is of later than this: the newest come first, and it would stay there."""
    return (datetime.now(UTC) + _CLOCKS_APART).isoformat()


def export_csv(report: Report) -> str:
    """One line per inference, warm-up too, and one per answer on real samples.

    Text that a spreadsheet would run is defused.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV_COLUMNS)
    writer.writerows([_defused(cell) for cell in row] for row in _samples(report))
    return out.getvalue()


def export_markdown(report: Report) -> str:
    """Headline, warnings and every table."""
    found = figures(report)
    parts = [f"# {_plain(report.title)}", f"**{_plain(found.headline)}**"]
    if found.recommendation is not None:
        parts.append(_plain(found.recommendation.sentence))
    parts += [f"> {_plain(warning)}" for warning in found.warnings]
    parts += [_markdown(table) for table in _tables(found)]
    parts += [f"- {_plain(name)}: {_plain(why)}" for name, why in found.failures.items()]
    parts += [
        f"Repeat it:\n\n```sh\n{report.reproduce.replace('```', '')}\n```",
        _plain(f"Assay {report.assay_version}, {report.created_at}, report {report.id}"),
    ]
    return "\n\n".join(parts) + "\n"


def _samples(report: Report) -> Iterator[tuple[object, ...]]:
    for id_, label, form, index, *answer in answer_rows(report):
        blank = ("", "", "", "")
        where = (report.id, report.model.name, id_, label, form, *blank)
        yield (*where, "answered", index, "", *answer)
    if report.measurement is None:
        return
    variants = {v.key: v for v in report.measurement.plan.variants}
    for block in report.measurement.blocks:
        v = variants[block.variant]
        start = (report.id, report.model.name, v.key, v.label, v.format, v.batch, v.threads)
        place = (*start, block.round, block.discarded or "")
        for phase, samples in (("warm-up", block.warmup_ns), ("measured", block.samples_ns)):
            for index, sample in enumerate(samples):
                yield (*place, phase, index, sample, *_NO_ANSWER)


def _tables(found: Figures) -> Iterable[Table]:
    yield found.verdicts
    yield found.latency
    yield found.memory
    yield found.start
    yield from (section.table for section in found.sections)
    if found.tradeoff:
        yield found.tradeoff.table
    for reference in found.references:
        yield reference.table
        yield reference.comparable
    yield found.promise_table
    yield from (judged.table for judged in found.verifications)
    if found.language:
        yield found.language
    if found.quality:
        yield found.quality
    yield from found.environment


def _defused(cell: object) -> object:
    """A leading quote in front of what a spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.startswith(_FORMULA_SIGNS):
        return f"'{cell}"
    return cell


def _markdown(table: Table) -> str:
    lines = [
        f"### {_plain(table.caption)}",
        "",
        f"| {' | '.join(map(_plain, table.columns))} |",
        f"|{' --- |' * len(table.columns)}",
        *(f"| {' | '.join(map(_plain, row))} |" for row in table.rows),
    ]
    return "\n".join([*lines, "", _plain(table.note)] if table.note else lines)


def _plain(text: str) -> str:
    """Text as Markdown that shows it unchanged, on one line: names are data, never markup."""
    line = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in _MARKDOWN_SIGNS else sign for sign in line)
