"""ResNet-50 sample to full report from the shell: ONNX, TorchScript and eager, quick preset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.served import ROOT


def main() -> None:
    """One cold run in a data folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "report.json"
        environment = {**os.environ, "ASSAY_DATA": f"{home}/data", "ASSAY_LOCK_DIR": home}
        command = "run --sample resnet50 --to onnx,torchscript --preset quick --report"
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "engine", *command.split(), str(out)],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        spent = time.monotonic() - started
        print(f"exit {done.returncode}; {spent:.1f} s from sample to report (target <= 90)")
        for artifact in json.loads(out.read_text())["artifacts"]:
            for step in artifact["lineage"]:
                print(f"  {step['verb']} {step['tool']}: {step['seconds']:.1f} s")
