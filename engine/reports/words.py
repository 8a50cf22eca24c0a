"""Numbers as a person reads them, with as many digits as they deserve."""

from __future__ import annotations

import math

from engine.bench.stats import UNDECIDED, Percentile, Ratio

MIB = 1024**2


def number(value: float) -> str:
    """Three significant digits, without an exponent where one can do without."""
    return f"{value:.{_decimals(value)}f}" if _plain(value) else f"{value:.2e}"


def interval(value: float, low: float | None, high: float | None) -> str:
    """``71.2 [70.1, 73.0]``: the bounds with the digits of the value."""
    if low is None or high is None or not _plain(value):
        return number(value)
    digits = _decimals(value)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def percentile(found: Percentile) -> str:
    """A percentile with its interval, or why there is none."""
    return found.why_not if found.value is None else interval(found.value, found.low, found.high)


def times(ratio: Ratio) -> str:
    """``2.13× [2.02, 2.21]``."""
    digits = 2 if abs(ratio.value) >= 0.1 else 2 - math.floor(math.log10(ratio.value))
    return f"{ratio.value:.{digits}f}× [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"


def compared(ratio: Ratio, other: str) -> str:
    """``2.13× [2.02, 2.21] faster than the original``: turned so that it is above 1, in words."""
    if ratio.verdict == "slower":
        turned = Ratio(1 / ratio.value, 1 / ratio.high, 1 / ratio.low, ratio.rounds, "faster")
        return f"{times(turned)} slower than {other}"
    if ratio.verdict == "faster":
        return f"{times(ratio)} faster than {other}"
    if ratio.verdict == "equivalent":
        return f"as fast as {other} ({times(ratio)})"
    if ratio.verdict == "small but real":
        return f"within {share(ratio.delta)} of {other} ({times(ratio)})"
    if ratio.verdict == UNDECIDED:
        return f"not to be judged against {other} ({times(ratio)}; noise grade D)"
    return f"not to be told apart from {other} ({times(ratio)})"


def verdict(ratio: Ratio) -> str:
    """The verdict word, and for an undecided one what would decide it."""
    if ratio.verdict == UNDECIDED:
        return f"{UNDECIDED} (noise grade D)"
    if ratio.verdict != "inconclusive":
        return ratio.verdict
    return f"inconclusive (needs about {ratio.rounds_needed} rounds)"


def chance(p: float) -> str:
    """A p-value as it is quoted."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    if count < 1024:
        return f"{count} B"
    if count < MIB:
        return f"{number(count / 1024)} KiB"
    return (
        f"{number(count / MIB)} MiB" if count < 1024 * MIB else f"{number(count / MIB / 1024)} GiB"
    )


def seconds(value: float) -> str:
    """A duration in ms below one second, else in s."""
    return f"{number(value * 1000)} ms" if value < 1 else f"{number(value)} s"


def duration(found: Percentile) -> str:
    """Seconds with their interval, in ms below one second."""
    if found.value is None:
        return found.why_not
    scale, unit = (1000, "ms") if found.value < 1 else (1, "s")
    ends = (None if end is None else end * scale for end in (found.low, found.high))
    return f"{interval(found.value * scale, *ends)} {unit}"


def share(value: float, digits: int = 0) -> str:
    """A share as per cent."""
    return f"{100 * value:.{digits}f} %"


def _plain(value: float) -> bool:
    return value == 0 or 1e-3 <= abs(value) < 1e7


def _decimals(value: float) -> int:
    size_of = abs(value)
    if size_of >= 100 or size_of == 0:
        return 0
    if size_of >= 10:
        return 1
    return 2 if size_of >= 1 else 3 if size_of >= 0.1 else 4
