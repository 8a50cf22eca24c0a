"""Two arrays compared, every figure finite or None. Numpy only."""

from __future__ import annotations

import math

import numpy as np

from engine.verify.model import OutputComparison

TINY = 1e-6
"""Root mean square below which a reference counts as zero when dividing by it."""


# Squares of huge values overflow: such a figure is infinite, and given as None.
_QUIET = np.errstate(over="ignore", invalid="ignore")


@_QUIET
def compare(
    name: str, reference: np.ndarray, candidate: np.ndarray, noise_relative: float | None
) -> OutputComparison:
    """One output of the candidate against the reference's."""
    same_shape = reference.shape == candidate.shape
    agree, rows = _answers(reference, candidate) if same_shape else (0, 0)
    return OutputComparison(
        output=name,
        shape_reference=reference.shape,
        shape_candidate=candidate.shape,
        dtype_reference=str(reference.dtype),
        dtype_candidate=str(candidate.dtype),
        max_abs=_max_abs(reference, candidate) if same_shape else None,
        relative=relative(reference, candidate),
        cosine=_cosine(reference, candidate) if same_shape else None,
        sqnr_db=_sqnr(reference, candidate) if same_shape else None,
        noise_relative=noise_relative,
        nan_reference=_count(np.isnan, reference),
        nan_candidate=_count(np.isnan, candidate),
        inf_reference=_count(np.isinf, reference),
        inf_candidate=_count(np.isinf, candidate),
        top1_agree=agree,
        top1_rows=rows,
    )


@_QUIET
def relative(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    """‖Δ‖₂/‖ref‖₂ over the finite values, zero-safe.

    None for integers, empty or differently shaped arrays, and where NaN or infinity stand in
    different places.
    """
    if reference.shape != candidate.shape or not reference.size or not _floating(reference):
        return None
    pair = _finite(reference, candidate)
    if pair is None:
        return None
    ref, cand = pair
    floor = TINY * math.sqrt(ref.size)
    return _number(float(np.linalg.norm(cand - ref)) / max(float(np.linalg.norm(ref)), floor))


def _finite(reference: np.ndarray, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Both as flat float64 (or complex128), finite values only; None unless they agree where."""
    kind = np.complex128 if np.iscomplexobj(reference) else np.float64
    ref, cand = reference.astype(kind).ravel(), candidate.astype(kind).ravel()
    odd = ~np.isfinite(ref)
    if not np.array_equal(odd, ~np.isfinite(cand)):
        return None
    if not np.array_equal(ref[odd], cand[odd], equal_nan=True):
        return None
    if not odd.any():
        return ref, cand
    # Something must be left to divide by: an array without finite values differs by nothing.
    return np.append(ref[~odd], 0), np.append(cand[~odd], 0)


def _max_abs(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    if not reference.size:
        return None
    if not _floating(reference):
        wide = reference.astype(np.float64), candidate.astype(np.float64)
        return _number(float(np.abs(wide[0] - wide[1]).max()))
    pair = _finite(reference, candidate)
    return _number(float(np.abs(pair[1] - pair[0]).max())) if pair else None


def _cosine(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    if not _floating(reference) or not (pair := _finite(reference, candidate)):
        return None
    norms = float(np.linalg.norm(pair[0])) * float(np.linalg.norm(pair[1]))
    if norms == 0:
        return None
    return _number(min(1.0, max(-1.0, float(np.vdot(*pair).real) / norms)))


def _sqnr(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    if not _floating(reference) or not (pair := _finite(reference, candidate)):
        return None
    signal, noise = np.linalg.norm(pair[0]), np.linalg.norm(pair[1] - pair[0])
    if signal == 0 or noise == 0:
        return None
    return _number(20 * math.log10(float(signal) / float(noise)))


def _answers(reference: np.ndarray, candidate: np.ndarray) -> tuple[int, int]:
    """(agreeing, all): the top-1 along the last axis; whole numbers are answers themselves."""
    if not reference.size:
        return 0, 0
    if not _floating(reference):
        return int((reference == candidate).sum()), reference.size
    if reference.ndim < 2 or reference.shape[-1] < 2 or np.iscomplexobj(reference):
        return 0, 0
    agree = reference.argmax(-1) == candidate.argmax(-1)
    return int(agree.sum()), agree.size


def _floating(array: np.ndarray) -> bool:
    return bool(np.issubdtype(array.dtype, np.inexact))


def _count(test: np.ufunc, array: np.ndarray) -> int:
    return int(test(array).sum()) if _floating(array) else 0


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
