"""The command line as a person types it, in processes of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import cli, registry, store
from engine.cli import main
from engine.jobs.steps import DirectSteps
from engine.pipeline import ConvertRequest, convert
from engine.reports.export import import_report
from tests.conftest import Library, ignore
from tests.engine.store.conftest import a_model
from tests.models import onnx_model

ROOT = Path(__file__).parents[2]


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m engine …`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_a_sample_goes_from_the_shell_to_a_report(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = engine(
        *("run", "--sample", "adaptive", "--to", "torchscript", "--batch", "2"),
        *("--threads", "1", "--report", str(out)),
    )
    assert done.returncode == 0, done.stderr
    assert "TorchScript" in done.stdout
    assert "Verify TorchScript: done" in done.stderr
    report = import_report(out.read_text())
    assert [made.format for made in report.artifacts] == ["torch", "torchscript"]
    assert report.measurement is not None
    assert {variant.batch for variant in report.measurement.plan.variants} == {2}
    (listed,) = store.reports.recent()
    assert listed.formats == ("torchscript",)
    assert not list((workspace / "jobs").glob("*/*/*/out"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required"),
        (("run", "--to", "onnx"), "required"),
        (("run", "--sample", "nothing", "--to", "onnx"), "digits"),
        (("run", "--sample", "digits", "--to", "nothing"), "onnx"),
        (("run", "--sample", "digits", "--to", "onnx", "--batch", "0"), "whole number"),
        (("run", "--sample", "digits", "--to", "onnx", "--preset", "x"), "quick"),
        (("run", "--model", "/nothing/here", "--to", "onnx"), "nothing at"),
        (("run", "--model", "/etc", "--to", "onnx", "--signature", "x"), "name:dtype"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_started(
    workspace: Path,
    arguments: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
    assert not (workspace / "jobs").exists()


def test_a_file_that_is_no_model_is_one_sentence(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("This is a letter, not a model.\n")
    done = engine("run", "--model", str(tmp_path / "model.onnx"), "--to", "onnx")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_asking_for_the_format_it_has_already(workspace: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "out.json", tmp_path / "net.onnx"
    onnx_model(path, [("Relu", ["x"], ["y"])], shape=(2, 4))
    done = engine("run", "--model", str(path), "--to", "onnx", "--report", str(out))
    assert done.returncode == 3, done.stderr
    assert "ONNX: not made." in done.stdout and "nothing to fold" in done.stdout
    report = import_report(out.read_text())
    assert report.measurement is not None
    (variant,) = report.measurement.plan.variants
    assert variant.is_original
    assert variant.batch == 2  # what the file fixes, not what was asked by default


def test_all_means_every_format_the_model_reaches(workspace: Path) -> None:
    assert cli._parser().parse_args(["run", "--sample", "digits", "--to", "all"]).to == ()
    store.models.save(a_model("m", workspace))
    found = cli._every_target("m")
    original = store.models.load("m").artifact
    reached = [name for name in registry.targets("onnx", original) if name != "onnx"]
    assert found and [target.format for target in found] == reached
    assert not any(target.options for target in found)


def test_a_sample_gets_to_every_format_it_reaches(library: Library) -> None:
    targets = cli._every_target(library.model_id)
    assert {"exported", "onnx", "savedmodel", "tensorrt_plan", "torchscript"} <= {
        target.format for target in targets
    }
    made = convert(DirectSteps("all", ignore), ConvertRequest(library.model_id, targets))
    assert not made["failures"]
    found = [store.artifacts.load(artifact_id) for artifact_id in made["artifacts"]]
    assert [artifact.target for artifact, _ in found] == list(targets)
    assert all(verdict is not None and verdict.verdict.usable for _, verdict in found)


def test_the_folder_of_the_report_must_be_there(workspace: Path, tmp_path: Path) -> None:
    wanted = str(tmp_path / "nowhere" / "out.json")
    done = engine("run", "--sample", "digits", "--to", "onnx", "--report", wanted)
    assert done.returncode == 1
    assert "no folder" in done.stderr


def test_an_interrupted_run_leaves_no_worker(workspace: Path) -> None:
    command = [sys.executable, "-m", "engine", "run", "--sample", "resnet50", "--to", "onnx"]
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: a test run in the background has been told to ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    children = Path(f"/proc/{running.pid}/task")
    found: list[str] = []
    while not found and running.poll() is None:
        # The worker is a child of the thread that started it.
        found = " ".join(path.read_text() for path in children.glob("*/children")).split()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert found and not any(Path(f"/proc/{pid}").exists() for pid in found)


@pytest.mark.parametrize(
    ("command", "key"), [("samples", "name"), ("formats", "available"), ("doctor", "back_ends")]
)
def test_listings_are_for_people_and_for_programs(
    workspace: Path, command: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == 0
    shown = capsys.readouterr().out
    assert main([command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    entries = found if isinstance(found, list) else [found]
    assert all(key in entry for entry in entries)
    names = found if isinstance(found, list) else found["back_ends"]
    assert all(entry["name"] in shown for entry in names)
