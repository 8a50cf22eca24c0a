"""The eager model on disk: a folder of architecture.json, weights.safetensors, signature.json.

A language model's folder also holds its tokenizer's files, under the names they came with; that of
a person's own architecture holds its code. What passes did to the module is in surgery.json.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engine.architecture import Architecture, ArchitectureSpec
from engine.architectures import architecture_named, own_code, precision, surgery
from engine.errors import InvalidModel
from engine.feeds import with_outputs
from engine.files import disk_errors
from engine.records import dumps, parse
from engine.types import Feed, Signature
from engine.verify.inputs import feed

ARCHITECTURE, WEIGHTS, SIGNATURE = "architecture.json", "weights.safetensors", "signature.json"
TOKENIZER_FILES = (
    *("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "spiece.model"),
    *("chat_template.jinja", "generation_config.json", "tekken.json", "tiktoken.model"),
)
"""The names tokenizers are stored under beside a Hugging Face model: text, and two protobufs."""
_LARGEST_TOKENIZER = 64 << 20
_LENGTH = 8
"""Bytes in which a safetensors file says how long its header is."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """Weights under the architecture's own names, and what was done to get them there."""

    weights: Mapping[str, Any]
    notes: tuple[str, ...]


def write(
    out: Path,
    spec: ArchitectureSpec,
    state_dict: Mapping[str, Any],
    signature: Signature | None = None,
) -> tuple[Signature, tuple[str, ...]]:
    """Write the folder ``out``; gives the signature and notes. Raises InvalidModel.

    Without a signature the architecture's own is taken; outputs are found by running the model.
    """
    from safetensors.torch import save_file

    architecture = _architecture(spec, out)
    found = match(spec, state_dict, architecture)
    kept, tied = _without_ties(found.weights)
    wanted = signature or architecture.signature(spec.config)
    out.mkdir(parents=True, exist_ok=True)
    with disk_errors():
        save_file(kept, out / WEIGHTS, metadata=tied)
        (out / ARCHITECTURE).write_text(dumps(spec), encoding="utf-8")
        (out / SIGNATURE).write_text(dumps(wanted), encoding="utf-8")
    if not wanted.outputs:
        wanted = _run_for_outputs(build(out), wanted)
        (out / SIGNATURE).write_text(dumps(wanted), encoding="utf-8")
    return wanted, found.notes


def keep_tokenizer(source: Path, out: Path) -> tuple[str, ...]:
    """Copy the tokenizer's files from a Hugging Face folder into ``out``; gives their names.

    A link that leads elsewhere, or a file that is too large to be a tokenizer's, is left out.
    """
    home = source.resolve()
    kept = tuple(
        name
        for name in TOKENIZER_FILES
        if (path := source / name).is_file()
        and path.resolve().parent == home
        and path.stat().st_size <= _LARGEST_TOKENIZER
    )
    with disk_errors():
        for name in kept:
            shutil.copyfile(source / name, out / name)
    return kept


def read_spec(folder: Path) -> ArchitectureSpec:
    """Which architecture the folder holds. Raises InvalidModel."""
    return _read(folder, ARCHITECTURE, ArchitectureSpec)


def tensor_bytes(folder: Path) -> int:
    """Bytes of the weights as they are stored: all of their file behind its header."""
    with (folder / WEIGHTS).open("rb") as file:
        header = int.from_bytes(file.read(_LENGTH), "little")
    return (folder / WEIGHTS).stat().st_size - _LENGTH - header


def read_signature(folder: Path) -> Signature:
    """What goes in and out of the model in the folder. Raises InvalidModel."""
    return _read(folder, SIGNATURE, Signature)


def build(folder: Path) -> Any:
    """The ``nn.Module`` of the folder, in eval mode, its weights loaded strictly."""
    read_signature(folder)  # a folder without one is refused before its weights are read
    return adapted(bare(folder), folder)


def bare(folder: Path) -> Any:
    """The module under its architecture's own names, the weights loaded, as they are stored."""
    spec = read_spec(folder)
    weights = _weights(folder / WEIGHTS)
    module = _bare(_architecture(spec, folder), spec)
    surgery.resize(module, surgery.read(folder))
    _refuse_mismatch(spec, module.state_dict(), weights)
    module.load_state_dict(weights, strict=True, assign=True)
    return module.requires_grad_(False).eval()


def adapted(module: Any, folder: Path) -> Any:
    """A bare module as it is run: tensors by position, in the precision the folder asks for."""
    architecture = _architecture(read_spec(folder), folder)
    whole = architecture.adapt(module, read_signature(folder)).eval()
    return precision.applied(whole, module, surgery.read(folder))


def rewrite(
    source: Path,
    out: Path,
    module: Any,
    *,
    spec: ArchitectureSpec | None = None,
    done: surgery.Surgery | None = None,
) -> None:
    """Write a changed bare module as the folder ``out``: all the rest as it is in ``source``.

    Its sizes are compared with what the architecture builds and recorded, so that ``build`` gives
    the same module again; ``done`` carries what is to be recorded beside them.
    """
    from safetensors.torch import save_file

    spec = spec or read_spec(source)
    attributes, shapes = surgery.sizes_between(_bare(_architecture(spec, source), spec), module)
    before = done or surgery.read(source)
    left_out = shutil.ignore_patterns(WEIGHTS, ARCHITECTURE, surgery.FILE)
    kept, tied = _without_ties(module.state_dict())
    with disk_errors():
        shutil.copytree(source, out, ignore=left_out, dirs_exist_ok=True)
        save_file(kept, out / WEIGHTS, metadata=tied)
        (out / ARCHITECTURE).write_text(dumps(spec), encoding="utf-8")
        surgery.write(out, replace(before, attributes=attributes, shapes=shapes))


def generates(folder: Path) -> bool:
    """Whether the module of the folder also goes on from tokens, keeping what it has read."""
    spec = read_spec(folder)
    return _architecture(spec, folder).generates(spec.config)


def builds(spec: ArchitectureSpec, module: Any) -> bool:
    """Whether an architecture of this library gives a module with weights of just these shapes."""
    built = _bare(architecture_named(spec.architecture), spec)
    return not surgery.sizes_between(built, module)[1]


def _architecture(spec: ArchitectureSpec, folder: Path) -> Architecture:
    """The architecture by its name; one of a person's own by the code in the folder."""
    if spec.architecture == own_code.NAME:
        return own_code.architecture_of(folder)
    return architecture_named(spec.architecture)


def match(
    spec: ArchitectureSpec,
    state_dict: Mapping[str, Any],
    architecture: Architecture | None = None,
) -> Match:
    """The state_dict under the architecture's names. Raises InvalidModel naming what differs."""
    import torch

    module = _bare(architecture or architecture_named(spec.architecture), spec)
    expected: Mapping[str, Any] = module.state_dict()
    tensors = {key: value for key, value in state_dict.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InvalidModel(
            "There are no tensors in this state_dict.",
            hint="Save the weights with torch.save(model.state_dict(), path).",
        )
    weights, notes = _without_prefix(tensors, expected)
    weights, more = _settled(weights, expected, module)
    notes += more
    _refuse_mismatch(spec, expected, weights)
    weights, cast = _as_computed(weights, expected)
    return Match(weights, notes + cast)


def _bare(architecture: Architecture, spec: ArchitectureSpec) -> Any:
    """The module without memory for its weights, or with it where something is not a weight."""
    import torch

    if architecture.name == own_code.NAME:
        # Such code may compute while it builds, which needs memory.
        return architecture.build(spec.config)
    with torch.device("meta"):
        module = architecture.build(spec.config)
    persistent = set(module.state_dict())
    # A buffer outside the state_dict (positions, frequencies) is computed when building.
    if all(name in persistent for name, _ in module.named_buffers()):
        return module
    return architecture.build(spec.config)


def _without_prefix(
    tensors: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Leading names that every key shares (``module.``) are dropped where that fits better."""
    best, best_prefix = dict(tensors), ""
    stripped, prefix = dict(tensors), ""
    while True:
        heads = {key.split(".", 1)[0] for key in stripped}
        if len(heads) != 1 or not all("." in key for key in stripped):
            break
        prefix += f"{heads.pop()}."
        stripped = {key.split(".", 1)[1]: value for key, value in stripped.items()}
        if len(set(expected) & set(stripped)) > len(set(expected) & set(best)):
            best, best_prefix = stripped, prefix
    if not best_prefix:
        return best, ()
    return best, (f"The prefix {best_prefix!r} was taken off the names of all weights.",)


def _settled(
    weights: dict[str, Any], expected: Mapping[str, Any], module: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Add what follows from the rest (tied weights, counters), drop what is only computed."""
    import torch

    notes: list[str] = []
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for group in names.values():
        given = next((name for name in group if name in weights), None)
        for name in group:
            if given and name not in weights:
                weights[name] = weights[given]
                notes.append(f"{name} is tied to {given}.")
    for name in expected:
        if name.endswith("num_batches_tracked") and name not in weights:
            weights[name] = torch.zeros((), dtype=torch.long)
    computed = {name for name, _ in module.named_buffers()} - set(expected)
    for name in computed & set(weights):
        del weights[name]
        notes.append(f"{name} is computed by the model and was left out.")
    return weights, tuple(notes)


def _as_computed(
    weights: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Floating weights in the precision the architecture computes in."""
    cast: dict[str, Any] = {}
    stored: set[str] = set()
    made: dict[int, Any] = {}
    for name, tensor in weights.items():
        target = expected[name].dtype
        if tensor.dtype != target and tensor.is_floating_point():
            stored.add(str(tensor.dtype).removeprefix("torch."))
            tensor = made.setdefault(id(tensor), tensor.to(target))
        cast[name] = tensor
    if not stored:
        return cast, ()
    return cast, (f"Weights stored as {', '.join(sorted(stored))} are computed in float32.",)


def _refuse_mismatch(
    spec: ArchitectureSpec, expected: Mapping[str, Any], weights: Mapping[str, Any]
) -> None:
    missing = [name for name in expected if name not in weights]
    unexpected = [name for name in weights if name not in expected]
    shapes = [
        name for name in expected if name in weights and expected[name].shape != weights[name].shape
    ]
    if not (missing or unexpected or shapes):
        return
    said = []
    if missing:
        are = "weight is" if len(missing) == 1 else "weights are"
        said.append(f"{len(missing)} {are} missing, the first is {missing[0]!r}")
    if unexpected:
        are = "is" if len(unexpected) == 1 else "are"
        said.append(f"{len(unexpected)} {are} unexpected, the first is {unexpected[0]!r}")
    if shapes:
        name, have = shapes[0], "has" if len(shapes) == 1 else "have"
        said.append(
            f"{len(shapes)} {have} another shape, the first is {name!r} "
            f"(expected {list(expected[name].shape)}, found {list(weights[name].shape)})"
        )
    raise InvalidModel(
        f"These weights do not fit the architecture {spec.architecture!r}: {'; '.join(said)}.",
        hint="Choose the architecture and configuration the weights were trained with.",
    )


def _without_ties(weights: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """One tensor a storage, as safetensors asks, and for each dropped name the one it equals."""
    kept: dict[str, Any] = {}
    tied: dict[str, str] = {}
    places: dict[tuple[Any, ...], str] = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        if tensor.numel() and place in places:
            tied[name] = places[place]
            continue
        places[place] = name
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        kept[name] = tensor.contiguous() if whole else tensor.contiguous().clone()
    return kept, tied


def _weights(path: Path) -> dict[str, Any]:
    """The tensors of a file written by ``write``, tied ones included."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict: it has no other way
            tied = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InvalidModel(
            f"{path.name} cannot be read as safetensors: {error}",
            hint="The model's folder is damaged: import the model again.",
        ) from error
    return weights | {name: weights[kept] for name, kept in tied.items() if kept in weights}


def _run_for_outputs(module: Any, signature: Signature) -> Signature:
    """Run the model on a few sizes to see what it gives back."""
    import torch

    from engine.tensors import arrays_of, tensors_for, torch_errors

    def infer(given: Feed) -> dict[str, np.ndarray]:
        with torch_errors("running the model"), torch.inference_mode():
            return arrays_of(module(*tensors_for(given, signature)), signature)

    def make(sizes: Mapping[str, int]) -> Feed:
        return feed(signature, "random", 2, 0, sizes=sizes)

    return with_outputs(signature, make, infer)


def _read(folder: Path, name: str, kind: type[T]) -> T:
    path = folder / name
    try:
        return parse(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidModel(
            f"{name} is missing or damaged in the model's folder: {error}",
            hint="Import the model again.",
        ) from error
