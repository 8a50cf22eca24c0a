"""Sizes doubled until no more comes of it: what studies of batches and of clients share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.bench.model import Variant

GAIN = 0.05
"""What two doublings must give together, as a share of the best before them, to go on."""

RULE = "doubled until neither of two doublings in a row gave 5 % more than the best before them"


def saturated(rates: Sequence[float]) -> bool:
    """Whether the last two doublings gave less than 5 % more than the best before them.

    ``rates``: what each size gave a second, each size twice the one before.
    """
    return len(rates) > 2 and max(rates[-2:]) < (1 + GAIN) * max(rates[:-2])


def enough(rates: Mapping[int, float]) -> int:
    """The smallest size that gives as much as any, but for 5 %."""
    most = max(rates.values())
    return min(size for size, rate in rates.items() if (1 + GAIN) * rate >= most)


def one_batch(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """Each artifact once at each number of threads, at the smallest batch it was measured with."""
    chosen: dict[tuple[str, int], Variant] = {}
    for variant in sorted(variants, key=lambda variant: variant.batch):
        chosen.setdefault((variant.artifact_id, variant.threads), variant)
    return tuple(chosen.values())


def largest(fits: Callable[[int], bool], most: int, fineness: int) -> tuple[int, int | None]:
    """The largest size that fits, and the smallest found that does not; 0 where none fits.

    By doubling from 1, then by bisection until the two are a ``fineness``-th of the former apart,
    or one. The second is None where all sizes up to ``most`` fit.
    """
    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
        if high > most:
            return low, None
    while low and high - low > max(1, low // fineness):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low, high
