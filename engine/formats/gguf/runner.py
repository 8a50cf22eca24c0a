"""A GGUF file loaded into llama.cpp: logits for a batch of token rows, and text as it is made."""

from __future__ import annotations

import codecs
import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import BadRequest, UnsupportedModel
from engine.feeds import check_feed
from engine.formats.gguf.about import cache_bytes
from engine.formats.gguf.context import Context
from engine.formats.gguf.file import check
from engine.formats.gguf.llama import failed, library, llama_errors
from engine.types import Artifact, Feed, RunnerOptions, Sampling, Signature, Token

_OCTETS = 256


def load(path: Path) -> Any:
    """The ``llama_model``, its weights mapped from the file. Free it with ``llama_model_free``.

    Raises InvalidModel, UnsupportedModel.
    """
    check(path)
    return _load(path)


def _load(path: Path) -> Any:
    llama = library()
    params = llama.llama_model_default_params()
    params.load_mode = llama.LLAMA_LOAD_MODE_MMAP
    params.n_gpu_layers = 0
    with llama_errors("loading the model"):
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise failed("loading the model")
    return model


def open_runner(artifact: Artifact, options: RunnerOptions) -> LlamaRunner:
    """A Runner over the file."""
    return LlamaRunner(artifact.path, artifact.signature, options)


class LlamaRunner:
    """A Runner that can also talk: ``tokenize``, ``detokenize`` and ``generate``.

    Keys and values are kept in F16, llama.cpp's default, except for F32 files: who asks for F32
    asks for every bit.
    """

    def __init__(self, path: Path, signature: Signature, options: RunnerOptions) -> None:
        self._path = path
        self._signature = signature
        self._options = options
        self._model: Any = None
        self._context: Context | None = None
        self._spells: bool | None = None

    def __enter__(self) -> Self:
        self._llama = library()
        self._header = check(self._path)
        self._exact = self._header.stores_only("F32")
        self.manner = f"llama.cpp, keys and values kept in {'F32' if self._exact else 'F16'}"
        self._model = _load(self._path)
        self._vocabulary = self._llama.llama_model_get_vocab(self._model)
        self.context_length = int(self._llama.llama_model_n_ctx_train(self._model))
        self.vocabulary_size = int(self._llama.llama_vocab_n_tokens(self._vocabulary))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_context()
        if self._model is not None:
            self._llama.llama_model_free(self._model)
            self._model = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """The logits after every token. Each row is a sequence of its own.

        Raises BadRequest for a wrong feed, InvalidModel when the model fails.
        """
        check_feed(feed, self._signature)
        tokens = feed[self._signature.inputs[0].name]
        rows, length = tokens.shape
        self._check_tokens(tokens)
        self._check_length(length)
        context = self._context_for(rows, length)
        context.clear()
        logits = context.decode_rows(tokens)
        return {self._signature.outputs[0].name: logits}

    def cache_bytes(self) -> tuple[int | None, int | None]:
        """Keys and values of the present context: by the file's header, and as llama.cpp says."""
        if self._context is None:
            return None, None
        value_bytes = 4 if self._exact else 2
        computed = cache_bytes(self._header, self._context.tokens, value_bytes)
        return computed, self._context.cache_told_bytes

    def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """The tokens of a text, with the model's begin token where ``special``.

        Raises UnsupportedModel for a vocabulary that cannot spell every text.
        """
        self._check_spelling()
        data, room = text.encode(), len(text.encode()) + 8
        while True:
            buffer = (self._llama.llama_token * room)()
            count = self._llama.llama_tokenize(
                self._vocabulary, data, len(data), buffer, room, special, special
            )
            if count >= 0:
                return list(buffer[:count])
            room = -count  # a space may take three bytes, each a token

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens; bytes that are no text become the replacement mark."""
        self._check_tokens(np.asarray(tokens, np.int64))
        return b"".join(map(self._piece, tokens)).decode("utf-8", "replace")

    def generate(
        self,
        prompt: str | Sequence[int],
        most: int = 128,
        sampling: Sampling | None = None,
        *,
        stop_at_end: bool = True,
    ) -> Iterator[Token]:
        """An answer, token by token, as each is made: at most ``most`` tokens.

        ``stop_at_end=False`` goes on past the model's end mark, for timing. Raises BadRequest
        when the prompt is empty or leaves no room in the model's context.
        """
        given = self.tokenize(prompt) if isinstance(prompt, str) else list(prompt)
        self._check_prompt(given, most)
        self._check_length(len(given) + 1)
        room = min(most, self.context_length - len(given))
        ids = self._tokens(given, room, sampling or Sampling(), stop_at_end)
        return self._spelled(ids)

    def write(self, prompt: Sequence[int], count: int, heard: Callable[[int], None]) -> None:
        """Exactly ``count`` tokens, each the likeliest, past any end mark; none is spelled."""
        given = list(prompt)
        self._check_prompt(given, count)
        self._check_length(len(given) + count)
        for token in self._tokens(given, count, Sampling(), stop=False):
            heard(token)

    def watched(self, length: int, watch: Any) -> Context:
        """Memory for one row of so many tokens, read under the eyes of ``watch``. Close it."""
        size = (1, length)
        return Context(
            self._llama, self._model, size, self._options.threads, exact=self._exact, watch=watch
        )

    def _tokens(self, given: list[int], most: int, sampling: Sampling, stop: bool) -> Iterator[int]:
        llama, context = self._llama, self._context_for(1, len(given) + most)
        context.clear()
        sampler = _sampler(llama, sampling)
        try:
            context.decode(given, 0)
            for place in range(len(given), len(given) + most):
                token = int(llama.llama_sampler_sample(sampler, context.handle, -1))
                if stop and llama.llama_vocab_is_eog(self._vocabulary, token):
                    return
                yield token
                if place + 1 < len(given) + most:
                    context.decode([token], place)
        finally:
            llama.llama_sampler_free(sampler)

    def _spelled(self, tokens: Iterator[int]) -> Iterator[Token]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in tokens:
            yield Token(token, decoder.decode(self._piece(token)))

    def _piece(self, token: int) -> bytes:
        room = 256
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = self._llama.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, False)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def _context_for(self, rows: int, length: int) -> Context:
        """The context of this size; kept, because the next call mostly has the same."""
        size = (rows, length)
        if self._context is None or self._context.size != size:
            self._close_context()
            self._context = Context(
                self._llama, self._model, size, self._options.threads, exact=self._exact
            )
        return self._context

    def _close_context(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context = None

    def _check_spelling(self) -> None:
        """llama.cpp ends the process at a sign that a SentencePiece vocabulary cannot spell."""
        llama, vocabulary = self._llama, self._vocabulary
        if self._spells is None:
            attributes = (
                llama.llama_vocab_get_attr(vocabulary, token)
                for token in range(self.vocabulary_size)
            )
            octets = sum(bool(found & llama.LLAMA_TOKEN_ATTR_BYTE) for found in attributes)
            pieces = llama.llama_vocab_type(vocabulary) == llama.LLAMA_VOCAB_TYPE_SPM
            self._spells = octets >= _OCTETS or not pieces
        if not self._spells:
            raise UnsupportedModel(
                "This model's vocabulary has no tokens for single bytes, so it cannot spell "
                "every text.",
                hint="Give it tokens, or make the tokenizer with byte_fallback.",
            )

    def _check_prompt(self, given: Sequence[int], most: int) -> None:
        self._check_tokens(np.asarray(given, np.int64))
        if not given or most < 1:
            raise BadRequest("There is nothing to go on from.", hint="Write a prompt first.")

    def _check_tokens(self, tokens: np.ndarray) -> None:
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.vocabulary_size:
            raise BadRequest(
                f"Tokens of this model are 0 to {self.vocabulary_size - 1}; "
                f"it was given {tokens.min()} to {tokens.max()}.",
                hint="Use the model's own tokenizer.",
            )

    def _check_length(self, length: int) -> None:
        if length > self.context_length:
            raise BadRequest(
                f"This model sees at most {self.context_length} tokens; it was given {length}.",
                hint="Shorten the text.",
            )


def _sampler(llama: Any, sampling: Sampling) -> Any:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    steps = (
        [llama.llama_sampler_init_greedy()]
        if sampling.temperature <= 0
        else [
            llama.llama_sampler_init_top_k(sampling.top_k),
            llama.llama_sampler_init_top_p(sampling.top_p, 1),
            llama.llama_sampler_init_temp(sampling.temperature),
            llama.llama_sampler_init_dist(sampling.seed),
        ]
    )
    for step in steps:
        llama.llama_sampler_chain_add(chain, step)
    return chain
