"""Feeds held against signatures: is this what the model takes, and what does it give back?

Numpy only, so that every runner can check its inputs the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.errors import BadRequest, EngineError
from engine.types import Feed, Signature, TensorSpec

SYMBOL_SIZE = 16
"""The size given to a symbol that is not the batch (a sequence length, say)."""


def check_feed(feed: Feed, signature: Signature) -> None:
    """Raise BadRequest, naming expected and found, unless ``feed`` fits ``signature``."""
    wanted = [spec.name for spec in signature.inputs]
    if set(feed) != set(wanted):
        raise BadRequest(
            f"The model takes the inputs {_listed(wanted)}; it was given {_listed(feed)}.",
            hint="Name the inputs as in the signature.",
        )
    sizes: dict[str, int] = {}
    for spec in signature.inputs:
        _check_tensor(feed[spec.name], spec, sizes)


def under_names(given: Feed, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of one artifact's feed as the inputs of another made from the same model.

    By name where every name is known, since a converter may leave an input out; else by position,
    since converters rename. Raises BadRequest when neither fits.
    """
    if set(names) <= set(given):
        return {name: given[name] for name in names}
    if len(names) != len(given):
        raise BadRequest(
            f"The original takes the inputs {_listed(given)}, this artifact {_listed(names)}.",
            hint="Convert the model again with the signature it has now.",
        )
    return dict(zip(names, given.values(), strict=True))


def _check_tensor(array: np.ndarray, spec: TensorSpec, sizes: dict[str, int]) -> None:
    if array.dtype != np.dtype(spec.dtype):
        raise BadRequest(
            f"Input {spec.name!r} must be {spec.dtype}; it was given {array.dtype}.",
            hint=f"Convert the array first, for instance with astype({spec.dtype!r}).",
        )
    fits = array.ndim == len(spec.shape) and all(
        size == (sizes.setdefault(dim, size) if isinstance(dim, str) else dim)
        for dim, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        known = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        where = f" (with {known})" if known else ""
        raise BadRequest(
            f"Input {spec.name!r} must have the shape {shaped(spec.shape)}{where}; "
            f"it was given {shaped(array.shape)}.",
            hint="Change the input, or the signature where it says less than the model can do.",
        )


def bind(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of ``spec`` with its symbols replaced by ``sizes``."""
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in spec.shape)


def symbol_sizes(signature: Signature, batch: int, **others: int) -> dict[str, int]:
    """A size for every symbol: the batch as asked, the others as asked or ``SYMBOL_SIZE``."""
    sizes = {symbol: others.get(symbol, SYMBOL_SIZE) for symbol in signature.symbols}
    if signature.batch_symbol:
        sizes[signature.batch_symbol] = batch
    return sizes


def with_outputs(
    signature: Signature,
    make: Callable[[Mapping[str, int]], Feed],
    infer: Callable[[Feed], Mapping[str, np.ndarray]],
) -> Signature:
    """The signature with the outputs that running shows, an axis named by the symbol it follows.

    ``make`` gives a feed for symbol sizes. Each symbol is moved alone, so that two symbols of
    equal size are told apart.
    """
    try:
        # Unequal primes: an axis that happens to have a symbol's size is then improbable.
        return _seen(signature, dict(zip(signature.symbols, _PRIMES, strict=False)), 1, make, infer)
    except EngineError:
        if all(symbol == signature.batch_symbol for symbol in signature.symbols):
            raise
    # Nets that halve their inputs take sizes only that divide well.
    well = (size * _STEP for size in _PRIMES)
    sizes = dict(zip(signature.symbols, well, strict=False))
    if signature.batch_symbol:
        sizes[signature.batch_symbol] = 2
    return _seen(signature, sizes, _STEP, make, infer)


_PRIMES = (2, 11, 7, 13, 5, 17)
_STEP = 16


def _seen(
    signature: Signature,
    base: Mapping[str, int],
    step: int,
    make: Callable[[Mapping[str, int]], Feed],
    infer: Callable[[Feed], Mapping[str, np.ndarray]],
) -> Signature:
    """The outputs at the ``base`` sizes, each symbol but the batch moved by ``step``."""
    first = infer(make(base))
    steps = {symbol: 1 if symbol == signature.batch_symbol else step for symbol in base}
    moved = {
        symbol: {
            name: array.shape
            for name, array in infer(make({**base, symbol: size + steps[symbol]})).items()
        }
        for symbol, size in base.items()
    }
    return replace(
        signature,
        outputs=tuple(
            TensorSpec(
                name,
                str(array.dtype),
                tuple(
                    _follows(moved, steps, name, axis, size)
                    for axis, size in enumerate(array.shape)
                ),
            )
            for name, array in first.items()
        ),
    )


def _follows(
    moved: Mapping[str, Mapping[str, tuple[int, ...]]],
    steps: Mapping[str, int],
    name: str,
    axis: int,
    size: int,
) -> int | str:
    """The symbol whose move changed this axis; else its fixed size."""
    for symbol, shapes in moved.items():
        if axis < len(shapes[name]) and shapes[name][axis] != size:
            changed_by = shapes[name][axis] - size
            return symbol if changed_by == steps[symbol] else f"{symbol}_derived_{axis}"
    return size


def shaped(shape: tuple[int | str, ...]) -> str:
    """A shape as a person reads it: ``[batch, 3, 224, 224]``."""
    return f"[{', '.join(str(dim) for dim in shape)}]"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"
