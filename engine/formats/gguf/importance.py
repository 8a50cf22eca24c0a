"""An importance matrix computed as llama.cpp's own tool does it: by watching a text pass through.

llama.cpp shows every step of its computation to a callback. Of each product with a weight of a
layer, the squares of what goes in are added up, column by column; a product with experts adds to
those experts that the token was sent to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from engine.errors import BadRequest
from engine.formats.gguf.about import read_signature
from engine.formats.gguf.matrix import ImportanceMatrix
from engine.formats.gguf.runner import LlamaRunner
from engine.formats.gguf.watching import Collector
from engine.types import RunnerOptions

Progress = Callable[[str, float], None]
CHUNK = 512
"""Tokens read at once, as llama.cpp's tool does; each chunk begins as a text of its own."""
_LEAST = 16
"""llama.cpp looks at no product of fewer rows."""
_PIECE = 1 << 16
"""Characters that are turned into tokens at once."""


def compute(
    model: Path, texts: Iterable[str], size: int, name: str, threads: int, progress: Progress
) -> ImportanceMatrix:
    """Let the model read all the texts (``size`` characters in all), and keep what passed through.

    ``name`` is what a person calls the text. Memory does not grow with it, and the same texts give
    the same matrix. Raises BadRequest for too little text, UnsupportedModel, InvalidModel.
    """
    collector = Collector()
    with LlamaRunner(model, read_signature(model), RunnerOptions(threads)) as runner:
        begin = runner.tokenize("")[:1]
        length = min(CHUNK, runner.context_length)
        chunks = longest = 0
        with closing(runner.watched(length, collector.callback)) as context:
            for tokens, read in _chunks(runner, texts, length - len(begin)):
                done = min(1.0, max(0.0, read) / max(1, size))
                progress(f"Importance matrix: chunk {chunks + 1}, {done:.0%} of the text", done)
                context.clear()
                context.read_rows(np.array([[*begin, *tokens]], np.int64))
                collector.raise_what_happened()
                chunks += 1
                longest = len(begin) + len(tokens)
    if not chunks:
        raise BadRequest(
            f"The text for the importance matrix has fewer than {_LEAST} tokens.",
            hint=f"Give more of it: some ten thousand tokens, at least {CHUNK}.",
        )
    return ImportanceMatrix(collector.weights(), name, chunks, longest)


def _chunks(
    runner: LlamaRunner, texts: Iterable[str], room: int
) -> Iterator[tuple[list[int], float]]:
    """Tokens by ``room``, with how many characters were read before them.

    What is left at the end is let go, as llama.cpp does, unless it is all there is.
    """
    waiting: list[int] = []
    read, whole = 0, False
    for piece in _pieces(texts):
        waiting += runner.tokenize(piece, special=False)
        read += len(piece)
        per_token = len(piece) / max(1, len(waiting))
        while len(waiting) >= room:
            yield waiting[:room], read - per_token * len(waiting)
            del waiting[:room]
            whole = True
    if not whole and len(waiting) >= _LEAST:
        yield waiting, 0


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The texts in pieces that are not too long, cut where a line or a word ends if they can be."""
    for text in texts:
        start = 0
        while start < len(text):
            end = min(start + _PIECE, len(text))
            if end < len(text):
                cut = max(text.rfind("\n", start, end), text.rfind(" ", start, end))
                end = cut if cut > start else end
            yield text[start:end]
            start = end
