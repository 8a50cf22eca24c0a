"""The example reports, measured anew: the standard preset, on a machine that does nothing else.

    .venv/bin/python -m benchmarks examples              all of them; half an hour on two cores
    .venv/bin/python -m benchmarks.examples resnet50     one of them

Each is made by the shell, as a person would make it, and kept in ``examples/`` as its JSON export,
which a fresh installation imports at its first start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.served import ROOT
from engine.bench.studies import studies
from engine.examples import FOLDER
from engine.reports.export import export_json
from engine.reports.migrations import loads


@dataclass(frozen=True, slots=True)
class Example:
    """A sample, what is made of it, and the studies that say something about it."""

    sample: str
    targets: str
    studies: tuple[str, ...]


EXAMPLES = {
    one.sample: one
    for one in (
        Example(
            "resnet50",
            "onnx,torchscript,savedmodel,onnx+int8-static",
            ("cold", "energy", "roofline"),
        ),
        Example("llama", "gguf:type=F16,gguf:type=Q8_0,gguf:type=Q4_0", ("cold", "tokens")),
    )
}


def main(names: Iterable[str] = ()) -> None:
    """Measure those that are named, all without a name."""
    for name in names or EXAMPLES:
        _measure(EXAMPLES[name])


def _measure(example: Example) -> None:
    kept = FOLDER / f"{example.sample}.json"
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "report.json"
        environment = {**os.environ, "ASSAY_DATA": f"{home}/data", "ASSAY_LOCK_DIR": home}
        also = [name for name in example.studies if name in studies()]
        command = ["run", "--sample", example.sample, "--to", example.targets]
        command += ["--preset", "standard", "--also", ",".join(also), "--report", str(out)]
        subprocess.run(
            [sys.executable, "-m", "engine", *command], cwd=ROOT, env=environment, check=True
        )
        report = loads(out.read_text(encoding="utf-8"))
    FOLDER.mkdir(exist_ok=True)
    kept.write_text(export_json(replace(report, title=f"Example: {report.title}")) + "\n")
    print(f"{kept.relative_to(ROOT)}: {kept.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
