"""Models to try Assay with, made on the spot: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.architectures import folder, spec_for
from engine.errors import NotFound
from engine.verify.gate import wilson

SEED = 7
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """A model a person can start with. ``facts`` are known before it is made."""

    name: str
    label: str
    sentence: str
    architecture: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SampleModel:
    """What making a sample told: facts to show, and notes on how it came to be."""

    facts: Mapping[str, str]
    notes: tuple[str, ...]


SAMPLES = (
    Sample(
        "resnet50",
        "ResNet-50",
        "The image classifier of the reference tables. Seeded, untrained weights: its speed and "
        "size are real, its answers mean nothing.",
        "resnet50",
        {"Weights": "random, from a fixed seed", "Parameters": "25.6 million"},
    ),
    Sample(
        "digits",
        "Digits",
        "A small convolutional net, trained here in seconds on scikit-learn's handwritten digits; "
        "its accuracy is measured on images it has not seen.",
        "digits",
        {"Weights": "trained when imported", "Data": "1,797 images of 8 × 8"},
    ),
    Sample(
        "adaptive",
        "Adaptive",
        "A small model whose path depends on its data: tracing gets it wrong, scripting does not.",
        "adaptive",
        {"Weights": "random, from a fixed seed"},
    ),
)


def samples() -> tuple[Sample, ...]:
    """Every sample, the first one first to try."""
    return SAMPLES


def sample_named(name: str) -> Sample:
    """The sample of that name. Raises NotFound naming those there are."""
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    known = ", ".join(sample.name for sample in SAMPLES)
    raise NotFound(f"There is no sample {name!r}.", hint=f"Samples: {known}.")


def write_sample(name: str, out: Path, progress: Progress) -> SampleModel:
    """Make the sample and write it as a torch folder at ``out``."""
    import torch

    from engine.architectures import architecture_named

    sample = sample_named(name)
    spec = spec_for(sample.architecture)
    progress(f"Building {sample.label}", 0.1)
    torch.set_num_threads(1)  # small work; more threads would only wait for each other
    torch.manual_seed(SEED)
    module = architecture_named(spec.architecture).build(spec.config)
    facts, notes = dict(sample.facts), (f"Made with torch.manual_seed({SEED}).",)
    if name == "digits":
        facts |= _train_digits(module, progress)
    if name == "resnet50":
        _settle(module)
    progress("Writing the model", 0.9)
    folder.write(out, spec, module.eval().state_dict())
    return SampleModel(facts, notes)


def _settle(module: Any) -> None:
    """Let the normalisation layers see data once, so that answers differ between images."""
    import torch

    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    module.train()
    with torch.no_grad():
        module(torch.randn(4, 3, 224, 224))


def _train_digits(module: Any, progress: Progress) -> dict[str, str]:
    """Train on four fifths of the digits; gives the accuracy on the rest."""
    import torch
    from sklearn.datasets import load_digits
    from torch.nn.functional import cross_entropy

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target, dtype=torch.long)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED))
    held_out, train = order[:360], order[360:]
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
