"""What is measured in which order: presets, and rounds in which no variant has a better place."""

from __future__ import annotations

import random
from dataclasses import replace

from engine.bench.model import MeasurePlan, Preset, Variant
from engine.errors import BadRequest

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="quick",
            rounds=5,
            spare_rounds=1,
            warmup_iterations=3,
            warmup_s=0.2,
            iterations=13,
            measure_s=0.5,
            cap_s=4.0,
            memory_passes=1,
            delta=0.10,
        ),
        Preset(
            name="standard",
            rounds=12,
            spare_rounds=6,
            warmup_iterations=20,
            warmup_s=1.0,
            iterations=56,
            measure_s=1.0,
            cap_s=10.0,
            memory_passes=3,
            checkpoints=(8,),
            gate_tries=4,
            gate_pause_s=10.0,
        ),
        Preset(
            name="rigorous",
            rounds=24,
            spare_rounds=12,
            warmup_iterations=20,
            warmup_s=1.0,
            iterations=50,
            measure_s=1.0,
            cap_s=10.0,
            memory_passes=3,
            checkpoints=(12, 18),
            control=True,
            gate_tries=4,
            gate_pause_s=10.0,
        ),
    )
}
"""Quick: 5 × 13 samples are the 64 that a p90 needs, and no difference below 10 % is called one.
Standard (12 × 56) and rigorous reach a p99 (662) where they go to their end."""


def make_plan(
    variants: tuple[Variant, ...],
    preset_name: str,
    *,
    seed: int,
    studies: tuple[str, ...] = (),
    prompt_tokens: int = 0,
) -> MeasurePlan:
    """The plan of a measurement. Raises BadRequest for an unknown preset or no variants."""
    if preset_name not in PRESETS:
        raise BadRequest(
            f"There is no preset {preset_name!r}.", hint=f"Presets: {', '.join(PRESETS)}."
        )
    if not variants:
        raise BadRequest("There is nothing to measure.", hint="Choose at least one artifact.")
    keys = tuple(variant.key for variant in variants)
    if len(set(keys)) != len(keys):
        raise BadRequest("A variant is listed twice.", hint="Choose every artifact once.")
    preset = PRESETS[preset_name]
    if preset.control:
        variants = (*variants, *_controls(variants))
        keys = tuple(variant.key for variant in variants)
    return MeasurePlan(
        preset=preset,
        variants=variants,
        order=rounds(keys, preset.rounds, seed),
        seed=seed,
        studies=studies,
        prompt_tokens=prompt_tokens,
    )


def _controls(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """The first original once more (A/A): how far does it seem from itself here?"""
    first = next((variant for variant in variants if variant.is_original), variants[0])
    return (
        replace(
            first,
            key=f"{first.key}-control",
            label=f"{first.label}, control",
            is_original=False,
            control_of=first.key,
        ),
    )


def rounds(keys: tuple[str, ...], count: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """``count`` rounds in which every variant takes every place equally often, within one.

    Williams squares: each variant also follows each other one equally often (two variants give
    A B B A …). The rows of a square are shuffled by the seed. More rounds of the same seed only
    add to the end, so that a discarded round can be replaced.
    """
    shuffle = random.Random(seed)
    places = list(range(len(keys)))
    shuffle.shuffle(places)
    rows: list[tuple[str, ...]] = []
    mirrored = False
    while len(rows) < count:
        square = _williams_square(len(keys))
        shuffle.shuffle(square)
        for row in square:
            named = tuple(keys[places[place]] for place in row)
            rows.append(named[::-1] if mirrored else named)
        # An odd number of variants needs the mirror image too before followers are balanced.
        mirrored = not mirrored and len(keys) % 2 == 1
    return tuple(rows[:count])


def _williams_square(size: int) -> list[list[int]]:
    """A Latin square whose first row is 0, size−1, 1, size−2, … and whose others count on."""
    first = [place // 2 if place % 2 == 0 else size - 1 - place // 2 for place in range(size)]
    return [[(place + shift) % size for place in first] for shift in range(size)]
