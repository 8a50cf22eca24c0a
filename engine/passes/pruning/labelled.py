"""Labelled samples: accuracy on a held-out part, gradients, and a short training.

Imports torch only inside functions.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.changes import Progress
from engine.data.model import Samples
from engine.errors import BadRequest
from engine.passes.pruning.options import Training
from engine.tensors import tensors_for
from engine.types import Signature

SEED = 0
HELD_OUT = 5
"""One in so many samples is held out: it says when to stop, and how good the result is."""
BATCH = 32
PATIENCE = 3
"""Epochs without an improvement on the held-out part, after which training ends."""
_FEWEST = 20
_LARGEST = 1 << 30
"""Bytes of samples that are kept in memory while training; of more, a seeded choice is."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples with their classes, in two parts: rows to learn from, and rows held out."""

    tensors: tuple[Any, ...]
    labels: Any
    train: Any
    held_out: Any

    def batches(self, rows: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """(inputs, classes) of the rows, ``BATCH`` at a time."""
        import torch

        for some in torch.split(rows, BATCH):
            yield tuple(tensor[some] for tensor in self.tensors), self.labels[some]

    def accuracy(self, module: Any) -> float:
        """The share of held-out samples answered right."""
        return self.judged(module)[0]

    def judged(self, module: Any) -> tuple[float, float]:
        """(share right, mean loss) on the held-out part."""
        import torch
        from torch.nn.functional import cross_entropy

        right, loss = 0, 0.0
        module.eval()
        with torch.no_grad():
            for inputs, classes in self.batches(self.held_out):
                scores = scores_of(module(*inputs), classes)
                right += int((scores.argmax(1) == classes).sum())
                loss += float(cross_entropy(scores, classes, reduction="sum"))
        return right / len(self.held_out), loss / len(self.held_out)

    def gradients(self, module: Any) -> None:
        """Add up the loss's gradients over (at most 512) rows to learn from, in ``.grad``."""
        from torch.nn.functional import cross_entropy

        module.eval()
        module.zero_grad()
        for inputs, classes in self.batches(self.train[:512]):
            loss: Any = cross_entropy(scores_of(module(*inputs), classes), classes)
            loss.backward()


def labelled(samples: Samples, signature: Signature) -> Labelled | None:
    """The samples with their labels; None where there are none, or too few to say anything."""
    import torch

    labels = samples.labels()
    if labels is None or samples.count < _FEWEST:
        return None
    order = np.random.default_rng(SEED).permutation(samples.count)
    first = next(samples.feeds())
    bytes_each = max(1, sum(array.nbytes for array in first.values()))
    chosen = np.sort(order[: max(_FEWEST, _LARGEST // bytes_each)])
    wanted = set(chosen.tolist())
    rows = [tensors_for(feed, signature) for i, feed in enumerate(samples.feeds()) if i in wanted]
    mixed = torch.from_numpy(np.random.default_rng(SEED).permutation(len(rows)))
    held = max(1, len(rows) // HELD_OUT)
    return Labelled(
        tuple(torch.cat(column) for column in zip(*rows, strict=True)),
        torch.from_numpy(np.asarray(labels, np.int64)[chosen]),
        mixed[held:],
        mixed[:held],
    )


def required(data: Labelled | None, samples: Samples, what: str) -> Labelled:
    """The labelled samples. Raises BadRequest where there are none, or too few."""
    if data is None:
        found = "no labels" if samples.labels() is None else f"{samples.count} of them"
        raise BadRequest(
            f"{what} works from at least {_FEWEST} labelled samples; {samples.name} has {found}.",
            hint="Give a data set with labels (a CSV of index,label, or folders named by class).",
        )
    return data


def scores_of(result: Any, classes: Any) -> Any:
    """The output that holds a score for every class. Raises BadRequest."""
    items = result if isinstance(result, (tuple, list)) else (result,)
    for item in items:
        if item.ndim == 2 and int(classes.max()) < item.shape[1] and int(classes.min()) >= 0:
            return item.float()
    shapes = ", ".join(str(list(item.shape)) for item in items)
    raise BadRequest(
        f"The labels are classes from {int(classes.min())} to {int(classes.max())}, and no output "
        f"of the model has a score for each (its outputs: {shapes}).",
        hint="Give the labels of this model's classes, counted from 0.",
    )


def tune(module: Any, data: Labelled, options: Training, progress: Progress) -> str:
    """Train in place and keep the best epoch, by the held-out loss; gives what is to be noted."""
    import torch

    started = time.perf_counter()
    torch.manual_seed(SEED)
    optimiser = torch.optim.AdamW(
        [item for item in module.parameters() if item.requires_grad], lr=options.rate
    )
    least = data.judged(module)[1]
    best, best_epoch = _state(module), 0
    epoch = 0
    for epoch in range(1, options.epochs + 1):
        _epoch(module, data, optimiser)
        right, loss = data.judged(module)
        said = f"Fine-tuning, epoch {epoch} of {options.epochs}: {right:.1%} right"
        progress(said.replace("%", " %"), 0.3 + 0.6 * epoch / options.epochs)
        if loss < least:
            least, best, best_epoch = loss, _state(module), epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    module.load_state_dict(best)
    module.eval()
    taken = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    best_was = f"number {best_epoch} was the best" if best_epoch else "none was better than before"
    return (
        f"Fine-tuned for {epoch} epochs on {len(data.train):,} samples, of which {best_was}: "
        f"{taken:.0f} s, and {peak:.1f} GB of memory at most."
    )


def _epoch(module: Any, data: Labelled, optimiser: Any) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    module.train()
    for inputs, classes in data.batches(data.train[torch.randperm(len(data.train))]):
        if len(classes) == 1:
            continue  # one sample has no spread, by which a normalisation divides
        optimiser.zero_grad()
        loss: Any = cross_entropy(scores_of(module(*inputs), classes), classes)
        loss.backward()
        optimiser.step()


def _state(module: Any) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
