"""Memory for tokens inside llama.cpp, and the batch that fills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.formats.gguf.llama import failed, llama_errors, told_cache_bytes

_ROOM = 32
"""A context is a multiple of this many tokens."""


class Context:
    """Memory for a number of rows of tokens, and the batch that fills it.

    ``tokens`` is how many there is room for, ``cache_told_bytes`` what llama.cpp says it took.
    """

    def __init__(
        self,
        llama: Any,
        model: Any,
        size: tuple[int, int],
        threads: int,
        *,
        exact: bool = False,
        watch: Any = None,
    ) -> None:
        """``size`` is (rows, length). ``exact`` keeps keys and values in F32.

        ``watch`` is a ``ggml_backend_sched_eval_callback``: it is shown every step of the
        computation.
        """
        self._llama = llama
        self.size = size
        rows, length = size
        tokens = rows * length
        params = llama.llama_context_default_params()
        params.n_seq_max = rows
        params.n_ctx = rows * -(-length // _ROOM) * _ROOM
        params.n_batch = tokens
        params.n_ubatch = min(tokens, params.n_ubatch)
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        if exact:
            params.type_k = params.type_v = llama.GGML_TYPE_F32
            params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if watch is not None:
            params.cb_eval = self._watch = watch  # the library keeps no reference of its own
        with llama_errors("making room for the tokens"):
            self.handle = llama.llama_init_from_model(model, params)
            if not self.handle:
                raise failed("making room for the tokens")
            self.cache_told_bytes = told_cache_bytes()
        self.tokens = int(llama.llama_n_ctx(self.handle))
        self._vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        self._batch = llama.llama_batch_init(tokens, 0, 1)

    def close(self) -> None:
        """Give the memory back."""
        self._llama.llama_batch_free(self._batch)
        self._llama.llama_free(self.handle)

    def clear(self) -> None:
        """Forget every token."""
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self.handle), False)

    def decode_rows(self, tokens: np.ndarray) -> np.ndarray:
        """All rows from their beginning; the logits, float32 [rows, length, vocabulary]."""
        self.read_rows(tokens)
        found = np.ctypeslib.as_array(
            self._llama.llama_get_logits(self.handle), (*tokens.shape, self._vocabulary)
        )
        return found.copy()

    def read_rows(self, tokens: np.ndarray) -> None:
        """The same, for whoever watches and wants no logits; all are computed all the same."""
        rows, length = tokens.shape
        self._fill(
            tokens.ravel(),
            np.tile(np.arange(length), rows),
            np.repeat(np.arange(rows), length),
            np.ones(tokens.size),
        )
        self._run()

    def decode(self, tokens: Sequence[int], start: int) -> None:
        """More tokens of the one row, from the position ``start``; logits of the last only."""
        last = np.zeros(len(tokens))
        last[-1] = 1
        places = np.arange(start, start + len(tokens))
        self._fill(np.asarray(tokens), places, np.zeros(len(tokens)), last)
        self._run()

    def _fill(
        self, tokens: np.ndarray, places: np.ndarray, rows: np.ndarray, wanted: np.ndarray
    ) -> None:
        batch, count = self._batch, len(tokens)
        batch.n_tokens = count
        for target, values in (
            (batch.token, tokens),
            (batch.pos, places),
            (batch.n_seq_id, np.ones(count)),
            (batch.logits, wanted),
        ):
            np.ctypeslib.as_array(target, (count,))[:] = values
        for index, row in enumerate(rows.astype(int).tolist()):
            batch.seq_id[index][0] = row

    def _run(self) -> None:
        with llama_errors("running the model"):
            status = self._llama.llama_decode(self.handle, self._batch)
            if status != 0:
                raise failed("running the model")
