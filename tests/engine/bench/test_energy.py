"""Energy: counters as the kernel lays them out, and a load whose joules are known."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic_ns

import pytest

from engine.bench import power, session
from engine.bench.model import Measurement
from engine.bench.power import Log, NoEnergy, gpu, rapl, risen
from engine.bench.studies import energy
from engine.types import Artifact
from tests.engine.bench.test_session import InProcess, plan
from tests.models import eager

RANGE = 262_143_328_850
"""``max_energy_range_uj`` of the usual package."""


def zone(root: Path, name: str, called: str, energy_uj: int, wraps: int = RANGE) -> Path:
    """One zone, as a folder that is linked from the class, like the kernel's."""
    real = root.parent / "devices" / name
    real.mkdir(parents=True)
    for file, value in (
        ("name", called),
        ("energy_uj", energy_uj),
        ("max_energy_range_uj", wraps),
        ("enabled", 1),
    ):
        (real / file).write_text(f"{value}\n")
    root.mkdir(exist_ok=True)
    (root / name).symlink_to(real)
    return real


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """A machine of two packages: one with cores and memory, shown a second time through MMIO."""
    root = tmp_path / "powercap"
    (tmp_path / "devices" / "intel-rapl").mkdir(parents=True)
    root.mkdir()
    (root / "intel-rapl").symlink_to(tmp_path / "devices" / "intel-rapl")
    zone(root, "intel-rapl:0", "package-0", 1000)
    zone(root, "intel-rapl:0:0", "core", 400)
    zone(root, "intel-rapl:0:1", "dram", 200, 65_712_999_613)
    zone(root, "intel-rapl:1", "package-1", 5000)
    zone(root, "intel-rapl:2", "psys", 9000)
    zone(root, "intel-rapl-mmio:0", "package-0", 1000)
    return root


def test_packages_and_their_memory_are_counted_once(powercap: Path) -> None:
    found = rapl(powercap)
    assert [counter.name for counter in found] == ["package-0", "dram", "package-1"]
    assert [counter.read_uj() for counter in found] == [1000, 200, 5000]
    assert [counter.wraps_uj for counter in found] == [RANGE, 65_712_999_613, RANGE]


def test_a_counter_that_begins_again_goes_on(powercap: Path) -> None:
    package = powercap / "intel-rapl:0" / "energy_uj"
    log = Log(rapl(powercap)[:1])
    for value in (RANGE - 100, RANGE, 0, 49, 1049):
        package.write_text(f"{value}\n")
        log.read()
    assert [sums for _, sums in log.readings] == [(0,), (100,), (101,), (150,), (1150,)]


def test_a_step_back_of_a_counter_without_end_is_no_wrap() -> None:
    assert risen(10, 30, 100) == 20
    assert risen(90, 10, 100) == 21
    assert risen(90, 10, 0) == -80


def test_a_log_reads_until_it_is_left(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "PERIOD_S", 0.001)
    read = rapl(powercap)
    with Log(read) as log:
        while len(log.readings) < 5:
            pass
        begin = log.readings[1][0]
        end = log.readings[3][0]
    assert [at for at, _ in log.between(begin, end)] == [at for at, _ in log.readings[1:4]]
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    with pytest.raises(FileNotFoundError), Log(read):
        pass


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: None, "cannot be read"),
        (lambda root: root / "nowhere", "this kernel has no .*nowhere"),
        (lambda root: root.parent / "devices" / "intel-rapl", "no counter of a processor package"),
    ],
)
def test_what_cannot_be_read_is_said(powercap: Path, spoil: object, said: str) -> None:
    (powercap / "intel-rapl:0" / "energy_uj").write_text("")
    with pytest.raises(NoEnergy, match=said):
        rapl(spoil(powercap) or powercap)  # type: ignore[operator]  # one of the three above


def test_what_root_alone_may_read_is_said(powercap: Path) -> None:
    """As another user, since root reads everything."""
    file = powercap / "intel-rapl:0" / "energy_uj"
    file.chmod(0o400)
    os.chown(file, 0, 0) if os.geteuid() == 0 else file.chmod(0)
    for folder in (powercap, *powercap.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        with pytest.raises(NoEnergy, match=r"root alone, as Linux has it since 5\.10"):
            rapl(powercap)
    finally:
        os.seteuid(before)


def library(tmp_path: Path, *, init: int = 0, energy_status: int = 0) -> str:
    """NVML's three functions with their published signatures, in C."""
    source = tmp_path / "nvml.c"
    source.write_text(
        f"""
        int nvmlInit_v2(void) {{ return {init}; }}
        int nvmlDeviceGetHandleByIndex_v2(unsigned int at, void **device)
        {{ *device = (void *)0x7f00aabbccdd; return at != 0; }}
        int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj)
        {{
            static unsigned long long spent = 5000000000ULL;
            if (device != (void *)0x7f00aabbccdd) return 2;
            *mj = spent += 250;
            return {energy_status};
        }}
        """
    )
    out = tmp_path / "libnvml.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", out, source], check=True)
    return str(out)


def test_nvml_counts_millijoules_of_the_first_gpu(tmp_path: Path) -> None:
    (card,) = gpu(library(tmp_path))
    assert card.name == "GPU 0"
    first = card.read_uj()
    assert first > 2**32
    assert card.read_uj() - first == 250_000


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"init": 9}, r"does not open a GPU \(error 9\)"),
        ({"energy_status": 3}, "GPU 0 has no counter of its energy: it is older than Volta"),
        ({"energy_status": 4}, r"does not read the energy of GPU 0 \(error 4\)"),
    ],
)
def test_nvml_says_why_not(tmp_path: Path, how: dict[str, int], said: str) -> None:
    with pytest.raises(NoEnergy, match=said):
        gpu(library(tmp_path, **how))
    with pytest.raises(NoEnergy, match=r"no NVIDIA driver with libnothing\.so"):
        gpu("libnothing.so")


def test_this_machine_answers_one_way_or_the_other() -> None:
    try:
        found = power.counters()
    except NoEnergy as error:
        assert "RAPL: " in str(error) and "NVML: " in str(error)
    else:
        assert all(counter.read_uj() >= 0 for counter in found)


@dataclass
class Steady:
    """A machine that always takes so many watts, by a clock that stands while it is read."""

    clock: list[int]
    watts: int
    name: str
    sets_clock: bool = False
    wraps_uj: int = 49_999_999

    def read_uj(self) -> int:
        if self.sets_clock:
            self.clock[:] = [monotonic_ns()]
        return self.clock[0] * self.watts // 1000 % (self.wraps_uj + 1)


@pytest.fixture
def model(tmp_path: Path) -> Artifact:
    return eager(tmp_path / "model")


def studied(model: Artifact, folder: Path) -> Measurement:
    artifacts = {name: replace(model, id=name) for name in ("original", "other")}
    whole = replace(plan(), studies=("energy",))
    return session.run(InProcess(folder), whole, artifacts, model.signature)


def test_a_steady_machine_gives_its_watts(
    model: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "PROCESSES", 2)
    monkeypatch.setattr(energy, "IDLE_S", 0.1)
    monkeypatch.setattr(energy, "LOAD_S", 0.2)
    monkeypatch.setattr(power, "PERIOD_S", 0.002)
    clock = [0]
    monkeypatch.setattr(power, "monotonic_ns", lambda: clock[0])
    read = (Steady(clock, 40, "package-0", sets_clock=True), Steady(clock, 7, "dram"))
    monkeypatch.setattr(power, "counters", lambda: read)
    found = studied(model, tmp_path)
    assert found.study_failures == {}
    assert [one.variant for one in found.energy] == ["a", "b", "b", "a"]
    for one in found.energy:
        assert one.counters == ("package-0", "dram")
        assert one.inferences >= 1
        assert one.load_ns >= 200_000_000
        for part in (one.idle, one.load):
            assert len(part) >= 2
            spent_ns = part[-1].at_ns - part[0].at_ns
            pairs = zip(part[0].risen_uj, part[-1].risen_uj, strict=True)
            watts = [1000 * (last - first) / spent_ns for first, last in pairs]
            assert watts == pytest.approx([40, 7], rel=1e-3)


def test_a_machine_without_counters_says_so_and_takes_no_time(
    model: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> tuple[power.Counter, ...]:
        raise NoEnergy("RAPL: root alone")

    monkeypatch.setattr(power, "counters", none)
    found = studied(model, tmp_path)
    assert found.energy == ()
    assert found.study_failures == {
        "energy: a": "Not available: RAPL: root alone.",
        "energy: b": "Not available: RAPL: root alone.",
    }
    assert len(found.blocks) == 8
