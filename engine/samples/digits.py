"""A small convolutional net, really trained on handwritten digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.architectures import spec_for
from engine.samples import eager
from engine.samples.model import SEED, Progress, Sample, SampleModel
from engine.verify.wilson import wilson

SAMPLES = (
    Sample(
        "digits",
        "Digits",
        "A small convolutional net, trained here in seconds on scikit-learn's handwritten digits; "
        "its accuracy is measured on images it has not seen.",
        {"Weights": "trained when imported", "Data": "1,797 images of 8 × 8"},
    ),
)

HELD_OUT = 360
"""Images that are not trained on."""


def write(sample: Sample, out: Path, progress: Progress) -> SampleModel:
    """Train it and write the torch folder."""
    spec = spec_for("digits")
    module = eager.build(spec)
    learned = _train(module, progress)
    eager.save(module, spec, out, progress)
    return SampleModel({**sample.facts, **learned}, (eager.SEEDED,))


def division(count: int) -> tuple[Any, Any]:
    """Which images are trained on and which are held out to judge by: two tensors of indices."""
    import torch

    order = torch.randperm(count, generator=torch.Generator().manual_seed(SEED))
    return order[HELD_OUT:], order[:HELD_OUT]


def _train(module: Any, progress: Progress) -> dict[str, str]:
    """Train on four fifths of the digits; gives the accuracy on the rest."""
    import torch
    from sklearn.datasets import load_digits
    from torch.nn.functional import cross_entropy

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target, dtype=torch.long)
    train, held_out = division(len(labels))
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=1e-2)
    epochs = 20
    module.train()
    for epoch in range(epochs):
        progress(f"Training, epoch {epoch + 1} of {epochs}", 0.1 + 0.8 * epoch / epochs)
        for rows in torch.split(train[torch.randperm(len(train))], 64):
            optimiser.zero_grad()
            loss: Any = cross_entropy(module(images[rows]), labels[rows])
            loss.backward()
            optimiser.step()
    module.eval()
    with torch.inference_mode():
        right = int((module(images[held_out]).argmax(1) == labels[held_out]).sum())
    low, high = wilson(right, len(held_out))
    return {
        "Weights": f"trained for {epochs} epochs on {len(train):,} images",
        "Held-out accuracy": f"{right / len(held_out):.1%} of {len(held_out)} images "
        f"[{100 * low:.1f}, {100 * high:.1f}]".replace("%", " %"),
    }
