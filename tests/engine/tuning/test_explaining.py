"""Why it is not faster: the evidence is real, and the sentences say what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.drawn import DrawnSamples
from engine.tuning import sentences
from engine.tuning.counting import kind_of, operations
from engine.tuning.explaining import explain
from engine.tuning.model import Explanation, Machine, OperatorTime, Profile, Unfused
from engine.types import Artifact, Change, Signature
from tests import models
from tests.engine.tuning.test_sensitivity import never_mind

HERE = Machine("A processor", 1, float_gops=50.0, int8_gops=200.0, memory_gbs=10.0)


def profile(milliseconds: float, *operators: OperatorTime, outside: float = 0.0) -> Profile:
    bounds = {"operations": 10**9, "bytes": 10**6, "roof_ms": 5.0, "compute_bound": 1.0}
    return Profile("a", "ONNX", 9, milliseconds, outside, operators, **bounds)


def explained(own: Profile, base: Profile | None, **facts: object) -> str:
    known: dict[str, object] = {"pairs": 9, "unfused": (), "zeros": 0.0, **facts}
    found = Explanation(
        "a",
        HERE,
        {"AVX2": True, "VNNI": False},
        "none",
        own,
        base,
        sentences=(),
        **known,
    )
    return " ".join(sentences.all_of(found, 10**6, writes_text=False))


INT8, FLOAT = OperatorTime("QLinearConv", "int8", 5, 0.9), OperatorTime("Conv", "float", 5, 0.9)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Artifact, Artifact]]:
    """The digits net in float, and calibrated."""
    home = tmp_path_factory.mktemp("digits")
    plain = models.converted(models.eager(home / "eager"), "onnx", home)
    samples = DrawnSamples(plain.signature, 8)
    yield plain, models.changed(plain, Change("int8-static"), home / "q", samples)


def test_a_calibrated_net_runs_in_int8_kernels_and_has_no_pair_left(
    digits: tuple[Artifact, Artifact], tmp_path: Path
) -> None:
    plain, small = digits
    found = explain(small, plain, HERE, tmp_path, never_mind)
    assert found.profile is not None and found.baseline is not None
    assert {"QLinearConv", "QGemm"} <= {one.operator for one in found.profile.operators}
    assert found.profile.share("int8") > 0 and found.baseline.share("int8") == 0
    assert found.pairs > 0 and found.unfused == ()
    assert sum(one.share for one in found.profile.operators) == pytest.approx(1)


def test_both_count_the_same_multiplications(
    digits: tuple[Artifact, Artifact], tmp_path: Path
) -> None:
    """The kernels have packed their weights away; the count must not be fooled by it."""
    found = explain(digits[1], digits[0], HERE, tmp_path, never_mind)
    assert found.profile is not None and found.baseline is not None
    own, base = found.profile.operations, found.baseline.operations
    products = 2 * (8 * 8 * 8 * 9 + 4 * 4 * 16 * 8 * 9 + 10 * 64)
    assert base is not None and own is not None
    assert own == pytest.approx(base, rel=0.05)
    assert base >= products * 0.9


@pytest.mark.parametrize(("accuracy", "kind"), [("4", "int8"), ("1", "float")])
def test_weights_in_four_bits_multiply_as_often_as_in_float(
    tmp_path: Path, accuracy: str, kind: str
) -> None:
    """Their blocks hide the length of the sums, and the option says what is multiplied."""
    nodes = [("MatMul", ["x", "w"], ["y"], {"name": "product"})]
    weights = {"w": np.random.default_rng(5).normal(size=(256, 96)).astype(np.float32)}
    plain = models.onnx_model(tmp_path / "float.onnx", nodes, weights, ("batch", 256))
    samples = DrawnSamples(plain.signature, 1)
    small = models.changed(plain, Change("int4", {"accuracy": accuracy}), tmp_path / "q", samples)
    found = explain(small, plain, HERE, tmp_path / "scratch", never_mind)
    assert found.profile is not None and found.baseline is not None
    assert found.profile.operations == found.baseline.operations == 2 * 96 * 256
    operators = {one.operator: one.kind for one in found.profile.operators}
    assert operators == {"MatMulNBits": kind}


def test_a_layer_left_in_float_leaves_pairs_that_are_named(tmp_path: Path) -> None:
    """Erf has no INT8 kernel, and what stands before it is quantized."""
    weights = np.eye(4, dtype=np.float32)
    nodes = [("MatMul", ["x", "w"], ["a"]), ("Erf", ["a"], ["b"]), ("MatMul", ["b", "w"], ["y"])]
    plain = models.onnx_model(tmp_path / "float.onnx", nodes, {"w": weights})
    small = models.changed(
        plain, Change("int8-static"), tmp_path / "q", DrawnSamples(plain.signature, 8)
    )
    found = explain(small, plain, HERE, tmp_path / "scratch", never_mind)
    assert Unfused("Erf", 1) in found.unfused
    assert any("not fused" in said and "Erf" in said for said in found.sentences)


def test_zeros_are_counted_and_said_to_gain_nothing(tmp_path: Path) -> None:
    half = np.ones((16, 16), np.float32)
    half[:, ::2] = 0
    plain = models.onnx_model(
        tmp_path / "zeros.onnx", [("MatMul", ["x", "w"], ["y"])], {"w": half}, ("batch", 16)
    )
    found = explain(plain, None, HERE, tmp_path / "scratch", never_mind)
    assert found.zeros == 0.5
    assert any("50 % of the weights are zero" in said for said in found.sentences)


def test_torchscript_is_profiled_by_pytorch(tmp_path: Path) -> None:
    made = models.converted(models.eager(tmp_path / "eager"), "torchscript", tmp_path)
    found = explain(made, None, HERE, tmp_path / "scratch", never_mind)
    assert found.profile is not None
    assert any("conv" in one.operator for one in found.profile.operators)
    assert found.profile.share("int8") == 0
    assert any("None of the time is spent in INT8 kernels" in said for said in found.sentences)


def test_zeros_are_found_in_a_frozen_torchscript_too(tmp_path: Path) -> None:
    """Freezing turns parameters into constants of the graph."""

    def halved(tensor: Any) -> Any:
        if tensor.ndim > 1:
            tensor.flatten()[::2] = 0
        return tensor

    plain = models.eager(tmp_path / "eager", change=halved)
    made = models.converted(plain, "torchscript", tmp_path, freeze=True)
    found = explain(made, None, HERE, tmp_path / "scratch", never_mind)
    assert found.zeros == pytest.approx(0.5, abs=0.01)


def test_what_a_machine_reached_once_it_can_reach() -> None:
    busy = replace(HERE, float_gops=30.0, memory_gbs=12.0)
    assert HERE.best(busy) == replace(HERE, memory_gbs=12.0)


def test_a_writer_of_text_is_told_what_memory_allows(tmp_path: Path) -> None:
    """10 GB/s over 2 MB of weights: 5,000 times a second, and no profile to look into."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    made = replace(models.artifact("gguf", path, Signature(())), size_bytes=2_000_000)
    found = explain(made, None, HERE, tmp_path, never_mind)
    assert found.profile is None
    assert any("at most 5,000 tokens/s" in said for said in found.sentences)
    assert found.sentences[-1].startswith("Assay has no profiler for GGUF")


def test_what_is_faster_is_called_so_and_needs_no_conclusion() -> None:
    said = explained(profile(10.0, INT8), profile(30.0, FLOAT))
    assert "It is 3 times as fast: 10 ms where ONNX takes 30 ms" in said
    assert "So:" not in said


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (profile(30.0, INT8, outside=0.6), "start of its operators"),
        (profile(30.0, replace(INT8, kind="conversion")), "goes into conversions"),
        (profile(30.0, FLOAT), "still runs in float"),
        (replace(profile(30.0, INT8), compute_bound=0.2), "waits for memory"),
        (profile(30.0, INT8), "its kernels reach 17 % of what this processor can do in INT8"),
    ],
)
def test_the_first_cause_that_the_figures_show_is_named(own: Profile, why: str) -> None:
    assert why in explained(own, profile(20.0, FLOAT))


def test_without_faster_arithmetic_that_is_the_reason() -> None:
    slow = replace(HERE, int8_gops=50.0)
    found = Explanation(
        "a", slow, {}, "none", profile(30, INT8), profile(30, FLOAT), 9, (), 0.0, ()
    )
    assert (
        "8-bit arithmetic itself is no faster" in sentences.all_of(found, 1, writes_text=False)[-1]
    )


def test_what_operators_do_is_read_from_their_types() -> None:
    eight, floats = ("uint8", (1, 8)), ("float", (1, 8))
    assert kind_of("QLinearConv", [eight], [eight]) == "int8"
    assert kind_of("DynamicQuantizeMatMul", [floats, ("int8", (8, 8))], [floats]) == "int8"
    assert kind_of("DequantizeLinear", [eight], [floats]) == "conversion"
    four = [floats, ("uint8", (8, 1, 4)), ("float", (8,))]
    assert kind_of("MatMulNBits", four, [floats], {"K": 8, "accuracy_level": 4}) == "int8"
    assert kind_of("MatMulNBits", four, [floats], {"K": 8, "accuracy_level": 1}) == "float"
    assert kind_of("MatMulNBits", four, [floats], {"K": 8}) == "float"
    assert kind_of("Softmax", [floats], [floats]) == "float"
    assert kind_of("MatMul", [("float16", (1, 8))], [("float16", (1, 8))]) == "half"


def test_operations_of_a_product_do_not_depend_on_how_it_is_stored() -> None:
    given, made = [("float", (2, 8))], [("float", (2, 5))]
    assert operations("Gemm", given, made, [(8, 5)]) == 2 * 2 * 8 * 5
    assert operations("Gemm", given, made, [(5, 8)]) == 2 * 2 * 8 * 5
    convolved = operations(
        "Conv", [("float", (1, 3, 9, 9))], [("float", (1, 4, 9, 9))], [(4, 3, 3, 3)]
    )
    assert convolved == 2 * 4 * 9 * 9 * 3 * 3 * 3
