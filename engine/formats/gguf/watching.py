"""What llama.cpp's steps show of the activations: its callback, and its tensors read from Python.

The binding has the callback and not the tensors, so that their layout is written here; it is the
pinned version's, and checked when the first one is seen.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from engine.errors import InvalidModel, UnsupportedModel
from engine.formats.gguf.llama import library
from engine.formats.gguf.matrix import Importance
from engine.lazy import require

_LEAST_ROWS = 16
"""llama.cpp looks at no product of fewer: they are not what a text is read with."""
_PRODUCT, _BY_EXPERT = b"MUL_MAT", b"MUL_MAT_ID"


class _Tensor(ctypes.Structure):
    """ggml's ``struct ggml_tensor``. ``ne`` are the sizes, columns first; ``nb`` the strides."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]


class Collector:
    """Sums of the squares of what goes into every weight, while the model reads.

    Hand ``callback`` to a context. What goes wrong inside it stops the reading and waits for
    ``raise_what_happened``: no exception can pass through llama.cpp.
    """

    def __init__(self) -> None:
        llama = library()
        self._ggml = _ggml()
        self._f32 = llama.GGML_TYPE_F32
        self._sums: dict[str, np.ndarray] = {}
        self._counts: dict[str, np.ndarray] = {}
        self._error: Exception | None = None
        self.callback = llama.ggml_backend_sched_eval_callback(self._hear)

    def weights(self) -> dict[str, Importance]:
        """What was collected, by the weight's name. The sums are float32, as the file has them."""
        return {
            name: Importance(sums.astype(np.float32), self._counts[name])
            for name, sums in sorted(self._sums.items())
        }

    def raise_what_happened(self) -> None:
        """Raise what went wrong while llama.cpp was at work."""
        if self._error is not None:
            raise self._error

    def _hear(self, address: int, ask: bool, _: Any) -> bool:
        """First asked whether the result of a step is wanted; called again when it is there."""
        try:
            step = _Tensor.from_address(address)
            kind = self._ggml.ggml_op_desc(address)
            if kind not in (_PRODUCT, _BY_EXPERT):
                return False
            self._check_layout(step, address)
            if ask:
                return self._wanted(step, kind)
            (self._add_by_expert if kind == _BY_EXPERT else self._add)(step)
        except Exception as error:
            self._error = error
            return False
        return True

    def _wanted(self, step: _Tensor, kind: bytes) -> bool:
        """llama.cpp's own rule: the layers' weights, seen by enough rows, in F32."""
        given = step.src[1].contents
        layers = _name(step).startswith("blk.")
        enough = kind == _BY_EXPERT or given.ne[1] >= _LEAST_ROWS
        return bool(layers and enough and given.type == self._f32)

    def _add(self, step: _Tensor) -> None:
        weight, given = step.src[0].contents, self._values(step.src[1], np.float32)
        matrices = weight.ne[2] * weight.ne[3]
        sums, counts = self._of(step, 1, matrices * weight.ne[0])
        totals = sums.reshape(matrices, -1)
        for outer in range(given.shape[0]):
            for inner in range(given.shape[1]):
                place = (outer % weight.ne[3]) * weight.ne[2] + inner % weight.ne[2]
                totals[place] += _squares(given[outer, inner])
        counts += given.size // given.shape[-1] // matrices
        self._check_finite(step, sums)

    def _add_by_expert(self, step: _Tensor) -> None:
        """Of ``src[1]`` [tokens, 1 or chosen, columns] each token goes to its chosen experts."""
        experts = self._values(step.src[2], np.int32)[0, 0]
        given = self._values(step.src[1], np.float32)[0]
        sums, counts = self._of(step, step.src[0].contents.ne[2], step.src[0].contents.ne[0])
        for choice in range(experts.shape[1]):
            rows = given[:, choice % given.shape[1]]
            for expert in np.unique(experts[:, choice]):
                chosen = experts[:, choice] == expert
                sums[expert] += _squares(rows[chosen])
                counts[expert] += int(chosen.sum())
        self._check_finite(step, sums)

    def _of(self, step: _Tensor, matrices: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        name = _name(step)
        if name not in self._sums:
            self._sums[name] = np.zeros((matrices, columns))
            self._counts[name] = np.zeros(matrices, np.int64)
        return self._sums[name], self._counts[name]

    def _values(self, pointer: Any, dtype: type[np.generic]) -> np.ndarray:
        """A tensor's values, copied to the host: four axes, the columns last."""
        tensor, size = pointer.contents, self._ggml.ggml_nbytes(pointer)
        data = np.empty(size, np.uint8)
        self._ggml.ggml_backend_tensor_get(pointer, data.ctypes.data, 0, size)
        shape, strides = tuple(tensor.ne)[::-1], tuple(tensor.nb)[::-1]
        return np.ndarray(shape, dtype, data.data, strides=strides)

    def _check_layout(self, step: _Tensor, address: int) -> None:
        """Another llama.cpp may lay its tensors out in another way."""
        if self._ggml.ggml_get_name(address) != address + _Tensor.name.offset:
            raise UnsupportedModel(
                "This llama.cpp lays its tensors out in a way that Assay does not know, so no "
                "importance matrix can be computed.",
                hint="Install the llama-cpp-python of requirements.txt.",
            )

    def _check_finite(self, step: _Tensor, sums: np.ndarray) -> None:
        if not np.isfinite(sums).all():
            raise InvalidModel(
                f"What goes into {_name(step)} is not finite, so its importance cannot be told.",
                hint="The model's weights are damaged, or too large: check the original.",
            )


def _ggml() -> Any:
    """ggml's own library, opened by the binding, with the functions that are called here."""
    ggml = require("llama_cpp._ggml", "llama-cpp-python").libggml
    for name, given, found in (
        ("ggml_op_desc", [ctypes.c_void_p], ctypes.c_char_p),
        ("ggml_get_name", [ctypes.c_void_p], ctypes.c_void_p),
        ("ggml_nbytes", [ctypes.POINTER(_Tensor)], ctypes.c_size_t),
        (
            "ggml_backend_tensor_get",
            [ctypes.POINTER(_Tensor), ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t],
            None,
        ),
    ):
        function = getattr(ggml, name)
        function.argtypes, function.restype = given, found
    return ggml


def _name(step: _Tensor) -> str:
    """The weight's name, without a device's: ``CUDA0#blk.0.attn_k.weight#0``."""
    whole = bytes(step.src[0].contents.name).decode("utf-8", "replace")
    return whole.split("#")[1] if "#" in whole else whole


def _squares(rows: np.ndarray) -> np.ndarray:
    """The sum of the squares, column by column, float64."""
    return np.asarray(np.einsum("rc,rc->c", rows, rows, dtype=np.float64))
