"""The command line, ``python -m engine``: the same jobs as the pages, with no web.

Exit status of ``run``: 0 when every artifact asked for was made and verified, 3 when one was not,
1 for any other error, 2 for wrong usage, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine import arguments, changes, floors, housekeeping, registry, serve, store
from engine.bench.plan import PRESETS
from engine.bench.studies import studies
from engine.data.builtin import BUILTINS
from engine.doctor import Doctor, doctor
from engine.errors import BadRequest, EngineError
from engine.files import write_atomically
from engine.jobs.steps import DirectSteps, clear_outputs
from engine.options import parse_one
from engine.pipeline import (
    ConvertRequest,
    DataRequest,
    ImportRequest,
    MeasureRequest,
    convert,
    import_model,
    measure,
    prepare_data,
)
from engine.records import dump
from engine.reports.export import export_json
from engine.samples import SAMPLES
from engine.settings import settings
from engine.terminal import print_report, print_table, step_bars
from engine.types import Scalar, Target

_FAILED, _NOT_ALL, _INTERRUPTED = 1, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        status: int = asked.command(asked)
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing half-made was kept.\n")
        return _INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Which format should this model be deployed in, on this machine?",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="bring, convert, verify, measure, report"))
    for name, help_, command in (
        ("samples", "the models to try Assay with", _samples),
        ("formats", "the formats, and whether they work here", _formats),
        ("passes", "what makes a model smaller or faster, and on which formats", _passes),
        ("doctor", "what this machine can do, and what is missing", _doctor),
    ):
        listing = commands.add_parser(name, help=help_)
        listing.add_argument("--json", action="store_true", help="as JSON, for programs")
        listing.set_defaults(command=command)
    commands.add_parser("host", help="run the jobs that the pages submit").set_defaults(
        command=_host
    )
    housekeeping.add_commands(commands)
    serve.add_command(commands)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    source = run.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--sample", type=arguments.sample, metavar="NAME", help="a model of `samples`"
    )
    source.add_argument("--model", type=arguments.path, metavar="PATH", help="a file or folder")
    run.add_argument(
        "--architecture",
        metavar="NAME|config.json",
        help="what a bare state_dict belongs to",
    )
    run.add_argument(
        "--signature",
        type=arguments.signature,
        metavar="SPEC",
        help="inputs, where the file names none: 'x:float32[batch,3,224,224]', "
        "several separated by spaces, or a JSON file",
    )
    run.add_argument(
        "--to",
        type=arguments.targets,
        required=True,
        metavar="onnx+int8-dynamic,gguf:type=Q4_K_M,…",
        help="formats with their options, each with the passes (`passes` lists them) after a '+'; "
        "or 'all': every other format that the model reaches here",
    )
    run.add_argument(
        "--data",
        metavar=f"PATH[:values=unit:…]|{'|'.join(one.name for one in BUILTINS)}",
        help="samples that passes calibrate on and results are judged by; random values without it",
    )
    run.add_argument("--preset", choices=tuple(PRESETS), default="quick")
    run.add_argument("--batch", type=arguments.batches, default=(1,), metavar="1,8")
    run.add_argument(
        "--threads", type=arguments.positive, metavar="N", help="default: every usable core"
    )
    run.add_argument("--one-thread-too", action="store_true", help="also pinned to one CPU")
    run.add_argument(
        "--also",
        type=arguments.studies,
        default=(),
        metavar="cold,…",
        help=f"what to find beside the times: {', '.join(studies())}",
    )
    run.add_argument(
        "--prompt-tokens",
        type=arguments.positive,
        default=0,
        metavar="N",
        help="a length of prompt to time tokens at (--also tokens), beside 512",
    )
    run.add_argument("--report", type=Path, metavar="FILE", help="the report as JSON")
    run.set_defaults(command=_run)


@dataclass(slots=True)
class _Shell:
    """One run: its steps share a name, so that its folders lie together."""

    name: str
    show: Any

    def steps(self, what: str) -> DirectSteps:
        """Steps of one job of this run."""
        return DirectSteps(f"{self.name}-{what}", self.show)


def _run(asked: argparse.Namespace) -> int:
    """Bring a model, convert it, verify, measure, and say what came of it."""
    if asked.report is not None and not asked.report.parent.is_dir():
        raise BadRequest(
            f"There is no folder {asked.report.parent} to write the report into.",
            hint="Make it first, or choose another.",
        )
    floors.check()
    request = _import_request(asked)
    with step_bars() as show:
        shell = _Shell(f"shell-{secrets.token_hex(6)}", show)
        try:
            report_id, failures = _three_jobs(shell, request, asked)
        finally:
            for what in ("import", "data", "convert", "measure"):
                clear_outputs(f"{shell.name}-{what}")
    report = store.reports.load(report_id)
    if asked.report is not None:
        write_atomically(asked.report, export_json(report))
    print_report(report)
    return _NOT_ALL if failures else 0


def _three_jobs(
    shell: _Shell, brought: ImportRequest, asked: argparse.Namespace
) -> tuple[str, dict[str, str]]:
    """(the report's id, what was not made or not verified and why)."""
    model_id = import_model(shell.steps("import"), brought)["model_id"]
    targets = asked.to or _every_target(model_id)
    data_id = _data(shell, model_id, asked.data) if asked.data else None
    request = ConvertRequest(model_id, targets, data_id=data_id)
    made = convert(shell.steps("convert"), request)
    failures: dict[str, str] = dict(made["failures"])
    usable: list[str] = []
    for artifact_id in made["artifacts"]:
        artifact, verification = store.artifacts.load(artifact_id)
        if verification is not None and verification.verdict.usable:
            usable.append(artifact_id)
        else:
            sentence = verification.sentence if verification else "It was not verified."
            failures.setdefault(artifact.target.key, sentence)
    measured = measure(
        shell.steps("measure"),
        MeasureRequest(
            model_id,
            tuple(usable),
            preset=asked.preset,
            batches=asked.batch,
            threads=asked.threads,
            one_thread_too=asked.one_thread_too,
            failures=failures,
            studies=asked.also,
            prompt_tokens=asked.prompt_tokens,
        ),
    )
    return measured["report_id"], failures


def _data(shell: _Shell, model_id: str, asked: str) -> str:
    """Make data ready for the model; gives its id."""
    name, recipe = _named_data(asked)
    origin: Literal["builtin", "path"] = "path" if isinstance(name, Path) else "builtin"
    request = DataRequest(model_id, origin, str(name), recipe)
    return str(prepare_data(shell.steps("data"), request)["data_id"])


def _every_target(model_id: str) -> tuple[Target, ...]:
    """Each format that the model reaches on this machine, as it is made by default."""
    original = store.models.runnable(model_id).artifact
    reached = registry.targets(original.format, original)
    return tuple(Target(name) for name in reached if name != original.format)


def _import_request(asked: argparse.Namespace) -> ImportRequest:
    """What to bring. In the shell every path of the operator's own may be opened."""
    data = _named_data(asked.data)[0] if asked.data else None
    if asked.sample is not None:
        _open_paths(data)
        return ImportRequest("sample", asked.sample)
    name: str = asked.architecture or ""
    config = _config(name) if name.endswith(".json") else None
    _open_paths(asked.model, config, data)
    return ImportRequest(
        "path",
        str(asked.model),
        architecture=None if config else name or None,
        config_upload=str(config) if config else None,
        signature=asked.signature,
    )


def _open_paths(*paths: Path | str | None) -> None:
    """Let these be opened by path, as files of the models folder are."""
    places = [str(path.parent) for path in paths if isinstance(path, Path)]
    if places:
        os.environ["ASSAY_MODELS"] = os.path.commonpath(places)
        settings.cache_clear()


def _named_data(text: str) -> tuple[Path | str, dict[str, Scalar]]:
    """What ``--data`` names, a file or data of ours, and how pictures become samples.

    Raises BadRequest.
    """
    name, recipe = parse_one(text, text)
    if any(name == one.name for one in BUILTINS):
        return name, recipe
    path = Path(name).expanduser().resolve()
    if not path.exists():
        known = ", ".join(one.name for one in BUILTINS)
        raise BadRequest(
            f"There is no data at {name}.", hint=f"Give the path of a file, or one of: {known}."
        )
    return path, recipe


def _config(text: str) -> Path:
    """A configuration file of the operator's. Raises BadRequest when it is not there."""
    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise BadRequest(
            f"There is no configuration at {text}.",
            hint="Give the path of the model's config.json, or the name of an architecture.",
        )
    return path


def _samples(asked: argparse.Namespace) -> int:
    if asked.json:
        return _print_json(SAMPLES)
    rows = tuple((item.name, item.label, item.sentence) for item in SAMPLES)
    return print_table("Samples", ("Name", "Model", "What it is"), rows)


def _formats(asked: argparse.Namespace) -> int:
    found = doctor()
    return _print_json(found.back_ends) if asked.json else _print_back_ends(found)


def _passes(asked: argparse.Namespace) -> int:
    known = changes.passes().values()
    rows = tuple(
        (one.name, one.label, ", ".join(changes.handled(one.name)), one.sentence) for one in known
    )
    names = ("name", "label", "formats", "sentence")
    if asked.json:
        return _print_json([dict(zip(names, row, strict=True)) for row in rows])
    return print_table("Passes", ("Name", "Pass", "On", "What it does"), rows)


def _doctor(asked: argparse.Namespace) -> int:
    found = doctor()
    if asked.json:
        return _print_json(found)
    _print_back_ends(found)
    host = "running" if found.host_alive else "not running (python -m engine host starts it)"
    rows = (*found.facts.items(), ("Job host", host))
    return print_table("This machine", ("What", "Found"), rows)


def _host(_: argparse.Namespace) -> int:
    from engine.examples import show_once
    from engine.jobs.host import main as run_host

    show_once()
    return run_host()


def _print_back_ends(found: Doctor) -> int:
    rows = tuple(
        (
            end.name,
            end.label,
            "yes" if end.available else "no",
            " ".join(filter(None, (end.version, end.reason, end.install))),
        )
        for end in found.back_ends
    )
    return print_table("Formats", ("Name", "Format", "Ready", "With, or why not"), rows)


def _print_json(record: Any) -> int:
    sys.stdout.write(json.dumps(dump(record), indent=2, ensure_ascii=False) + "\n")
    return 0
