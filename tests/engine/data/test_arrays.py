"""Arrays brought as data: what is taken, and what is said of the rest."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data.stored import StoredSamples
from engine.errors import BadRequest, EngineError, StorageFull
from engine.types import Signature
from tests.engine.data.made import PAIRS, PICTURES, pictures, prepared


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def part(out: Path, which: str, signature: Signature, inputs: object) -> StoredSamples:
    return StoredSamples(out, which, signature, inputs, "it")


def test_every_sample_comes_back_once_in_one_of_the_parts(tmp_path: Path) -> None:
    given = pictures()
    made = prepared(saved(tmp_path / "a.npy", given), PICTURES, tmp_path / "out")
    assert (made.calibration, made.evaluation, made.duplicates) == (6, 6, 0)
    both = [
        part(tmp_path / "out", which, PICTURES, made.inputs)
        for which in ("calibration", "evaluation")
    ]
    found = [feed["image"] for samples in both for feed in samples.feeds()]
    assert all(array.shape == (1, 3, 6, 6) for array in found)
    assert sorted(a.tobytes() for a in found) == sorted(a.tobytes() for a in given)
    assert not set(both[0].hashes()) & set(both[1].hashes())


def test_the_parts_depend_on_the_samples_and_not_on_their_order(tmp_path: Path) -> None:
    given = pictures()
    hashes = []
    for name, array in (("a", given), ("b", given[::-1].copy())):
        made = prepared(saved(tmp_path / f"{name}.npy", array), PICTURES, tmp_path / name)
        hashes.append(set(part(tmp_path / name, "evaluation", PICTURES, made.inputs).hashes()))
    assert hashes[0] == hashes[1]


def test_the_same_sample_twice_is_counted_once(tmp_path: Path) -> None:
    given = np.concatenate([pictures(), pictures()[:5]])
    made = prepared(saved(tmp_path / "a.npy", given), PICTURES, tmp_path / "out")
    assert (made.calibration + made.evaluation, made.duplicates) == (12, 5)
    assert any("5 samples were there before" in note for note in made.notes)


def test_zeros_are_never_calibrated_on(tmp_path: Path) -> None:
    given = pictures()
    given[0] = 0
    made = prepared(saved(tmp_path / "a.npy", given), PICTURES, tmp_path / "out")
    feeds = part(tmp_path / "out", "calibration", PICTURES, made.inputs).feeds()
    assert all(feed["image"].any() for feed in feeds)


def test_inputs_by_name_with_labels(tmp_path: Path) -> None:
    left = np.arange(20, dtype=np.float64).reshape(10, 2)
    right = np.arange(30).reshape(10, 3) % 9
    labels = np.arange(10) % 2
    np.savez(tmp_path / "a.npz", right=right, left=left, labels=labels)
    made = prepared(tmp_path / "a.npz", PAIRS, tmp_path / "out")
    assert made.labelled
    assert "left: float64 turned into float32." in made.notes
    for which in ("calibration", "evaluation"):
        samples = part(tmp_path / "out", which, PAIRS, made.inputs)
        known = samples.labels()
        assert known is not None
        for feed, label in zip(samples.feeds(), known, strict=True):
            index = int(feed["left"][0, 0]) // 2
            assert np.array_equal(feed["right"][0], right[index])
            assert label == labels[index]


def test_labels_in_a_list_of_index_and_label(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", pictures(4))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(tmp_path / "image.npy", "image.npy")
        file.writestr("labels.csv", "index,label\n3,0\n0,3\n1,2\n2,1\n")
    assert prepared(tmp_path / "a.zip", PICTURES, tmp_path / "out").labelled


def test_an_artifact_that_calls_its_inputs_otherwise_gets_them_by_place(tmp_path: Path) -> None:
    made = prepared(saved(tmp_path / "a.npy", pictures()), PICTURES, tmp_path / "out")
    renamed = Signature((PICTURES.inputs[0].__class__("x", "float32", (2, 3, 6, 6)),))
    feeds = list(part(tmp_path / "out", "calibration", renamed, made.inputs).feeds())
    assert all(feed["x"].shape == (2, 3, 6, 6) for feed in feeds), "a fixed batch is filled"


def nan_at(*places: int) -> np.ndarray:
    given = pictures(12)
    for place in places:
        given[place, 0, 0, 0] = np.nan
    return given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pictures(0), "There are no samples in it. Bring at least two"),
        (pictures(1), "There is 1 sample in it"),
        (np.repeat(pictures(1), 9, 0), "All 9 samples are the same"),
        (pictures().transpose(0, 2, 3, 1).copy(), r"\(NHWC\).*samples.transpose\(0, 3, 1, 2\)"),
        (pictures()[:, :, :5], r"Sample 0 has the shape \[3, 5, 6\]; one sample .* \[3, 6, 6\]"),
        (nan_at(3, 7), "NaN or infinite values in 'image': sample 3, sample 7"),
        (nan_at(*range(7)), "sample 4 and 2 more"),
        ((pictures() * 255).astype(np.uint8), "are uint8; the model takes float32. They look like"),
        (np.array([{"a": 1}] * 3, object), "holds Python objects, which are not opened"),
        (np.float32(3), "is a single number"),
        (np.zeros((9, 0), np.float32), r"samples of the shape \[0\].*which is nothing"),
        (np.asfortranarray(np.ones((5, 6))), "column by column"),
    ],
)
def test_what_does_not_fit_is_named(given: np.ndarray, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        prepared(saved(tmp_path / "a.npy", given), PICTURES, tmp_path / "out")
    assert re.search(said, str(caught.value)), caught.value


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"left": np.ones((4, 2), np.float32)}, "no array for 'right'; it holds 'left'"),
        (
            {"left": np.ones((4, 2), np.float32), "right": np.ones((3, 2), int)},
            "left.npy has 4, right.npy has 3",
        ),
        (
            {"left": np.eye(4, 2, dtype=np.float32), "right": np.full((4, 2), 9)},
            "Values of 'right' outside 0 to 9: sample 0, sample 1",
        ),
        (
            {"left": np.eye(4, 2), "right": np.ones((4, 2), int), "labels": np.array([0, 1, 2, 1])},
            "Labels outside 0 to 1: sample 2",
        ),
        (
            {"left": np.eye(4, 2), "right": np.ones((4, 2), int), "labels": np.ones(4)},
            "one whole number a sample",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(
    arrays: dict[str, np.ndarray], said: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadRequest, match=re.escape(said)):
        prepared(tmp_path / "a.npz", PAIRS, tmp_path / "out")


def test_a_file_that_was_cut_short_says_where(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.npy", pictures())
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadRequest, match="announces 12 samples and ends in sample 11"):
        prepared(file, PICTURES, tmp_path / "out")


def test_what_the_disk_cannot_hold_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.settings import settings

    monkeypatch.setenv("ASSAY_FREE_FLOOR_GIB", "1e9")
    settings.cache_clear()
    try:
        with pytest.raises(StorageFull, match="12 samples need"):
            prepared(saved(tmp_path / "a.npy", pictures()), PICTURES, tmp_path / "out")
    finally:
        settings.cache_clear()


def test_other_bytes_are_refused_with_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x00\x01\x02 nothing that is known")
    with pytest.raises(EngineError, match=r"Bring an \.npz"):
        prepared(tmp_path / "a.bin", PICTURES, tmp_path / "out")
