"""What the TensorRT formats share: the GPU as a requirement, the options, and the build plan.

Imports no NVIDIA package: whether there is a GPU is asked of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import BadRequest
from engine.feeds import SYMBOL_SIZE
from engine.lazy import Requirement
from engine.options import choice
from engine.settings import settings
from engine.types import Signature, TensorSpec

DRIVER = Path("/proc/driver/nvidia/version")
GENERATIONS = ("8.5", "10", "11")
"""The TensorRT releases whose interface differs, oldest first; 8.6 and 9 count as 8.5."""
REQUIREMENTS = "pip install -r requirements-gpu.txt"
PLAN_SCHEMA = 1
_LENGTH = re.compile(r"(?P<symbol>[^\s,;]+)\s+(?P<min>\d+)-(?P<opt>\d+)-(?P<max>\d+)")
_LONGEST = 128
"""The largest size of a dynamic axis that nobody named: a profile has to end somewhere."""


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is loaded on this machine; asks the kernel, imports nothing."""
    return DRIVER.is_file()


def driver_version() -> str | None:
    """The loaded driver, such as ``"550.54.15"``; None without one."""
    if not has_nvidia_gpu():
        return None
    found = re.search(r"\b\d{3,}\.\d+(?:\.\d+)?\b", DRIVER.read_text(encoding="utf-8"))
    return found[0] if found else None


def card_names() -> str | None:
    """The cards as the driver calls them, such as ``"NVIDIA H100 80GB HBM3"``; None without one."""
    files = sorted(DRIVER.parent.glob("gpus/*/information"))
    found = (re.search(r"^Model:\s*(.+?)\s*$", file.read_text(), re.MULTILINE) for file in files)
    return ", ".join(name[1] for name in found if name) or None


@dataclass(frozen=True, slots=True)
class NvidiaGpu(Requirement):
    """The card, as something a format needs. No package brings it."""

    module: str = ""
    distribution: str = "NVIDIA driver"

    @property
    def installed(self) -> bool:
        """Whether a driver is loaded."""
        return has_nvidia_gpu()

    @property
    def version(self) -> str | None:
        """The driver's."""
        return driver_version()

    @property
    def install_line(self) -> str:
        """None: no line installs a card."""
        return ""

    @property
    def elsewhere(self) -> bool:
        """True: hosts differ in their cards."""
        return True

    @property
    def lack(self) -> str:
        """What to say on a machine without one."""
        return "no NVIDIA GPU was found here"


@dataclass(frozen=True, slots=True)
class GpuPackage(Requirement):
    """A package that stands in ``requirements-gpu.txt``, not in ``requirements.txt``."""

    @property
    def install_line(self) -> str:
        """The one line that installs it, in the version that Assay names."""
        return REQUIREMENTS

    @property
    def elsewhere(self) -> bool:
        """True: these packages go with the card."""
        return True


NEEDS = (NvidiaGpu(), GpuPackage("tensorrt", "tensorrt"), GpuPackage("pycuda", "pycuda"))


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What a person chooses about the graph an engine is built from, and the shapes it takes."""

    precision: str = choice(
        "graph",
        "Precision",
        "TensorRT takes the precision from the ONNX graph.",
        values={
            "graph": "as in the ONNX graph (INT8 where it is quantized)",
            "fp32": "FP32",
            "fp16": "FP16, inputs and outputs stay FP32",
            "int8": "INT8, from the QuantizeLinear/DequantizeLinear pairs of the graph",
        },
        many=True,
    )
    min_batch: int = choice(1, "Smallest batch", "Of the optimization profile.", low=1, high=65536)
    opt_batch: int = choice(
        8, "Batch to tune for", "The one kernels are chosen for.", low=1, high=65536
    )
    max_batch: int = choice(32, "Largest batch", "Larger batches are refused.", low=1, high=65536)
    lengths: str = choice(
        "",
        "Other dynamic axes",
        "Smallest-typical-largest size of each, such as: sequence 1-64-512; width 8-8-64. "
        f"Those not named get 1-{SYMBOL_SIZE}-{_LONGEST}.",
    )


@dataclass(frozen=True, slots=True)
class Range:
    """The shapes of one input that an engine takes, and the one it is tuned for."""

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Whether the engine takes an input of this shape."""
        return len(shape) == len(self.min) and all(
            low <= size <= high for low, size, high in zip(self.min, shape, self.max, strict=True)
        )


Profile = Mapping[str, Range]
"""By input. Inputs of one fixed shape have a range, too; it holds that shape alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is settled before a GPU is needed. The ``tensorrt.json`` beside a prepared graph.

    ``precision`` is the graph's own: FP32, FP16 or INT8. ``operators`` counts them; ``notes`` are
    what the check found; ``commands`` are the lines to run on the GPU host, by tool.
    """

    schema: int
    precision: str
    tensorrt: str
    opset: int
    onnx: str
    onnx_sha256: str
    profile: Profile
    operators: Mapping[str, int]
    notes: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)

    @property
    def dynamic(self) -> bool:
        """Whether an input takes more than one shape, so that TensorRT needs the profile."""
        return any(span.min != span.max for span in self.profile.values())


def profile_for(signature: Signature, options: GraphOptions) -> dict[str, Range]:
    """The shapes an engine of this signature is built for. Raises BadRequest."""
    sizes = _lengths(signature, options.lengths)
    if signature.batch_symbol:
        sizes[signature.batch_symbol] = (options.min_batch, options.opt_batch, options.max_batch)
    for symbol, (low, typical, high) in sizes.items():
        if not 1 <= low <= typical <= high:
            raise BadRequest(
                f"The sizes of {symbol!r} are {low}-{typical}-{high}; they must grow from 1 up.",
                hint="Give the smallest, the typical and the largest size, in this order.",
            )
    return {spec.name: _range(spec, sizes) for spec in signature.inputs}


def _range(spec: TensorSpec, sizes: Mapping[str, tuple[int, int, int]]) -> Range:
    spans = [sizes[dim] if isinstance(dim, str) else (dim, dim, dim) for dim in spec.shape]
    return Range(*(tuple(span[at] for span in spans) for at in range(3)))


def _lengths(signature: Signature, text: str) -> dict[str, tuple[int, int, int]]:
    """Sizes of the symbols other than the batch, as asked or by default. Raises BadRequest."""
    others = [name for name in signature.symbols if name != signature.batch_symbol]
    sizes = dict.fromkeys(others, (1, SYMBOL_SIZE, _LONGEST))
    for part in filter(None, (part.strip() for part in re.split("[,;]", text))):
        found = _LENGTH.fullmatch(part)
        if found is None or found["symbol"] not in sizes:
            axes = ", ".join(others) or "none"
            raise BadRequest(
                f"{part!r} is not a size of a dynamic axis of this model.",
                hint=f"Write 'axis smallest-typical-largest'; the axes: {axes}.",
            )
        sizes[found["symbol"]] = int(found["min"]), int(found["opt"]), int(found["max"])
    return sizes


def generation(version: str) -> str:
    """Which of ``GENERATIONS`` a TensorRT version speaks. Raises BadRequest for one too old."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    older = [name for name in GENERATIONS if tuple(map(int, name.split("."))) <= numbers]
    if not older:
        raise BadRequest(
            f"TensorRT {version} is too old: inputs are set by name only since 8.5.",
            hint=f"Install a current one: {REQUIREMENTS}",
        )
    return older[-1]


def timing_cache(version: str, capability: str, card: str) -> Path:
    """Where the timings of this TensorRT on this card are kept: on another they mean nothing."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{version} sm{capability} {card}").lower()
    return settings().data_dir / "tensorrt" / f"{name}.timing"
