"""What the command line shows: bars while it works, tables when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from engine.jobs.protocol import JobState, StepView
from engine.jobs.steps import Show
from engine.reports.figures import figures
from engine.reports.model import Report

_MARKS = {JobState.DONE: "done", JobState.FAILED: "failed", JobState.CANCELLED: "skipped"}
_PIPE_WIDTH = 160


@contextmanager
def step_bars() -> Iterator[Show]:
    """On the error stream: a bar for each step on a terminal, else a line for each that ended."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=console) as progress:
        yield _bars(progress)


def _bars(progress: Progress) -> Show:
    """Keep one bar a step. A job's first step begins a new block of bars below the last."""
    shown: dict[str, Any] = {}

    def show(steps: tuple[StepView, ...], _: Mapping[str, Any]) -> None:
        for step in steps:
            if step.state is JobState.QUEUED:
                continue
            if step.label not in shown:
                shown[step.label] = progress.add_task(step.label, total=None, message="")
            ended = step.state is not JobState.RUNNING
            progress.update(
                shown[step.label],
                total=None if step.fraction is None and not ended else 1.0,
                completed=1.0 if ended else (step.fraction or 0.0),
                message=step.message or _MARKS.get(step.state, ""),
            )
            if ended:
                progress.stop_task(shown[step.label])

    return show


def _lines(console: Console) -> Show:
    told: set[str] = set()

    def show(steps: tuple[StepView, ...], _: Mapping[str, Any]) -> None:
        for step in steps:
            if step.state in _MARKS and step.label not in told:
                told.add(step.label)
                words = f"{step.label}: {_MARKS[step.state]} ({step.seconds:.1f} s) {step.message}"
                console.print(Text(words.rstrip()), soft_wrap=True)

    return show


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Print a table of plain text; gives exit status 0."""
    console = _output()
    table = Table(title=Text(title), title_justify="left")
    for name in columns:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    return 0


def print_report(report: Report) -> None:
    """The verdicts of a report in words and one table."""
    found, console = figures(report), _output()
    console.print(Text(found.headline), soft_wrap=True)
    for judged in found.verifications:
        words = f"{judged.label}: {judged.verdict}. {judged.sentence}"
        console.print(Text(words), soft_wrap=True)
    for label, sentence, _ in found.quality.rows if found.quality else ():
        console.print(Text(f"{label}: {sentence}"), soft_wrap=True)
    for name, sentence in found.failures.items():
        console.print(Text(f"{name}: not made. {sentence}"), soft_wrap=True)
    print_table(found.verdicts.caption, found.verdicts.columns, found.verdicts.rows)
    console.print(Text(found.verdicts.note), soft_wrap=True)
    for warning in found.warnings:
        console.print(Text(f"Note: {warning}"), soft_wrap=True)


def _output() -> Console:
    """Standard output; wide where it is a pipe, so that a program finds whole rows."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
