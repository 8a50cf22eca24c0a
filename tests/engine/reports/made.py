"""A report with known figures, made of the real records: what the tests of this folder read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.bench.model import Block, Environment, Measurement, MemoryPass, Variant
from engine.bench.plan import make_plan
from engine.reports.model import SCHEMA_VERSION, Advice, Report, ReportArtifact, ReportModel
from engine.types import Reach, Signature, Step, TensorSpec
from engine.verify.model import Case, OutputComparison, Thresholds, Verdict, Verification

MIB = 1024**2
SIGNATURE = Signature(
    (TensorSpec("pixel_values", "float32", ("batch", 3, 224, 224)),),
    (TensorSpec("logits", "float32", ("batch", 1000)),),
)
MEDIANS_MS = {"torch": 70.0, "onnx": 35.0, "torchscript": 60.0}
LABELS = {"torch": "PyTorch (eager)", "onnx": "ONNX Runtime", "torchscript": "TorchScript"}


def report(medians: dict[str, float] | None = None, *, preset: str = "quick") -> Report:
    """A report of ResNet-50 in three formats with these medians in ms and 2 % of noise."""
    wanted = medians or MEDIANS_MS
    variants = tuple(
        Variant(f"{name}-b1-t2", f"a-{name}", name, LABELS[name], 1, 2, name == "torch")
        for name in wanted
    )
    plan = make_plan(variants, preset, seed=1)
    random = np.random.default_rng(5)
    blocks = tuple(
        _block(key, index, wanted[key.split("-")[0]], plan.preset.iterations, random)
        for index, keys in enumerate(plan.order)
        for key in keys
    )
    measurement = Measurement(
        plan=plan,
        blocks=blocks,
        memory=tuple(
            MemoryPass(v.key, 200 * MIB, 300 * MIB, 350 * MIB, 200 * MIB, 90 * MIB)
            for v in variants
        ),
        environment=Environment({"Processor": "Example CPU"}, {"torch": "2.13.0", "numpy": "2.4"}),
        failures={},
        started_at="2026-01-02T03:04:05+00:00",
        seconds=45.0,
    )
    return Report(
        schema_version=SCHEMA_VERSION,
        id="0123456789abcdef",
        title="ResNet-50: ONNX Runtime, TorchScript",
        created_at="2026-01-02T03:05:00+00:00",
        assay_version="0.1.0",
        model=_model(),
        artifacts=tuple(_artifact(name) for name in wanted),
        failures={},
        measurement=measurement,
        advice=Advice("onnx-runtime", "ONNX Runtime", "onnx", "tree", {"target": "multi-platform"}),
        reproduce="python -m engine run --sample resnet50 --to onnx,torchscript --preset quick",
    )


def renamed(made: Report, name: str) -> Report:
    """The same report with a model, labels and notes called ``name``."""
    assert made.measurement is not None
    plan = made.measurement.plan
    variants = tuple(replace(v, label=name) for v in plan.variants)
    return replace(
        made,
        title=name,
        model=replace(made.model, name=name, notes=(name,), facts={name: name}),
        artifacts=tuple(replace(a, label=name) for a in made.artifacts),
        failures={name: name},
        measurement=replace(
            made.measurement,
            plan=replace(plan, variants=variants),
            environment=Environment({name: name}, {"torch": name}),
        ),
        reproduce=name,
    )


def _block(
    key: str, index: int, median_ms: float, count: int, random: np.random.Generator
) -> Block:
    level = median_ms * 1e6 * np.exp(random.normal(0, 0.005))
    samples = level * np.exp(random.normal(0, 0.02, count))
    return Block(
        variant=key,
        round=index,
        import_s=1.5,
        load_s=0.25,
        first_s=0.25,
        warmup_ns=(int(level * 2),) * 3,
        samples_ns=tuple(int(value) for value in samples),
        cpu_s=1.0,
        involuntary_switches=3,
        canary_ns=(5_000_000, 5_050_000),
        steal_share=0.0,
        psi_share=0.1,
        load1=0.5,
    )


def _model() -> ReportModel:
    return ReportModel(
        id="m",
        name="ResNet-50",
        kind="sample",
        sha256="ab" * 32,
        size_bytes=100 * MIB,
        signature=SIGNATURE,
        signature_origin="carried",
        parameters=25_557_032,
        op_histogram={"Conv2d": 53},
        facts={"Weights": "random"},
        reach=(Reach("onnx", True, "the exporter reads it"),),
        notes=(),
    )


def _artifact(name: str) -> ReportArtifact:
    output = OutputComparison(
        "logits", (2, 1000), (2, 1000), "float32", "float32",
        1e-5, 2e-6, 0.9999999, 110.0, 1e-6, 0, 0, 0, 0, 2, 2,
    )  # fmt: skip
    verification = Verification(
        artifact_id=f"a-{name}",
        verdict=Verdict.EQUIVALENT,
        sentence="Equivalent: 'logits' differs by 2e-06.",
        thresholds=Thresholds(),
        cases=(
            Case("random", 2, (output,), 1e-7),
            Case("random", 3, (), None, error="it takes two rows only"),
        ),
        top1_agreement=1.0,
        top1_interval=(0.34, 1.0),
        input_hashes={"random-2": "cd" * 32},
        seed=1,
    )
    return ReportArtifact(
        id=f"a-{name}",
        format=name,
        label=LABELS[name],
        sha256="ef" * 32,
        size_bytes=98 * MIB,
        signature=SIGNATURE,
        lineage=(Step("export", "torch.onnx", "2.13", {"opset": 20}, (), 5.0),),
        is_original=name == "torch",
        verification=None if name == "torch" else verification,
        variant="",
        options={},
        passes=(),
    )
