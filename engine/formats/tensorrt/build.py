"""ONNX → a TensorRT engine: one way for 8.5, 10 and 11, the precision being in the graph."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import ConversionError, UnsupportedModel
from engine.files import disk_errors, hash_path, size_of
from engine.formats.tensorrt import card, log
from engine.formats.tensorrt.card import ENGINE, EngineCard, Place
from engine.formats.tensorrt.device import gpu, gpu_errors
from engine.nvidia import GraphOptions, Plan, generation, profile_for, timing_cache
from engine.options import choice
from engine.registry import Conversion, converter
from engine.types import Artifact, Signature, Step, Target

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineOptions(GraphOptions):
    """What may be chosen when an engine is built."""

    workspace: int = choice(
        4096, "Workspace in MiB", "Memory kernels may use while they run.", low=16, high=1 << 20
    )
    tf32: bool = choice(
        False,
        "TensorFloat-32 for FP32 layers",
        "Faster from Ampere on, with 10 bits of mantissa instead of 23.",
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What an engine is made of: the graph, its plan, and what was chosen."""

    graph: Path
    plan: Plan
    options: EngineOptions
    source: Artifact


@converter("onnx", "tensorrt")
def tensorrt_from_onnx(source: Artifact, out: Path, options: EngineOptions) -> Conversion:
    """Prepare the graph as without a GPU, for the TensorRT that is here; then build."""
    with gpu() as (trt, _, here), tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        kind = registry.format_named("tensorrt_plan").options
        shared = {item.name: getattr(options, item.name) for item in fields(GraphOptions)}
        asked = kind(**shared, version=generation(here.tensorrt))
        prepared = Path(scratch, "prepared")
        registry.edge("onnx", "tensorrt_plan")(source, prepared, asked)
        ready = registry.format_named("tensorrt_plan").load(prepared)
        work = _Work(ready.graph, ready.plan, options, source)
        return _build(trt, here, work, out, ready.plan.notes)


@converter("tensorrt_plan", "tensorrt")
def tensorrt_from_tensorrt_plan(source: Artifact, out: Path, options: EngineOptions) -> Conversion:
    """Build from a graph that was prepared elsewhere. Its precision stays; shapes may be asked."""
    ready = registry.load(source)
    plan: Plan = ready.plan
    if options.precision not in ("graph", plan.precision.lower()):
        raise UnsupportedModel(
            f"The graph was prepared in {plan.precision}; {options.precision.upper()} was asked.",
            hint=f"Prepare the ONNX model with precision={options.precision}.",
        )
    shapes = ("min_batch", "opt_batch", "max_batch", "lengths")
    if any(getattr(options, name) != getattr(EngineOptions(), name) for name in shapes):
        plan = replace(plan, profile=profile_for(source.signature, options))
    with gpu() as (trt, _, here):
        return _build(trt, here, _Work(ready.graph, plan, options, source), out, ())


def _build(trt: Any, here: Place, work: _Work, out: Path, notes: tuple[str, ...]) -> Conversion:
    """Parse, configure, build, look inside, and write engine and card into ``out``."""
    plan, listener = work.plan, log.listener(trt)
    with gpu_errors("building the engine"):
        builder = trt.Builder(listener)
        network = builder.create_network(_network_flags(trt))
        parser = trt.OnnxParser(network, listener)
        if not parser.parse_from_file(str(work.graph)):
            raise _not_parsed(parser, listener.said)
        config = _configure(trt, builder, work)
        cache = timing_cache(here.tensorrt, here.capability, here.gpu)
        _use_timings(config, cache)
        serialized = builder.build_serialized_network(network, config)
        if serialized is None:
            raise ConversionError(
                f"TensorRT built no engine: {log.errors(listener.said)}.",
                hint="Allow more workspace or a narrower range of shapes, or try FP32.",
            )
        _keep_timings(config, cache)
        layers, wide = _look_inside(trt, serialized, listener)
    with disk_errors():
        out.mkdir(parents=True)
        (out / ENGINE).write_bytes(serialized)
    stayed = wide if plan.precision != "FP32" else ()
    made = _card(here, work, layers, stayed)
    card.write(made, out)
    notes = (*notes, *log.warnings(listener.said), *_fallback(plan, layers, stayed))
    told = {"precision": plan.precision, "gpu": here.gpu, "capability": here.capability}
    step = Step("build the engine", "tensorrt", here.tensorrt, told, notes)
    return Conversion(work.source.signature, step, variant=plan.precision)


def _network_flags(trt: Any) -> int:
    """Strong typing where there is such a thing; explicit batch where it is not yet a matter of
    course. Which flags exist is what tells the generations apart."""
    flags = trt.NetworkDefinitionCreationFlag
    wanted = flags.STRONGLY_TYPED if hasattr(flags, "STRONGLY_TYPED") else flags.EXPLICIT_BATCH
    return 1 << int(wanted)


def _configure(trt: Any, builder: Any, work: _Work) -> Any:
    """The build's settings: workspace, detail, TF32, the shapes."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, work.options.workspace * MIB)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not work.options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        # A weakly typed network takes the graph's precision only where it is allowed.
        for precision in {"FP16": ("FP16",), "INT8": ("INT8",)}.get(work.plan.precision, ()):
            config.set_flag(getattr(trt.BuilderFlag, precision))
    if work.plan.dynamic:
        profile = builder.create_optimization_profile()
        for name, span in work.plan.profile.items():
            profile.set_shape(name, span.min, span.opt, span.max)
        if config.add_optimization_profile(profile) < 0:
            raise ConversionError(
                "TensorRT did not take the range of shapes.",
                hint="See that each smallest, typical and largest size fits the model.",
            )
    return config


def _not_parsed(parser: Any, said: list[tuple[str, str]]) -> UnsupportedModel:
    """Why the parser gave up, in its own words, with the node where it names one."""
    found = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        operator = error.node_operator() if hasattr(error, "node_operator") else ""
        name = error.node_name() if hasattr(error, "node_name") else ""
        where = " ".join(filter(None, (operator, repr(name) if name else "")))
        what = error.desc().strip().splitlines()
        found.append(f"{what[0] if what else 'no reason'}{f' (at {where})' if where else ''}")
    return UnsupportedModel(
        f"TensorRT's parser cannot read this graph: {'; '.join(found) or log.errors(said)}",
        hint="Write that part of the model with other operators, or keep it in ONNX Runtime.",
    )


def _use_timings(config: Any, cache: Path) -> None:
    """Begin with the timings of earlier builds on this card, or with none where they do not fit."""
    kept = cache.read_bytes() if cache.is_file() else b""
    timings = config.create_timing_cache(kept)
    if timings is None or not config.set_timing_cache(timings, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _keep_timings(config: Any, cache: Path) -> None:
    """Keep the timings, whole or not at all. Without room for them the engine is none the worse."""
    part = cache.with_name(f"{cache.name}.{os.getpid()}.part")
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(config.get_timing_cache().serialize())
        part.rename(cache)


def _look_inside(
    trt: Any, serialized: Any, listener: Any
) -> tuple[dict[str, int], tuple[str, ...]]:
    """(layers by type, those that give FP32), from the engine itself."""
    engine = trt.Runtime(listener).deserialize_cuda_engine(serialized)
    if engine is None:
        raise ConversionError(
            f"TensorRT cannot open the engine it just built: {log.errors(listener.said)}.",
            hint="See that the card has memory to spare (nvidia-smi).",
        )
    inspector = engine.create_engine_inspector()
    return log.layers_of(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _fallback(plan: Plan, layers: dict[str, int], stayed: tuple[str, ...]) -> tuple[str, ...]:
    """What did not get the precision that was asked for."""
    if not layers:
        return ("The engine does not list its layers, so what stayed FP32 is not known.",)
    if not stayed:
        return ()
    some = ", ".join(stayed[:5]) + (" …" if len(stayed) > 5 else "")
    return (
        f"{len(stayed)} of {sum(layers.values())} layers give FP32, not {plan.precision}: {some}.",
    )


def _card(here: Place, work: _Work, layers: dict[str, int], stayed: tuple[str, ...]) -> EngineCard:
    parameters, _, facts = registry.format_named("onnx").describe(work.graph)
    chosen = {
        item.name: getattr(work.options, item.name)
        for item in fields(EngineOptions)
        if getattr(work.options, item.name) != item.default
    }
    source = "model.prepared.zip" if work.source.format == "tensorrt_plan" else "model.onnx"
    target = Target("tensorrt", chosen).key
    return EngineCard(
        schema=card.SCHEMA,
        built=here,
        precision=work.plan.precision,
        profile=work.plan.profile,
        signature=_with_outputs(work.source.signature, work.graph),
        layers=layers,
        stayed_float32=stayed,
        parameters=parameters,
        facts={**facts, "ONNX graph": f"{size_of(work.graph):,} bytes"},
        source_sha256=hash_path(work.source.path),
        rebuild=f"python -m engine run --model {source} --to '{target}'",
    )


def _with_outputs(signature: Signature, graph: Path) -> Signature:
    """The signature; with the graph's outputs where it names none."""
    if signature.outputs:
        return signature
    read = registry.format_named("onnx").read_signature
    assert read is not None
    return replace(signature, outputs=read(graph).outputs)
