"""Passes: where on a route each is done, how it is written, and why it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import changes, registry
from engine.errors import BadRequest, UnsupportedModel
from engine.knowledge import pass_promise, pass_reach, reference_tables
from engine.options import NoOptions, choice, choices, parse_target, read
from engine.pipeline.planning import way
from engine.reports.model import ReportArtifact
from engine.types import Artifact, Change, Signature, Target


def artifact(format: str) -> Artifact:
    return Artifact("a", format, Path("a"), "0" * 64, 1, Signature(()))


def test_a_target_is_read_as_it_is_written() -> None:
    text = "onnx:opset=18+prune-channels:ratio=0.3+int8-static:method=entropy"
    target = parse_target(text)
    assert target == Target(
        "onnx",
        {"opset": "18"},
        (Change("prune-channels", {"ratio": "0.3"}), Change("int8-static", {"method": "entropy"})),
    )
    assert target.key == text


def test_a_pass_is_done_as_late_as_it_can_be() -> None:
    stops = ("torch", "onnx")
    assert changes.placed(stops, (Change("int8-dynamic"),)) == ((), (Change("int8-dynamic"),))


def test_a_result_that_cannot_go_on_is_refused_with_the_formats_it_is_done_on() -> None:
    with pytest.raises(UnsupportedModel, match=r"INT8 dynamic is not done on .*: it is done on"):
        changes.placed(("torch", "onnx", "savedmodel"), (Change("int8-dynamic"),))


def test_passes_alone_make_no_detour() -> None:
    target = Target("onnx", passes=(Change("int8-dynamic"),))
    assert way(artifact("onnx"), target) == ((Target("onnx"), target.passes),)


def test_only_the_last_stop_has_the_options() -> None:
    target = Target("onnx", {"opset": 18}, (Change("int8-dynamic"),))
    assert way(artifact("torch"), target) == (
        (Target("torch"), ()),
        (Target("onnx", {"opset": 18}), target.passes),
    )


@pytest.mark.parametrize("name", changes.passes())
def test_every_pass_is_whole(name: str) -> None:
    one = changes.pass_named(name)
    assert changes.handled(name), "no format has a handler for it"
    assert set(changes.handled(name)) <= set(registry.formats())
    assert one.sentence.endswith(".")
    assert changes.words(Change(name)) == one.label
    for option in choices(one.options):
        assert read(one.options, {option.name: option.default}, one.label)
    printed = {row.precision for table in reference_tables() for row in table.rows}
    assert not one.printed_as or one.printed_as in printed


@pytest.mark.parametrize("name", registry.formats())
def test_every_cell_of_pass_and_format_is_open_or_says_why_not(name: str) -> None:
    for found in pass_reach(artifact("torch"), name).values():
        assert found.reason.endswith("."), found


def test_why_gguf_takes_no_other_precision_is_not_said_of_prunings() -> None:
    found = pass_reach(artifact("gguf"), "gguf")
    assert {name for name, one in found.items() if "precision is its type" in one.reason} == {
        name for name, one in changes.passes().items() if one.kind == "precision"
    }


def test_what_the_founding_document_prints_of_a_pass_is_its_promise() -> None:
    assert pass_promise("int8-static") == (
        "The founding document promises ResNet-50 as TensorRT INT8: GPU (RTX 4090) 2 instead of "
        "12 ms, Memory usage 80 instead of 200 MB (PyTorch eager)."
    )
    assert "LLaMA-7B as PyTorch FP16: First token 190 instead of 280 ms" in pass_promise("fp16")
    assert pass_promise("prune-channels") == "The founding document gives no figure for it."


def test_unknown_passes_and_options_are_named() -> None:
    with pytest.raises(UnsupportedModel, match="There is no pass 'int9'"):
        changes.pass_named("int9")
    with pytest.raises(BadRequest, match="has no option 'colour'"):
        read(changes.pass_named("int8-dynamic").options, {"colour": "red"}, "INT8 dynamic")


def test_a_number_is_read_within_its_bounds() -> None:
    import dataclasses

    ratio = dataclasses.make_dataclass(
        "Ratio", [("ratio", float, choice(0.3, "Ratio", low=0.0, high=1.0))], frozen=True
    )
    assert read(ratio, {"ratio": "0.5"}, "it").ratio == 0.5
    for wrong in ("1.5", "nan", "inf", "a lot"):
        with pytest.raises(BadRequest, match=r"a number from 0\.0 to 1\.0"):
            read(ratio, {"ratio": wrong}, "it")
    assert choices(NoOptions) == ()


def test_a_report_asks_for_the_passes_again() -> None:
    made = ReportArtifact(
        id="a",
        format="onnx",
        label="ONNX",
        sha256="0" * 64,
        size_bytes=1,
        signature=Signature(()),
        lineage=(),
        is_original=False,
        verification=None,
        variant="",
        options={},
        passes=(Change("int8-dynamic"),),
    )
    assert made.target.key == "onnx+int8-dynamic"
