"""Models to try Assay with, made on the spot: nothing is downloaded.

One file a kind of sample: ``SAMPLES`` says what there is, ``write`` makes one of them.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from engine.errors import NotFound
from engine.samples import adaptive, digits, llama, llama7b, resnet50
from engine.samples.model import Progress, Sample, SampleModel

__all__ = ["SAMPLES", "Sample", "SampleModel", "sample_named", "samples", "write_sample"]

_MODULES: tuple[ModuleType, ...] = (resnet50, digits, adaptive, llama, llama7b)
SAMPLES: tuple[Sample, ...] = tuple(sample for module in _MODULES for sample in module.SAMPLES)


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
    """Make the sample at ``out``: a file or folder of its format."""
    sample = sample_named(name)
    module = next(module for module in _MODULES if sample in module.SAMPLES)
    progress(f"Building {sample.label}", 0.1)
    made: SampleModel = module.write(sample, out, progress)
    return made
