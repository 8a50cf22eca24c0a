"""The memory pass: on real models in real processes, and its split by hand."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from benchmarks.fidelity.subjects import of_weights
from engine.bench import weighing
from engine.bench.measure import Subject
from engine.bench.memory import mapped, own_files
from engine.bench.model import MemoryPass, MemoryPhase, SecondCopy
from engine.bench.split import Parts, agree, parts_of
from engine.bench.weighing import STEADY_CALLS, weigh
from engine.records import dumps, parse
from engine.types import Artifact, Feed, Signature
from tests.models import converted, eager

ROOT = Path(__file__).parents[3]
MIB = 1024**2
NO_SIGNATURE = Signature(())


def run_apart(script: str, *given: str) -> str:
    """What a script prints in a fresh process: here the heap has holes of other tests."""
    done = subprocess.run(
        [sys.executable, "-c", script, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def weighed(model: Artifact, batch: int = 1) -> MemoryPass:
    """One pass as the worker makes it, in a process of its own."""
    request = {
        "variant": "v",
        "label": "a model",
        "artifact": model,
        "signature": model.signature,
        "batch": batch,
        "threads": 1,
        "pinned": False,
        "seed": 1,
    }
    script = (
        "import json, sys\n"
        "from engine.tasks import memory\n"
        "from tests.models import TaskFolder\n"
        "print(json.dumps(memory.run(json.loads(sys.argv[1]), TaskFolder(None))['memory']))\n"
    )
    return parse(MemoryPass, json.loads(run_apart(script, dumps(request)).splitlines()[-1]))


def split(found: MemoryPass) -> Parts:
    parts = parts_of(found)
    assert parts is not None
    return parts


@pytest.mark.parametrize("pieces", [1, 128])
def test_weights_of_known_size_are_seen_and_more_of_them_too(tmp_path: Path, pieces: int) -> None:
    small, large = (weighed(of_weights(mib, tmp_path, pieces)) for mib in (32, 96))
    assert (small.tensor_bytes, large.tensor_bytes) == (32 * MIB, 96 * MIB)
    held, more = split(small).weights, split(large).weights - split(small).weights
    assert held == pytest.approx(32 * MIB, rel=0.05)
    assert more == pytest.approx(64 * MIB, rel=0.02)
    assert split(small).told_apart
    assert split(small).runtime == pytest.approx(split(large).runtime, rel=0.1)


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_the_digits_sample_is_weighed_phase_by_phase(format: str, tmp_path: Path) -> None:
    model = converted(eager(tmp_path / "model"), format, tmp_path)
    found = weighed(model)
    assert [phase.name for phase in found.phases] == ["import", "load", "first", "steady"]
    assert [phase.calls for phase in found.phases] == [0, 0, 1, STEADY_CALLS]
    for phase in found.phases:
        assert phase.processes == 1
        assert phase.peak_bytes >= phase.resident_bytes * 0.999
        assert phase.pss_bytes is not None and phase.uss_bytes is not None
        assert 0 < phase.uss_bytes <= phase.pss_bytes <= phase.peak_bytes
    parts, steady = split(found), found.phases[-1]
    assert parts.total == steady.peak_bytes
    assert found.tensor_bytes is not None and 20_000 < found.tensor_bytes < 40_000
    assert agree(parts.weights, found.tensor_bytes)
    assert found.baseline_bytes == found.phases[0].resident_bytes <= parts.runtime
    assert found.cache_bytes is None


def test_a_framework_s_own_peak_is_no_baseline(tmp_path: Path) -> None:
    """What importing takes for a while and gives back is not there for the model to stand on."""
    (tmp_path / "greedy.py").write_text(f"block = bytearray(64 * {MIB})\ndel block\n")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from pathlib import Path
from engine.bench.measure import Subject
from engine.bench.weighing import weigh
from tests.engine.bench.test_weighing import Nothing, artifact
found = weigh(Subject("v", "greedy", Nothing, ({{}},)), artifact(Path({str(tmp_path)!r})))
print(found.phases[0].peak_bytes, found.baseline_bytes)
"""
    peak, baseline = map(int, run_apart(script).split())
    assert peak - baseline > 48 * MIB


def test_a_process_that_it_starts_counts(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from engine.bench.measure import Subject
from engine.bench.weighing import weigh
from engine.records import dumps
from tests.engine.bench.test_weighing import Parent, artifact
print(dumps(weigh(Subject("v", "json", Parent, ({{}},)), artifact(Path({str(tmp_path)!r})))))
"""
    found = parse(MemoryPass, json.loads(run_apart(script)))
    imported, loaded = found.phases[:2]
    assert (imported.processes, loaded.processes) == (1, 2)
    assert loaded.anon_bytes - imported.anon_bytes > 64 * MIB
    assert loaded.pss_bytes is not None and imported.pss_bytes is not None
    assert loaded.pss_bytes - imported.pss_bytes > 64 * MIB
    assert loaded.uss_bytes is not None and loaded.uss_bytes > 64 * MIB
    assert loaded.peak_bytes > imported.peak_bytes + 64 * MIB
    parts = split(found)
    assert parts.weights > 64 * MIB, "a second copy starts one more of them"


def test_pages_of_the_file_itself_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(bytes(8 * MIB))
    files = own_files(tmp_path)
    assert mapped(files) == 0
    with file.open("rb") as opened:
        view = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        assert not any(view[at] for at in range(0, len(view), 4096))
        assert mapped(files) == 8 * MIB
        view[0:MIB] = bytes(MIB)  # now pages of this process alone
        assert not any(view[at] for at in range(0, len(view), 4096))
        assert mapped(files) == 7 * MIB
        view.close()
    assert mapped(files) == mapped(frozenset()) == 0


def test_it_is_not_opened_twice_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weighing, "_free", lambda: -1)
    found = weigh(Subject("v", "json", Nothing, ({},)), artifact(tmp_path))
    assert found.copy is None
    assert not split(found).told_apart


def test_the_parts_by_hand() -> None:
    """Import 100, loaded 180 of which 30 are the file's own, steady 200 with a peak of 230."""
    phases = (phase("import", 100, 100), phase("load", 190, 180, 30), phase("steady", 230, 200, 40))
    base = MemoryPass("v", *(n * MIB for n in (100, 190, 230, 150, 50)), phases=phases)
    copy = SecondCopy(*(n * MIB for n in (25, 45, 20, 8)))
    found = MemoryPass("v", 0, 0, 0, 0, 0, phases, copy, cache_bytes=5 * MIB)
    # 20 of workspace, of which 12 come and go: these are among the 25 that were free.
    assert split(found) == Parts(*(n * MIB for n in (112, 85, 5, 15, 13, 40)), told_apart=True)
    assert split(found).total == 230 * MIB
    # Not opened twice: 180 − 30 − 100 grew, and 40 are mapped; 230 − 40 − 150 came while it ran.
    assert split(base) == Parts(*(n * MIB for n in (100, 90, 0, 40, 0, 40)), told_apart=False)
    assert parts_of(MemoryPass("v", 1, 2, 3, 4, 5)) is None
    told = MemoryPass("v", 0, 0, 0, 0, 0, phases, copy, None, 5 * MIB, 6 * MIB)
    assert split(told).cache == 6 * MIB


def test_weights_and_tensors_agree_within_a_twentieth_and_two_mib() -> None:
    assert agree(107 * MIB, 100 * MIB) and agree(93 * MIB, 100 * MIB)
    assert not agree(107.1 * MIB, 100 * MIB) and not agree(92.9 * MIB, 100 * MIB)


def phase(name: str, peak: int, resident: int, own: int = 0) -> MemoryPhase:
    shares = (peak * MIB, (resident - own) * MIB, own * MIB, 0, None, None, own * MIB)
    return MemoryPhase(name, *shares)


def artifact(path: Path) -> Artifact:
    """Something with no weights of its own that the registry knows the format of."""
    (path / "weights.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return Artifact("a", "torch", path, "", 0, NO_SIGNATURE)


class Nothing:
    """A runner that holds nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        return {}


class Parent(Nothing):
    """A runner whose memory is in a process that it starts: 64 MiB, written to."""

    _SCRIPT = f"held = b'1' * (64 * {MIB}); print('held', flush=True); input()"

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(
            [sys.executable, "-c", self._SCRIPT], stdin=pipe, stdout=pipe
        )
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == b"held\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.communicate(b"\n")
