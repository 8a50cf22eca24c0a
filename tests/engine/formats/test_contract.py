"""Every format keeps the contract: found by folder, so that a new format is covered by itself."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine import registry
from engine.errors import BadRequest, InvalidModel
from engine.types import Artifact, Feed, RunnerOptions, TensorSpec
from engine.verify.inputs import feed
from tests import models

FORMATS = tuple(name for name, form in registry.formats().items() if form.available)
ABSENT = tuple(name for name in registry.formats() if name not in FORMATS)
EDGES = tuple(
    (source, target)
    for source in FORMATS
    for target in registry.targets(source)
    if len(registry.route(source, target)) == 1
)


CASES = [
    ("name", "takes the inputs .*; it was given .*'picture'"),
    ("dtype", "must be .*; it was given int16"),
    ("rank", "must have the shape"),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """For each format the eager model that it is made from."""
    out = tmp_path_factory.mktemp("originals")
    return {name: models.tiny(name, out / name) for name in FORMATS}


@pytest.fixture(scope="module")
def tiny(
    originals: dict[str, Artifact], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Artifact]:
    """That small model in every format."""
    out = tmp_path_factory.mktemp("tiny")
    return {name: models.converted(originals[name], name, out / name) for name in FORMATS}


@pytest.mark.parametrize("name", ABSENT)
def test_a_format_that_cannot_work_here_says_what_it_needs(name: str) -> None:
    form = registry.format_named(name)
    assert form.lacks
    assert name not in registry.targets("torch")
    pytest.skip(f"the contract of {form.label} cannot be run here: {form.lacks}")


def test_the_edges_between_pytorch_and_onnx_are_there() -> None:
    assert {
        ("torch", "onnx"),
        ("torch", "torchscript"),
        ("torch", "exported"),
        ("exported", "onnx"),
        ("exported", "torchscript"),
        ("torchscript", "onnx"),
        ("savedmodel", "onnx"),
    } <= set(EDGES)


@pytest.mark.parametrize(("source", "target"), EDGES)
def test_converter_keeps_answers_and_names(
    source: str, target: str, originals: dict[str, Artifact], tmp_path: Path
) -> None:
    original = originals[target]
    made = models.converted(original, source, tmp_path / "source")
    made = models.converted(made, target, tmp_path / "target")
    wanted = [spec.name for spec in original.signature.outputs]
    for batch in (1, 2, 5):
        given = feed(made.signature, "random", batch, 3)
        expected, found = models.infer(original, given), models.infer(made, given)
        assert list(found) == list(expected) == wanted
        for name in wanted:
            assert found[name].shape == expected[name].shape
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_reads_its_own_signature(
    name: str, tiny: dict[str, Artifact], originals: dict[str, Artifact]
) -> None:
    read = registry.format_named(name).read_signature
    if read is None:
        pytest.skip("files of this format name no inputs")
    found, wanted = read(tiny[name].path), originals[name].signature
    for one, other in zip(
        (*found.inputs, *found.outputs), (*wanted.inputs, *wanted.outputs), strict=True
    ):
        assert (one.name, one.dtype, one.shape) == (other.name, other.dtype, other.shape)


@pytest.mark.parametrize("name", FORMATS)
def test_describes_itself(
    name: str, tiny: dict[str, Artifact], originals: dict[str, Artifact]
) -> None:
    parameters, operators, facts = registry.format_named(name).describe(tiny[name].path)
    wanted, _, _ = registry.format_named("torch").describe(originals[name].path)
    assert parameters is not None and wanted is not None
    # Folding normalisation into convolutions leaves a few less.
    assert 0.97 * wanted <= parameters <= wanted
    assert operators and min(operators.values()) > 0
    assert "Largest tensor" in facts


@pytest.mark.parametrize("name", FORMATS)
def test_knows_how_many_bytes_its_weights_take(name: str, tiny: dict[str, Artifact]) -> None:
    """Within what the file keeps beside them: running means, counters, axes of a reshape."""
    form = registry.format_named(name)
    if form.tensor_bytes is None:
        pytest.skip(f"{form.label} is not weighed in a process, so nothing is held against it")
    parameters, _, _ = form.describe(tiny[name].path)
    assert parameters is not None
    assert 4 * parameters <= form.tensor_bytes(tiny[name].path) <= 4 * parameters * 1.1


@pytest.mark.parametrize("name", ["torch", "onnx", "torchscript", "exported"])
def test_counts_operators_and_finds_the_largest_tensor(
    name: str, tiny: dict[str, Artifact]
) -> None:
    _, operators, facts = registry.format_named(name).describe(tiny[name].path)
    assert sum(count for op, count in operators.items() if "conv" in op.lower()) == 2
    assert "4.weight [32, 16, 3, 3]" in facts["Largest tensor"] or name == "torchscript"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("wrong", "message"), CASES, ids=[wrong for wrong, _ in CASES])
def test_wrong_feed_is_refused_in_words(
    name: str, wrong: str, message: str, tiny: dict[str, Artifact]
) -> None:
    given = feed(tiny[name].signature, "random", 2, 0)
    first, array = next(iter(given.items()))
    spoiled: dict[str, Feed] = {
        "name": {**{other: given[other] for other in given if other != first}, "picture": array},
        "dtype": {**given, first: array.astype("int16")},
        "rank": {**given, first: array[..., None]},
    }
    with pytest.raises(BadRequest, match=message):
        models.infer(tiny[name], spoiled[wrong])


@pytest.mark.parametrize("name", ["torch", "onnx", "torchscript", "exported"])
def test_wrong_size_is_refused_in_words(name: str, tiny: dict[str, Artifact]) -> None:
    given = {"image": np.zeros((2, 1, 9, 8), "float32")}
    with pytest.raises(BadRequest, match=r"\[batch, 1, 8, 8\].*\[2, 1, 9, 8\]"):
        models.infer(tiny[name], given)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_file_is_an_invalid_model(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{registry.format_named(name).suffix}"
    path.write_text("this is a text file")
    with pytest.raises(InvalidModel):
        registry.format_named(name).load(path)


def test_onnx_passes_the_checker_with_inputs_that_are_no_weights(
    tiny: dict[str, Artifact],
) -> None:
    import onnx

    model = onnx.load(str(tiny["onnx"].path))
    onnx.checker.check_model(model, full_check=True)
    assert {item.version for item in model.opset_import if not item.domain} == {20}


def test_torchscript_runs_without_our_code(tiny: dict[str, Artifact], tmp_path: Path) -> None:
    given = feed(tiny["torch"].signature, "random", 3, 5)
    np.save(tmp_path / "in.npy", given["image"])
    code = (
        "import numpy, torch, warnings; warnings.simplefilter('ignore')\n"
        f"m = torch.jit.load({str(tiny['torchscript'].path)!r})\n"
        "y = m(torch.from_numpy(numpy.load('in.npy')))\n"
        "numpy.save('out.npy', y.detach().numpy())\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, timeout=120)
    expected = models.infer(tiny["torch"], given)["logits"]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-6)


def test_float64_is_the_same_model_more_exactly(tiny: dict[str, Artifact]) -> None:
    given = feed(tiny["torch"].signature, "random", 2, 0)
    exact = models.infer(tiny["torch"], given, precision="float64")["logits"]
    assert exact.dtype == np.float64
    single = models.infer(tiny["torch"], given)["logits"]
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-6)


def test_exported_file_holds_no_pickled_inputs(tiny: dict[str, Artifact]) -> None:
    import zipfile

    entries = zipfile.ZipFile(tiny["exported"].path).infolist()
    assert [item.file_size for item in entries if "sample_inputs" in item.filename] == [0]


def test_exported_without_our_signature_still_says_what_it_takes(tmp_path: Path) -> None:
    import torch

    class Two(torch.nn.Module):
        def forward(
            self, image: torch.Tensor, scale: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return image * scale, image.sum(1)

    batch, width = torch.export.Dim("b"), torch.export.Dim("w")
    program = torch.export.export(
        Two(),
        (torch.ones(2, 3), torch.ones(2, 1)),
        dynamic_shapes={"image": {0: batch, 1: width}, "scale": {0: batch}},
    )
    torch.export.save(program, str(tmp_path / "two.pt2"))
    found = registry.formats()["exported"].read_signature
    assert found is not None
    signature = found(tmp_path / "two.pt2")
    assert signature.inputs == (
        TensorSpec("image", "float32", ("batch", "image_1")),
        TensorSpec("scale", "float32", ("batch", 1)),
    )
    assert [(spec.name, spec.shape) for spec in signature.outputs] == [
        ("output_0", ("batch", "image_1")),
        ("output_1", ("batch",)),
    ]
    two = models.artifact("exported", tmp_path / "two.pt2", signature)
    outputs = models.infer(two, feed(signature, "random", 4, 0))
    assert {name: array.shape for name, array in outputs.items()} == {
        "output_0": (4, 16),
        "output_1": (4,),
    }


def test_onnx_with_external_data_is_a_folder(tmp_path: Path, tiny: dict[str, Artifact]) -> None:
    import onnx

    (tmp_path / "model").mkdir()
    model = onnx.load(str(tiny["onnx"].path))
    path = tmp_path / "model" / "model.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="w", size_threshold=1024)
    packed = models.artifact("onnx", tmp_path / "model", tiny["onnx"].signature)
    given = feed(packed.signature, "random", 2, 0)
    np.testing.assert_array_equal(
        models.infer(packed, given)["logits"], models.infer(tiny["onnx"], given)["logits"]
    )
    assert registry.formats()["onnx"].describe(packed.path)[0] == 6090


@pytest.mark.parametrize("name", [n for n in FORMATS if registry.format_named(n).concurrent])
def test_threads_that_share_a_runner_get_the_answers_they_would_get_alone(
    name: str, tiny: dict[str, Artifact]
) -> None:
    model = tiny[name]
    feeds = [feed(model.signature, "random", batch, batch) for batch in (1, 2, 3, 4)]
    with (
        registry.open_runner(model, RunnerOptions(threads=1)) as runner,
        ThreadPoolExecutor(4) as pool,
    ):
        alone = [runner.infer(given) for given in feeds]
        together = threading.Barrier(4, timeout=60)

        def ask(given: Feed) -> list[dict[str, np.ndarray]]:
            together.wait()
            return [runner.infer(given) for _ in range(25)]

        for wanted, answers in zip(alone, pool.map(ask, feeds), strict=True):
            for answer in answers:
                for output, value in wanted.items():
                    np.testing.assert_allclose(answer[output], value, rtol=1e-5, atol=1e-6)
