"""An explanation in plain sentences, each with its figures: what is found, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.tuning.model import Explanation, Profile, TimeKind

_NOTABLE = 0.01
"""Shares of the time below this are not named."""
_SHOWN = 4
_SAME = 0.05
_MUCH_OUTSIDE, _MUCH_CONVERTED, _MUCH_FLOAT = 0.3, 0.2, 0.3
_SPARSE = 0.05


def all_of(found: Explanation, size_bytes: int, *, writes_text: bool) -> tuple[str, ...]:
    """Every sentence that the figures allow."""
    return tuple(
        (
            *_speed(found),
            *_processor(found),
            *_kernels(found),
            *_pairs(found),
            *_roof(found),
            *_reading(found, size_bytes, writes_text=writes_text),
            *_zeros(found),
            *_conclusion(found),
        )
    )


def ratio(found: Explanation) -> float | None:
    """How many times as fast as the baseline; None where there is none."""
    if found.profile is None or found.baseline is None:
        return None
    return found.baseline.milliseconds / found.profile.milliseconds


def _speed(found: Explanation) -> Iterator[str]:
    own, base, faster = found.profile, found.baseline, ratio(found)
    threads = found.machine.threads if found.machine else 1
    how = f"batch 1, {_count(threads, 'thread')}; Measure has the figures to keep"
    if own is None:
        return
    if base is None or faster is None:
        yield f"It takes {_ms(own)} ({how})."
        return
    said = "It is as fast as before"
    if faster > 1 + _SAME:
        said = f"It is {faster:.2g} times as fast"
    elif faster < 1 - _SAME:
        said = f"It is slower, {1 / faster:.2g} times"
    yield f"{said}: {_ms(own)} where {base.label} takes {_ms(base)} ({how})."


def _processor(found: Explanation) -> Iterator[str]:
    machine = found.machine
    has = [name for name, here in found.features.items() if here]
    lacks = [name for name, here in found.features.items() if not here]
    without = f", and no {_listed(lacks, 'or')}" if lacks else ""
    yield (
        f"This processor ({machine.processor}) has {_listed(has) or 'none of them'}{without}. "
        f"GPU: {found.gpu}."
    )
    gain = machine.int8_gops / machine.float_gops
    why = (
        "it multiplies 8-bit integers and adds them up in one step"
        if any("VNNI" in name or "AMX" in name or "ARM" in name for name in has)
        else "without VNNI or AMX a product of 8-bit integers takes several steps"
    )
    yield (
        f"Large products of matrices reach {machine.int8_gops:,.0f} GOP/s in INT8 and "
        f"{machine.float_gops:,.0f} in FP32 here, {gain:.2g} times: {why}."
    )


def _kernels(found: Explanation) -> Iterator[str]:
    own = found.profile
    if own is None:
        return
    some = own.share("int8")
    parts = [f"{_percent(some) if some else 'None'} of the time is spent in INT8 kernels"]
    kinds: tuple[tuple[TimeKind, str], ...] = (
        ("conversion", "in conversions from one number type to another"),
        ("half", "in 16-bit kernels"),
        ("float", "in float"),
        ("layout", "in moving values"),
    )
    for kind, where in kinds:
        if (share := own.share(kind)) >= _NOTABLE:
            parts.append(f"{_percent(share)} {where} ({_operators(own, kind)})")
    yield f"{_listed(parts)}."
    if own.outside >= 0.1:
        yield f"{_percent(own.outside)} of a run is outside all operators: in starting them."


def _pairs(found: Explanation) -> Iterator[str]:
    if not found.pairs:
        return
    left = sum(one.pairs for one in found.unfused)
    if not left:
        yield f"All {found.pairs} Q/DQ pairs were fused into INT8 kernels, or ended in the answer."
        return
    where = _listed([f"{one.operator} ({one.pairs})" for one in found.unfused[:_SHOWN]])
    yield (
        f"{left} of {found.pairs} Q/DQ pairs {'was' if left == 1 else 'were'} not fused: there "
        f"values go back to float for {where}."
    )


def _roof(found: Explanation) -> Iterator[str]:
    own, machine = found.profile, found.machine
    if own is None or not own.operations or not own.bytes or not own.roof_ms:
        return
    bound = own.compute_bound or 0.0
    limit = (
        f"arithmetic is the limit for {_percent(bound)} of the time (compute-bound)"
        if bound >= 0.5
        else f"memory is the limit for {_percent(1 - bound)} of the time (memory-bound)"
    )
    part = _percent(own.roof_ms / own.milliseconds)
    yield (
        f"A run computes {_large(own.operations)} operations and moves {_large(own.bytes)} bytes; "
        f"at this machine's {machine.memory_gbs:,.0f} GB/s {limit}. "
        f"The least it could take is {own.roof_ms:.3g} ms, {part} of what it takes."
    )


def _reading(found: Explanation, size_bytes: int, *, writes_text: bool) -> Iterator[str]:
    if not writes_text:
        return
    pace = found.machine.memory_gbs
    most = pace * 1e9 / size_bytes
    yield (
        f"Every token reads all {size_bytes / 1e6:,.0f} MB of weights once. The {pace:,.0f} GB/s "
        f"of this machine allow at most {most:,.0f} tokens/s for one reader: fewer bits help, "
        "faster arithmetic does not."
    )


def _zeros(found: Explanation) -> Iterator[str]:
    if found.zeros is None or found.zeros < _SPARSE:
        return
    yield (
        f"{_percent(found.zeros)} of the weights are zero. Dense kernels multiply zeros like any "
        "other number: zeros do not make them faster. Channels removed for good do (Prune "
        "channels), and 2:4 patterns on an NVIDIA GPU."
    )


def _conclusion(found: Explanation) -> Iterator[str]:
    """The first cause that the figures show, where it is not faster than what it came from."""
    faster, own, base, machine = ratio(found), found.profile, found.baseline, found.machine
    if faster is None or faster > 1 + _SAME or own is None or base is None:
        return
    if own.outside > _MUCH_OUTSIDE:
        yield (
            "So: the model is so small that a run is mostly the start of its operators, which "
            "costs the same in every precision. A larger batch shows what the kernels gain."
        )
    elif own.share("conversion") > _MUCH_CONVERTED:
        yield (
            "So: what the kernels gain goes into conversions. Leave the layers around them in "
            "float, or take the operators between them to few bits, too."
        )
    elif (found.pairs or own.share("int8")) and own.share("float") > _MUCH_FLOAT:
        yield "So: much of it still runs in float, and only the rest can gain."
    elif machine.int8_gops < machine.float_gops * (1 + _SAME):
        yield "So: on this processor 8-bit arithmetic itself is no faster than float."
    elif own.compute_bound is not None and own.compute_bound < 0.5:
        yield "So: it waits for memory, and arithmetic in fewer bits does not shorten that."
    elif found.pairs and own.operations and base.operations:
        yield (
            f"So: its kernels reach {_reached(own, machine.int8_gops)} of what this processor can "
            f"do in INT8, those of {base.label} {_reached(base, machine.float_gops)} of what it "
            "can do in float: shapes or missing kernels of this runtime, not the precision."
        )


def _reached(profile: Profile, gops: float) -> str:
    assert profile.operations is not None
    return _percent(profile.operations / (profile.milliseconds / 1e3) / (gops * 1e9))


def _operators(profile: Profile, kind: TimeKind) -> str:
    mine = [one for one in profile.operators if one.kind == kind and one.share >= _NOTABLE / 2]
    named = [f"{one.operator} {_percent(one.share)}" for one in mine[:_SHOWN]]
    return ", ".join(named) or "many small ones"


def _listed(parts: Sequence[str], last: str = "and") -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _large(number: int) -> str:
    """Three digits and a word: 8.2 billion."""
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{number / size:,.3g} {word}"
    return str(number)


def _ms(profile: Profile) -> str:
    return f"{profile.milliseconds:.3g} ms"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"
