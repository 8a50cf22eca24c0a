"""The second clock and the driver's account of a card, through a library of NVML's signatures."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from engine.bench import nvml
from engine.bench.evidence import outside_evidence
from engine.bench.measure import Subject, time_block
from engine.bench.model import Block, Preset
from engine.types import Feed

SHORT = Preset("short", 5, 0, 3, 0.0, 10, 0.0, 5.0, 0)
MIB = 1024**2


def library(tmp_path: Path, *, pid: int = 1, reasons: int = 0, init: int = 0) -> str:
    """A card of 80 GB on which every look finds 64 MiB more in use."""
    source = tmp_path / "nvml.c"
    source.write_text(
        f"""
        typedef unsigned long long u64;
        #define CARD ((void *)0x7f00aabbccdd)
        int nvmlInit_v2(void) {{ return {init}; }}
        int nvmlDeviceGetHandleByIndex_v2(unsigned int at, void **device)
        {{ *device = CARD; return at != 0; }}
        int nvmlDeviceGetMemoryInfo(void *device, struct {{ u64 total, free, used; }} *told)
        {{
            static u64 used = 0;
            if (device != CARD) return 2;
            used += 64 << 20;
            told->total = 80ULL << 30; told->used = used; told->free = told->total - used;
            return 0;
        }}
        int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count,
            struct {{ unsigned int pid; u64 used; unsigned int gpu, compute; }} *told)
        {{
            if (device != CARD) return 2;
            if (*count < 3) {{ *count = 3; return 7; }}
            told[0].pid = 4; told[0].used = 1; told[1].pid = {pid}; told[1].used = 48 << 20;
            told[2].pid = 5; told[2].used = ~0ULL;
            *count = 3;
            return 0;
        }}
        int nvmlDeviceGetClockInfo(void *device, unsigned int kind, unsigned int *mhz)
        {{ if (device != CARD || kind != 1) return 2; *mhz = 1755; return 0; }}
        int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, u64 *bits)
        {{ if (device != CARD) return 2; *bits = {reasons}; return 0; }}
        """
    )
    out = tmp_path / "libnvml.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", out, source], check=True)
    return str(out)


class OnProcessor:
    """A runner of a tenth of a millisecond, without a clock of its own."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        time.sleep(100e-6)
        return {"y": np.ones(3, np.float32)}


class OnCard(OnProcessor):
    """The same; of that time its device computes for 7 µs."""

    def compute_ns(self) -> int:
        return 7000


def timed(runner: OnProcessor) -> Block:
    feeds: tuple[Feed, ...] = ({"x": np.ones(1, np.float32)},)
    on_gpu = isinstance(runner, OnCard)
    return time_block(Subject("card", "json", lambda: runner, feeds, on_gpu), SHORT, 0)


def with_card(monkeypatch: pytest.MonkeyPatch, made: str) -> None:
    found = nvml.card(made)
    monkeypatch.setattr(nvml, "card", lambda: found)


def test_the_driver_is_asked_for_memory_clock_and_what_holds_it_back(tmp_path: Path) -> None:
    card = nvml.card(library(tmp_path, pid=77, reasons=0x1 | 0x2 | 0x4 | 0x40))
    assert (card.used_bytes(), card.used_bytes()) == (64 * MIB, 128 * MIB)
    assert card.process_bytes(77) == 48 * MIB
    assert card.process_bytes(78) is None, "not listed: another namespace"
    assert card.process_bytes(5) is None, "listed, and its memory is not told"
    assert card.clock_mhz() == 1755
    assert card.slowed() == ("its power limit", "its temperature, by the hardware")


def test_what_an_old_driver_does_not_have_is_not_known(tmp_path: Path) -> None:
    source = tmp_path / "old.c"
    source.write_text(
        "int nvmlInit_v2(void) { return 0; }"
        "int nvmlDeviceGetHandleByIndex_v2(unsigned int at, void **device) { return 0; }"
        "int nvmlDeviceGetMemoryInfo(void *device, void *told) { return 3; }"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "old.so", source], check=True)
    card = nvml.card(str(tmp_path / "old.so"))
    assert (card.used_bytes(), card.process_bytes(1), card.clock_mhz()) == (None, None, None)
    assert card.slowed() == ()


def test_a_block_on_a_device_has_two_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_card(monkeypatch, library(tmp_path, pid=os.getpid()))
    block = timed(OnCard())
    assert block.gpu is not None
    assert block.gpu.compute_ns == (7000,) * len(block.samples_ns)
    assert min(block.samples_ns) > 100_000
    assert block.gpu.memory_bytes == 48 * MIB
    assert (block.gpu.card_before_bytes, block.gpu.card_bytes) == (64 * MIB, 128 * MIB)
    assert (block.gpu.clock_mhz, block.gpu.slowed) == ((1755, 1755), ())


def test_on_the_processor_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_card(monkeypatch, library(tmp_path))
    assert timed(OnProcessor()).gpu is None


def test_without_nvml_there_are_two_clocks_still(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> nvml.Card:
        raise nvml.NoGpu("there is no driver")

    monkeypatch.setattr(nvml, "card", none)
    block = timed(OnCard())
    assert block.gpu is not None and len(block.gpu.compute_ns) == len(block.samples_ns)
    assert (block.gpu.clock_mhz, block.gpu.memory_bytes, block.gpu.card_bytes) == ((), None, None)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (0x20 | 0x80, "held back by its power supply"),
        (0x04 | 0x08 | 0x20 | 0x40, None),
        (0x01 | 0x02, None),
    ],
)
def test_a_card_that_is_held_back_speaks_against_the_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reasons: int, said: str | None
) -> None:
    with_card(monkeypatch, library(tmp_path, reasons=reasons))
    quiet = {"canary_ns": (1, 1), "steal_share": 0.0, "psi_share": 0.0, "throttled": 0}
    found = outside_evidence((replace(timed(OnCard()), **quiet),))  # type: ignore[arg-type]
    assert found is None if said is None else said in (found or "")


def test_what_is_called_between_samples_is_outside_of_their_time() -> None:
    from engine.bench.clock import timed_calls

    turns = count()

    def slowly() -> None:
        next(turns)
        time.sleep(0.02)

    found = timed_calls(lambda feed: None, ({},), iterations=5, seconds=0, cap_s=9, after=slowly)
    assert next(turns) == 5
    assert sorted(found)[2] < 10_000_000
