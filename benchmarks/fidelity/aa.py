"""A/A: the same artifact twice. How often is it called faster or slower than itself?

Every other trial has a load that switches on half-way, on one CPU; of every four with the standard
preset, four follow with the quick one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.fidelity.results import Trial
from benchmarks.fidelity.subjects import converted
from benchmarks.fidelity.trials import load, measured
from engine.bench.plan import PRESETS
from engine.bench.verdicts import delta_of, level_of, ratio_of
from engine.verify.wilson import wilson

PROOF = "A model against itself, half of the trials with a load that begins half-way"
WANTED = "at most 5 % of the trials (2 of 40) called faster or slower"
TRIALS = 40
_SAMPLES = ("resnet50", "digits")
_PRESETS = ("standard", "quick")


def trial(number: int, home: Path) -> Trial:
    """One measurement of one artifact under two names."""
    sample, loaded = _SAMPLES[number // 2 % len(_SAMPLES)], number % 2 == 1
    preset = PRESETS[_PRESETS[number // 4 % len(_PRESETS)]]
    artifact = converted(sample, "onnx")
    with load() as beside:

        def when(blocks: int) -> None:
            if loaded and blocks >= preset.rounds:
                beside.begin()

        found = measured(
            {"one": replace(artifact, id="one"), "two": replace(artifact, id="two")},
            replace(preset, memory_passes=0, gate_tries=0),
            seed=100 + number,
            when=when,
        )
    ratio = ratio_of(found.blocks, "one", "two", delta=delta_of(found), level=level_of(found))
    if ratio is None:
        raise SystemExit("Two rounds are needed for a comparison.")
    return {
        "sample": sample,
        "loaded": loaded,
        "preset": preset.name,
        "verdict": ratio.verdict,
        "ratio": [ratio.value, ratio.low, ratio.high],
        "rounds": ratio.rounds,
        "discarded": len({b.round for b in found.blocks if b.discarded}),
    }


def summary(trials: list[Trial]) -> str:
    """How many were called different, and how often the interval left out 1."""
    if not trials:
        return "not run yet"
    parts = []
    for preset in _PRESETS:
        for loaded, words in ((False, "quiet"), (True, "load half-way")):
            own = [o for o in trials if o["loaded"] == loaded and o["preset"] == preset]
            parts.append(f"{preset}, {words} {_wrong(own)} of {len(own)}")
    wrong = _wrong(trials)
    missed = sum(not one["ratio"][1] <= 1 <= one["ratio"][2] for one in trials)
    low, high = wilson(wrong, len(trials))
    return (
        f"{100 * wrong / len(trials):.1f} % [{100 * low:.1f}, {100 * high:.1f}] called different "
        f"({'; '.join(parts)}); the interval left out 1 in {missed}"
    )


def _wrong(trials: list[Trial]) -> int:
    return sum(one["verdict"] in ("faster", "slower") for one in trials)
