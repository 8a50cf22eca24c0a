"""The gate: good candidates pass, every way of being wrong is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadRequest, InvalidModel
from engine.records import dump, dumps
from engine.tasks import reference
from engine.types import Artifact, Feed, Signature, TensorSpec
from engine.verify import cases
from engine.verify.compare import compare
from engine.verify.gate import judge, wilson
from engine.verify.model import Case, Thresholds, Verdict, Verification
from tests import models

THREE = np.array([3.0], np.float32)


@pytest.fixture
def original(tmp_path: Path) -> Artifact:
    """y = 3x, row by row."""
    return models.onnx_model(
        tmp_path / "a" / "original.onnx", [("Mul", ["x", "c"], ["y"])], {"c": THREE}
    )


def judged(original: Artifact, tmp_path: Path, *nodes: object, **constants: object) -> Verification:
    candidate = models.onnx_model(
        tmp_path / "b" / "candidate.onnx",
        list(nodes),
        {"c": THREE, **constants},
    )
    found = models.verified(original, candidate, tmp_path)
    dumps(found)  # every figure is finite
    return found


def test_itself_is_exact(original: Artifact, tmp_path: Path) -> None:
    found = judged(original, tmp_path, ("Mul", ["x", "c"], ["y"]))
    assert found.verdict is Verdict.EXACT
    assert found.sentence == (
        "Exact: every output is bit for bit the original's, on 6 input sets at batch 1, 2, 3, 7; "
        "the top answer agrees on 17 of 17 rows."
    )
    assert set(found.input_hashes) == {
        "random, batch 1",
        "random, batch 2",
        "random, batch 3",
        "random, batch 7",
        "zeros, batch 2",
        "large, batch 2",
    }
    assert found.top1_agreement == 1.0
    assert found.top1_interval == pytest.approx((0.8157, 1.0), abs=1e-3)


def test_rounding_is_equivalent(original: Artifact, tmp_path: Path) -> None:
    found = judged(
        original,
        tmp_path,
        ("Mul", ["x", "c"], ["m"]),
        ("Mul", ["m", "e"], ["y"]),
        e=np.array([1 + 1e-6], np.float32),
    )
    assert found.verdict is Verdict.EQUIVALENT
    assert found.sentence.startswith("Equivalent: 'y' differs by ")
    assert "(equivalent up to 0.0001), at worst, of 6 input sets" in found.sentence


def test_two_percent_off_is_degraded(original: Artifact, tmp_path: Path) -> None:
    found = judged(original, tmp_path, ("Mul", ["x", "d"], ["y"]), d=THREE * np.float32(1.02))
    assert found.verdict is Verdict.DEGRADED
    assert found.verdict.usable
    assert "differs by 0.02 of its size" in found.sentence
    assert "usable up to 0.1" in found.sentence


def test_half_off_is_broken(original: Artifact, tmp_path: Path) -> None:
    found = judged(original, tmp_path, ("Mul", ["x", "d"], ["y"]), d=THREE * np.float32(1.5))
    assert found.verdict is Verdict.BROKEN
    assert found.sentence.startswith("Broken: 'y' differs by 0.5 of its size on")


def test_small_errors_that_change_answers_are_broken(tmp_path: Path) -> None:
    nodes = [("Mul", ["x", "c"], ["m"]), ("Add", ["m", "b"], ["y"])]
    flat = np.array([1000, 1000, 1000, 1000], np.float32)
    turned = np.array([1020, 1000, 1000, 1000], np.float32)
    tiny = np.array([0.001], np.float32)
    one = models.onnx_model(tmp_path / "a" / "m.onnx", nodes, {"c": tiny, "b": flat})
    two = models.onnx_model(tmp_path / "b" / "m.onnx", nodes, {"c": tiny, "b": turned})
    found = models.verified(one, two, tmp_path)
    assert found.verdict is Verdict.BROKEN
    assert "the top answer agrees on only" in found.sentence


def test_a_static_batch_is_found_by_its_refusal(original: Artifact, tmp_path: Path) -> None:
    found = judged(
        original,
        tmp_path,
        ("Reshape", ["x", "s"], ["r"]),
        ("Mul", ["r", "c"], ["y"]),
        s=np.array([2, 4], np.int64),
    )
    assert found.verdict is Verdict.BROKEN
    assert "it fails on random inputs at batch 1: ONNX failed while running" in found.sentence
    assert "the batch axis behaves static: it runs at batch 2" in found.sentence
    refused = [case.batch for case in found.cases if case.error]
    assert sorted(refused) == [1, 3, 7]


def test_a_static_batch_is_found_by_its_shape(original: Artifact, tmp_path: Path) -> None:
    found = judged(
        original,
        tmp_path,
        ("Mul", ["x", "c"], ["m"]),
        ("Slice", ["m", "zero", "two", "axis"], ["y"]),
        zero=np.array([0], np.int64),
        two=np.array([2], np.int64),
        axis=np.array([0], np.int64),
    )
    assert found.verdict is Verdict.BROKEN
    assert "'y' has the shape [2, 4], the original's is [3, 4]," in found.sentence


def test_mixed_rows_are_found(original: Artifact, tmp_path: Path) -> None:
    found = judged(
        original,
        tmp_path,
        ("ReduceMean", ["x", "axis"], ["mean"], {"keepdims": 1}),
        ("Sub", ["x", "mean"], ["alone"]),
        ("Mul", ["alone", "e"], ["little"]),
        ("Mul", ["x", "c"], ["m"]),
        ("Add", ["m", "little"], ["y"]),
        axis=np.array([0], np.int64),
        e=np.array([0.03], np.float32),
    )
    assert found.verdict is Verdict.BROKEN
    assert "behaves static or mixes rows, which the original does not do" in found.sentence


def test_an_original_that_mixes_rows_is_not_held_against_its_copy(tmp_path: Path) -> None:
    nodes = [("ReduceMean", ["x", "axis"], ["m"], {"keepdims": 1}), ("Sub", ["x", "m"], ["y"])]
    axis = {"axis": np.array([0], np.int64)}
    one = models.onnx_model(tmp_path / "a" / "m.onnx", nodes, axis)
    found = models.verified(one, one, tmp_path)
    assert found.verdict is Verdict.EXACT
    assert {case.row_relative for case in found.cases if case.inputs == "random"} == {None}


def test_nan_is_found(original: Artifact, tmp_path: Path) -> None:
    found = judged(
        original,
        tmp_path,
        ("Sqrt", ["x"], ["root"]),
        ("Mul", ["root", "nothing"], ["gap"]),
        ("Mul", ["x", "c"], ["m"]),
        ("Add", ["m", "gap"], ["y"]),
        nothing=np.array([0], np.float32),
    )
    assert found.verdict is Verdict.BROKEN
    assert " NaN, the original's has 0," in found.sentence


def test_nan_in_the_same_places_is_no_difference(tmp_path: Path) -> None:
    one = models.onnx_model(tmp_path / "a" / "m.onnx", [("Sqrt", ["x"], ["y"])])
    assert models.verified(one, one, tmp_path).verdict is Verdict.EXACT


def test_a_fixed_batch_is_verified_at_that_batch(tmp_path: Path) -> None:
    one = models.onnx_model(tmp_path / "a" / "m.onnx", [("Neg", ["x"], ["y"])], shape=(4, 4))
    found = models.verified(one, one, tmp_path)
    assert {(case.inputs, case.batch) for case in found.cases} == {
        ("random", 4),
        ("zeros", 4),
        ("large", 4),
    }
    assert {case.row_relative for case in found.cases} == {None}


def test_perturbed_weights_of_a_real_net(tmp_path: Path) -> None:
    one = models.eager(tmp_path / "one")
    little = models.eager(tmp_path / "little", change=lambda w: w * 1.002)
    much = models.eager(tmp_path / "much", change=lambda w: w * 1.5)
    assert models.verified(one, little, tmp_path / "l").verdict is Verdict.DEGRADED
    assert models.verified(one, much, tmp_path / "m").verdict is Verdict.BROKEN


def test_every_other_symbol_is_moved_too(tmp_path: Path) -> None:
    one = models.eager(tmp_path / "one", "transformers", models.GPT2)
    made = models.converted(one, "torchscript", tmp_path)
    found = models.verified(one, made, tmp_path)
    assert found.verdict in (Verdict.EXACT, Verdict.EQUIVALENT), found.sentence
    lengths = {case.inputs: case.batch for case in found.cases if "sequence" in case.inputs}
    assert lengths == {f"random (sequence {size})": 2 for size in (5, 11, 32)}


def test_symbols_move_apart_from_each_other() -> None:
    two = Signature((TensorSpec("x", "float32", ("batch", "height", "width")),))
    sizes = [plan.sizes for plan in cases.plans(two, (1, 2, 7)) if plan.sizes]
    assert len(sizes) == 3
    assert all(len(set(found.values())) == 2 for found in sizes)


class Halving:
    """An original that takes multiples of 16 only, as nets that halve their inputs do."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __enter__(self) -> Halving:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def infer(self, given: Feed) -> dict[str, np.ndarray]:
        (values,) = given.values()
        if values.shape[1] % self.step:
            raise InvalidModel(f"{values.shape[1]} is not a multiple of {self.step}.")
        return {"y": values}


def reference_of(step: int, work: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("engine.registry.open_runner", lambda *_: Halving(step))
    signature = Signature((TensorSpec("x", "float32", ("batch", "width")),))
    request = {"artifact": dump(Artifact("a", "onnx", work, "", 0, signature)), "seed": 1}
    return reference.run({**request, "batches": [1, 2]}, models.task_folder(work))


def test_lengths_the_original_refuses_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reference_of(16, tmp_path, monkeypatch)
    assert found["cases"] == 5
    assert found["left_out"]["random (width 11)"] == "11 is not a multiple of 16."


def test_an_axis_that_is_dynamic_in_name_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.verify.cases.LENGTHS", (5, 11, 13))
    with pytest.raises(BadRequest, match="calls 'width' dynamic, but the original runs at none"):
        reference_of(16, tmp_path, monkeypatch)


def test_noise_of_the_original_widens_what_is_equivalent() -> None:
    reference = np.ones((2, 3), np.float32)
    candidate = reference * np.float32(1.001)
    quiet = Case("random", 2, (compare("y", reference, candidate, 1e-7),), None)
    noisy = Case("random", 2, (compare("y", reference, candidate, 1e-3),), None)
    assert judge("a", (quiet,), Thresholds(), {}, 0).verdict is Verdict.DEGRADED
    assert judge("a", (noisy,), Thresholds(), {}, 0).verdict is Verdict.EQUIVALENT


def test_nothing_compared_is_not_a_pass() -> None:
    assert judge("a", (), Thresholds(), {}, 0).sentence == "Broken: nothing was compared."


def test_another_dtype_is_broken_unless_the_precision_is_another() -> None:
    values = np.ones((2, 3), np.float32)
    case = Case("random", 2, (compare("y", values, values.astype(np.float16), None),), None)
    found = judge("a", (case,), Thresholds(), {}, 0)
    assert found.verdict is Verdict.BROKEN
    assert "'y' is float16, the original's is float32," in found.sentence
    assert judge("a", (case,), Thresholds("float16"), {}, 0).verdict is Verdict.EXACT


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [(360, 360, (0.9894, 1.0)), (0, 10, (0.0, 0.2775)), (352, 360, (0.9568, 0.9887))],
)
def test_wilson(successes: int, trials: int, interval: tuple[float, float]) -> None:
    assert wilson(successes, trials) == pytest.approx(interval, abs=1e-4)
