"""A disk of a test's own, small enough to be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def on_a_small_disk(folder: Path, after: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell with ``folder`` as a disk of 8 MiB, in a mount name space of its own."""
    for tool in ("unshare", "mount"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: no small disk can be made")
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system allows no user name spaces: no small disk can be made")
    script = f'mount -t tmpfs -o size=8m none "$0" && {after}'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, str(folder), sys.executable],
        cwd=ROOT,
        env={**os.environ, "ASSAY_FREE_FLOOR_GIB": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
