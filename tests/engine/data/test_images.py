"""Pictures: which, in what order, with which labels, and as what numbers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.recipe import apply, steps_for
from engine.data.stored import LABELS, StoredSamples
from engine.errors import BadRequest, EngineError
from engine.types import Signature, TensorSpec
from tests.engine.data.made import PAIRS, PICTURES, prepared

LAST = Signature((TensorSpec("x", "float32", ("n", 6, 6, 3)),), PICTURES.outputs)
GRAY = Signature((TensorSpec("x", "float32", ("n", 1, 6, 6), 0.0, 1.0),), PICTURES.outputs)


def picture(
    seed: int, size: tuple[int, int] = (6, 6), kind: str = "PNG", mode: str = "RGB"
) -> bytes:
    """Random pixels as a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(made, kind)
    return made.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)), np.float32)


def zipped(path: Path, files: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def some(count: int = 6, folder: str = "") -> dict[str, bytes]:
    return {f"{folder}{index}.png": picture(index) for index in range(count)}


def read(out: Path, signature: Signature, part: str) -> list[np.ndarray]:
    spec = signature.inputs[0]
    inputs = (TensorSpec(spec.name, spec.dtype, spec.shape[1:]),)
    samples = StoredSamples(out, part, signature, inputs, "it")
    return [feed[spec.name][0] for feed in samples.feeds()]


def test_pictures_are_normalised_as_imagenet_models_were_trained(tmp_path: Path) -> None:
    steps = steps_for({}, PICTURES)
    data = picture(3)
    made = apply(Image.open(io.BytesIO(data)), steps)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert np.allclose(made, ((pixels(data) / 255 - mean) / std).transpose(2, 0, 1), atol=1e-6)
    assert "minus 0.485 0.456 0.406" in steps.sentence


@pytest.mark.parametrize(
    ("recipe", "signature", "wanted"),
    [
        ({"values": "unit"}, PICTURES, lambda p: (p / 255).transpose(2, 0, 1)),
        ({"values": "signed"}, PICTURES, lambda p: (p / 127.5 - 1).transpose(2, 0, 1)),
        ({"values": "byte"}, LAST, lambda p: p),
        ({"values": "byte", "order": "bgr"}, LAST, lambda p: p[..., ::-1]),
        ({"values": "unit", "mean": "1 0 0", "std": "2 1 1"}, LAST, lambda p: own(p / 255)),
    ],
)
def test_every_choice_of_numbers(
    recipe: dict[str, str], signature: Signature, wanted: object
) -> None:
    data = picture(5)
    made = apply(Image.open(io.BytesIO(data)), steps_for(recipe, signature))
    assert np.allclose(made, wanted(pixels(data)), atol=1e-5)


def own(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[..., 0] = (values[..., 0] - 1) / 2
    return values


def test_one_channel_is_gray_and_a_known_range_is_kept() -> None:
    made = apply(Image.open(io.BytesIO(picture(1))), steps_for({}, GRAY))
    assert made.shape == (1, 6, 6)
    assert made.min() >= 0
    assert made.max() <= 1


def test_other_sizes_are_resized_and_cut_from_the_middle() -> None:
    wide = Image.new("RGB", (40, 10))
    wide.paste((255, 255, 255), (15, 0, 25, 10))
    made = apply(wide, steps_for({"values": "unit"}, PICTURES))
    assert made.shape == (3, 6, 6)
    assert made.mean() > 0.9, "the middle is white"


def test_folders_are_classes(tmp_path: Path) -> None:
    files = {
        f"set/{name}/{at}.png": picture(at + 10 * len(name))
        for name in ("dog", "bird")
        for at in range(3)
    }
    made = prepared(zipped(tmp_path / "a.zip", files), PICTURES, tmp_path / "out", values="unit")
    assert made.classes == ("bird", "dog")
    assert made.labelled
    labels = np.load(tmp_path / "out" / LABELS)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert any("bird = 0, dog = 1" in note for note in made.notes)
    assert (tmp_path / "out" / "seen.png").is_file()
    assert {channel.channel for channel in made.channels} == {0, 1, 2}


def test_a_list_of_files_and_labels(tmp_path: Path) -> None:
    listed = "file,label\n" + "".join(f"{at}.png,{at % 4}\n" for at in range(6))
    file = zipped(tmp_path / "a.zip", {**some(), "labels.csv": listed})
    assert prepared(file, PICTURES, tmp_path / "out").labelled
    assert np.load(tmp_path / "out" / LABELS).tolist() == [0, 1, 2, 3, 0, 1]


def test_without_labels_there_are_none(tmp_path: Path) -> None:
    made = prepared(zipped(tmp_path / "a.zip", some(folder="all/")), PICTURES, tmp_path / "out")
    assert not made.labelled
    found = read(tmp_path / "out", PICTURES, "calibration")
    assert len(found) == made.calibration


@pytest.mark.parametrize(
    ("files", "recipe", "said"),
    [
        ({**some(2), "bad.png": b"no picture"}, {}, "bad.png is no PNG or JPEG"),
        ({**some(2), "gif.png": picture(1, kind="GIF")}, {}, "gif.png is no PNG or JPEG"),
        ({**some(2), "z.png": picture(1)[:100]}, {}, "z.png is no PNG or JPEG"),
        ({**some(2), "deep.png": picture(1, mode="I;16")}, {}, "deep.png has 16 bits"),
        ({**some(2), "labels.csv": "0.png,1\n"}, {}, "no label for '1.png'"),
        ({**some(1), "labels.csv": "0.png,1\n9.png,1\n"}, {}, "names '9.png', which is not"),
        ({**some(2), "labels.csv": "0.png,7\n1.png,2\n"}, {}, "Labels outside 0 to 3: 0.png"),
        (some(2), {"mean": "1 2"}, "2 numbers for 3 channels"),
        (some(2), {"std": "1 0 1"}, "deviation of 0"),
        (some(2), {"mean": "a b c"}, "not made of numbers"),
        (some(2), {"order": "gray"}, "takes 3 channels; gray has 1"),
        (some(2), {"resize": 4}, "nothing of 6 × 6 can be cut"),
        (some(2), {"crop": 5}, "takes pictures of 6 pixels"),
        (some(2), {"colour": "red"}, "no option 'colour'"),
    ],
)
def test_what_cannot_be_used_is_named(
    files: dict[str, bytes], recipe: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError) as caught:
        prepared(zipped(tmp_path / "a.zip", files), PICTURES, tmp_path / "out", **recipe)
    assert said in str(caught.value)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.data.images.MOST_PIXELS", 30)
    with pytest.raises(BadRequest, match=r"0\.png would unpack to 6 × 6 pixels"):
        prepared(zipped(tmp_path / "a.zip", some(2)), PICTURES, tmp_path / "out")


def test_a_model_that_takes_no_pictures_says_what_it_takes(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="that is no picture"):
        prepared(zipped(tmp_path / "a.zip", some(2)), PAIRS, tmp_path / "out")
