"""Published tables beside what was measured: apart, scored, and compared by ratios alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import changes
from engine.bench.model import Block, GpuUse, MemoryPass
from engine.knowledge.reference import reference_tables
from engine.reports.comparable import precision_of
from engine.reports.export import export_markdown
from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.reference import ReferenceFigures
from engine.reports.render import export_html
from engine.types import Change, Signature, TensorSpec
from tests.engine.reports.made import MIB, report
from tests.engine.reports.test_section_tokens import process

WORDS = Signature(
    (TensorSpec("input_ids", "int64", ("batch", "sequence")),),
    (TensorSpec("logits", "float32", ("batch", "sequence", 512)),),
)


def column(made: Report, label: str) -> ReferenceFigures:
    """What stands beside the printed column of that label."""
    return next(beside for beside in figures(made).references if beside.column == label)


def changed(
    made: Report, format: str, *, passes: tuple[str, ...] = (), variant: str = ""
) -> Report:
    """The same report with the artifact of that format made through these passes."""
    artifacts = tuple(
        replace(one, passes=tuple(map(Change, passes)), variant=variant)
        if one.format == format
        else one
        for one in made.artifacts
    )
    return replace(made, artifacts=artifacts)


def recast(made: Report, formats: dict[str, tuple[str, str]]) -> Report:
    """The same figures as if of other formats: by the old one, the new one and its variant."""
    assert made.measurement is not None
    plan = made.measurement.plan
    variants = tuple(
        replace(v, format=formats.get(v.format, (v.format, ""))[0]) for v in plan.variants
    )
    artifacts = tuple(
        replace(one, format=formats[one.format][0], variant=formats[one.format][1])
        if one.format in formats
        else one
        for one in made.artifacts
    )
    measurement = replace(made.measurement, plan=replace(plan, variants=variants))
    return replace(made, artifacts=artifacts, measurement=measurement)


def language(first_ms: tuple[int, int, int], prompt: int = 512, name: str = "LLaMA-7B") -> Report:
    """PyTorch, Q8_0 and Q4_0 with these times to the first token; a tenth of each to the next."""
    made = recast(report(), {"onnx": ("gguf", "Q8_0"), "torchscript": ("gguf", "Q4_0")})
    assert made.measurement is not None
    tokens = tuple(
        process(variant.key, prompt, ms, ms // 10, keeps=True)
        for _ in range(3)
        for variant, ms in zip(made.measurement.plan.variants, first_ms, strict=True)
    )
    return replace(
        made,
        model=replace(made.model, name=name, signature=WORDS),
        artifacts=tuple(replace(one, signature=WORDS) for one in made.artifacts),
        measurement=replace(made.measurement, tokens=tokens),
    )


def on_gpu(made: Report, card: str) -> Report:
    """ONNX as TensorRT FP16 and TorchScript as TensorRT INT8, both on that card."""
    made = recast(made, {"onnx": ("tensorrt", "FP16"), "torchscript": ("tensorrt", "INT8")})
    assert made.measurement is not None

    def run(block: Block) -> Block:
        use = GpuUse(block.samples_ns, (), (), None, None, None)
        return block if block.variant.startswith("torch-") else replace(block, gpu=use)

    there = replace(made.measurement.environment, facts={"NVIDIA GPU": card})
    blocks = tuple(map(run, made.measurement.blocks))
    return replace(made, measurement=replace(made.measurement, blocks=blocks, environment=there))


CPU, GPU = "CPU (Intel Xeon)", "GPU (RTX 4090)"
BY_TYPE = ("Each token with 4 threads", "Each token with 8 threads")


def test_the_printed_table_stays_apart_and_is_compared_by_speed() -> None:
    beside = column(report(), CPU)
    assert beside.same_model
    rows = {row.label: row for row in beside.rows}
    assert rows["ONNX Runtime"].printed == 95
    assert rows["ONNX Runtime"].printed_ratio == pytest.approx(180 / 95)
    assert rows["ONNX Runtime"].measured_ratio is not None
    assert "gains here what the table says" in rows["ONNX Runtime"].sentence
    assert rows["TensorRT INT8"].measured is None
    assert [bar.label for bar in beside.measured] == [
        "PyTorch (eager), original",
        "TorchScript",
        "ONNX Runtime",
    ]
    assert [bar.value for bar in beside.printed] == [180, 145, 95]


@pytest.mark.parametrize(
    ("onnx", "outcome"),
    [(60 / 145 * 95, "confirmed"), (100.0, "contradicted"), (43.2, "not decided")],
)
def test_two_formats_are_held_against_the_table(onnx: float, outcome: str) -> None:
    beside = column(report({"torch": 70, "onnx": onnx, "torchscript": 60}), CPU)
    pair = next(p for p in beside.pairs if (p.better, p.worse) == ("ONNX Runtime", "TorchScript"))
    assert pair.printed == pytest.approx(145 / 95)
    assert pair.measured.value == pytest.approx(60 / onnx, rel=0.03), "speed, first over second"
    assert pair.outcome == outcome
    assert pair.sentence.startswith("The table says ONNX Runtime is 1.53× TorchScript; here")
    assert len(beside.pairs) == 3


def test_every_missing_match_is_named_and_the_unknown_stays_unknown() -> None:
    made = report()
    assert made.measurement is not None
    _, score, cpu, threads, precision, batch = column(made, CPU).comparable.rows[0]
    assert (score, batch) == ("1 of 4 (2 unknown)", "same (1)")
    assert cpu == "differs: Intel Xeon, here Example CPU"
    assert threads == precision == "unknown: the reference does not say"
    there = replace(made.measurement.environment, facts={"Processor": "Intel(R) Xeon(R) CPU E5"})
    xeon = replace(made, measurement=replace(made.measurement, environment=there))
    assert column(xeon, CPU).comparable.rows[0][1] == "2 of 4 (2 unknown)"
    other = replace(made, model=replace(made.model, name="Digits"))
    assert column(other, CPU).pairs == (), "the table speaks of one model"


def test_less_gain_than_printed_is_said() -> None:
    beside = column(report({"torch": 70, "onnx": 60, "torchscript": 65}), CPU)
    assert any("gains less here" in row.sentence for row in beside.rows)


def test_another_model_is_not_taken_for_the_printed_one() -> None:
    made = report()
    beside = column(replace(made, model=replace(made.model, name="Digits")), CPU)
    assert not beside.same_model
    assert "another model (ResNet-50)" in beside.table.note


def test_a_row_without_a_precision_takes_what_went_through_no_pass() -> None:
    beside = column(changed(report(), "onnx", passes=("int8-static",)), CPU)
    shown = {row.label: row.measured for row in beside.rows}
    assert shown["ONNX Runtime"] is None
    assert shown["TorchScript"] is not None


def test_noise_decides_no_pair() -> None:
    made = report()
    assert made.measurement is not None
    blocks = tuple(replace(block, psi_share=0.4) for block in made.measurement.blocks)
    busy = replace(made, measurement=replace(made.measurement, blocks=blocks))
    beside = column(busy, CPU)
    assert {pair.outcome for pair in beside.pairs} == {"not decided"}
    assert all("too uncertain" in row.sentence for row in beside.rows if row.sentence)


def ran(made: Report, format: str, **as_it_did: int) -> Report:
    """The same figures as if variants of that format had run with another batch or threads."""
    assert made.measurement is not None
    plan = made.measurement.plan
    variants = tuple(replace(v, **as_it_did) if v.format == format else v for v in plan.variants)
    return replace(
        made, measurement=replace(made.measurement, plan=replace(plan, variants=variants))
    )


def test_only_what_ran_alike_is_compared() -> None:
    beside = column(ran(report(), "torchscript", threads=1), CPU)
    assert [(p.better, p.worse) for p in beside.pairs] == [("ONNX Runtime", "PyTorch eager")]
    ratios = {row.label: row.measured_ratio for row in beside.rows}
    assert ratios["TorchScript"] is None and ratios["ONNX Runtime"] is not None


def test_a_figure_of_another_batch_stands_beside_no_row() -> None:
    beside = column(ran(report(), "onnx", batch=8), CPU)
    rows = {row.label: row.measured for row in beside.rows}
    assert rows["ONNX Runtime"] is None and rows["TorchScript"] is not None


def test_the_rows_of_a_table_are_judged_together() -> None:
    ratios = [row.measured_ratio for row in column(report(), CPU).rows if row.measured_ratio]
    least = min(ratios, key=lambda ratio: ratio.p)
    assert len(ratios) == 2 and least.p > 0
    assert least.p_adjusted == pytest.approx(2 * least.p)


def test_restless_tokens_decide_nothing() -> None:
    made = language((280, 170, 150))
    assert made.measurement is not None
    first, second, *third = (
        made.measurement.tokens[at : at + 3] for at in range(0, len(made.measurement.tokens), 3)
    )
    slow = [replace(w, first_ns=tuple(4 * ns for ns in w.first_ns)) for w in third[0]]
    tokens = (*first, *second, *slow)
    restless = replace(made, measurement=replace(made.measurement, tokens=tokens))
    assert {pair.outcome for pair in column(made, "First token").pairs} == {"confirmed"}
    assert {pair.outcome for pair in column(restless, "First token").pairs} == {"not decided"}


def test_tokens_stand_beside_the_table_of_language_models() -> None:
    made = language((280, 170, 300))
    labels = [beside.column for beside in figures(made).references]
    assert labels == ["First token", "Subsequent tokens", "Memory usage", *BY_TYPE]
    beside = column(made, "First token")
    assert (beside.unit, beside.hardware, beside.same_model) == ("ms", "unnamed hardware", True)
    values = {row.label: row.measured.value.value for row in beside.rows if row.measured}
    assert values == {"PyTorch FP32": 280, "GGUF Q8_0": 170, "GGUF Q4_0": 300}
    said = {(pair.better, pair.worse): pair for pair in beside.pairs}
    assert len(said) == 3
    confirmed = said["GGUF Q8_0", "PyTorch FP32"]
    assert confirmed.sentence == (
        "The table says GGUF Q8_0 is 1.65× PyTorch FP32; here 1.65× [1.65, 1.65]: confirmed."
    )
    assert said["GGUF Q4_0", "PyTorch FP32"].outcome == "contradicted"
    following = column(made, "Subsequent tokens")
    assert [bar.value for bar in following.measured] == [28, 30, 17]


def test_a_prompt_of_another_length_is_shown_and_proves_nothing() -> None:
    alike = column(language((280, 170, 150)), "First token").comparable
    assert alike.columns[2:] == ("CPU class", "Threads", "Precision", "Batch", "Sequence length")
    rows = {row[0]: row[1:] for row in alike.rows}
    silent = "unknown: the reference does not say"
    wanted = ("2 of 5 (3 unknown)", silent, silent, "same (q4_0)", silent, "same (512)")
    assert rows["GGUF Q4_0"] == wanted
    other = column(language((280, 170, 150), prompt=448), "First token")
    assert other.comparable.rows[0][-1] == "differs: 512, here 448"
    assert other.pairs == ()
    assert other.sentences[0].startswith("GGUF Q4_0 gains here what the table says")


def test_types_of_weights_are_held_against_their_own_table() -> None:
    beside = column(language((280, 720, 550)), BY_TYPE[0])
    (pair,) = beside.pairs
    assert pair.sentence == (
        "The table says GGUF Q4_0 is 1.31× GGUF Q8_0; here 1.31× [1.31, 1.31]: confirmed."
    )
    assert beside.source.startswith("llama.cpp, README.md")
    rows = {row[0]: row for row in beside.comparable.rows}
    assert set(rows) == {"GGUF Q8_0", "GGUF Q4_0"}
    assert rows["GGUF Q4_0"][3:5] == ("differs: 4, here 2", "same (q4_0)")
    assert all(row.measured_ratio is None for row in beside.rows), "its first row, F16, is not here"


def test_a_small_language_model_is_a_pattern_only() -> None:
    made = language((280, 170, 150), name="Llama")
    labels = [one.column for one in figures(made).references]
    assert labels == ["First token", "Subsequent tokens", *BY_TYPE]
    assert not column(made, "First token").same_model
    assert "another model (LLaMA-7B)" in export_markdown(made).replace("\\", "")
    assert "Beside published figures: First token" in export_html(made)


def test_a_precision_is_told_by_pass_by_type_or_by_what_is_answered() -> None:
    torch = report().artifacts[0]
    assert precision_of(torch) == "fp32"
    assert precision_of(replace(torch, passes=(Change("half"),))) is None, "no such pass"
    for known in changes.passes().values():
        there = precision_of(replace(torch, passes=(Change(known.name),)))
        kept = "fp32" if known.kind == "pruning" else None
        assert there == (known.printed_as or kept), known.name
    assert precision_of(replace(torch, format="gguf", variant="Q8_0")) == "q8_0"
    assert precision_of(replace(torch, format="onnx")) is None, "its answers do not tell"


def test_what_ran_on_a_card_stands_beside_the_cards_column() -> None:
    made = on_gpu(report({"torch": 70, "onnx": 3, "torchscript": 2}), "NVIDIA H100 80GB HBM3")
    beside = column(made, GPU)
    values = {row.label: row.measured for row in beside.rows}
    assert values["TensorRT FP16"] is not None and values["TensorRT INT8"] is not None
    assert values["PyTorch eager"] is None, "it ran on the processor"
    (pair,) = beside.pairs
    assert (pair.better, pair.worse, pair.outcome) == (
        "TensorRT INT8",
        "TensorRT FP16",
        "confirmed",
    )
    rows = {row[0]: row for row in beside.comparable.rows}
    assert beside.comparable.columns[2] == "GPU"
    assert rows["TensorRT FP16"][2] == "differs: RTX 4090, here NVIDIA H100 80GB HBM3"
    assert rows["TensorRT FP16"][4] == "same (fp16)"
    same = column(on_gpu(report(), "NVIDIA GeForce RTX 4090"), GPU)
    assert same.comparable.rows[0][2] == "same (NVIDIA GeForce RTX 4090)"
    on_cpu = {row.label: row.measured for row in column(made, CPU).rows}
    assert on_cpu["TensorRT FP16"] is None and on_cpu["PyTorch eager"] is not None


def test_memory_of_the_same_model_is_held_against_the_table() -> None:
    made = report()
    assert made.measurement is not None
    takes = {"torch": 200, "torchscript": 180, "onnx": 200}
    passes = tuple(
        MemoryPass(v.key, 100 * MIB, 0, 100 * MIB + takes[v.format] * 1_000_000, 0, 0)
        for v in made.measurement.plan.variants
        for _ in range(3)
    )
    weighed = replace(made, measurement=replace(made.measurement, memory=passes))
    beside = column(weighed, "Memory usage")
    assert beside.unit == "MB"
    assert {bar.label: bar.value for bar in beside.measured} == {
        "PyTorch (eager), original": 200,
        "TorchScript": 180,
        "ONNX Runtime": 200,
    }
    sentences = set(beside.sentences)
    assert (
        "The table says PyTorch eager takes 1.11× the memory of TorchScript; "
        "here 1.11× [1.11, 1.11]: confirmed."
    ) in sentences
    assert (
        "The table says TorchScript takes 1.12× the memory of ONNX Runtime; "
        "here 0.90× [0.90, 0.90]: contradicted."
    ) in sentences
    other = replace(weighed, model=replace(weighed.model, name="Digits"))
    assert [one.column for one in figures(other).references] == [CPU]


def test_every_printed_column_is_of_a_kind_that_reports_can_show() -> None:
    kinds = {column.quantity for table in reference_tables() for column in table.columns}
    assert kinds == {"latency", "memory", "time_to_first_token", "time_per_token"}
