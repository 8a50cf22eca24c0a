"""Tables: columns to inputs, rows to samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.data.stored import LABELS
from engine.errors import BadRequest
from engine.types import Signature, TensorSpec
from tests.engine.data.made import PICTURES, prepared

OUT = (TensorSpec("y", "float32", ("n", 3)),)
ROW = Signature((TensorSpec("features", "float32", ("n", 2)),), OUT)
NAMED = Signature(
    (TensorSpec("age", "int64", ("n", 1)), TensorSpec("height", "float32", ("n",))), OUT
)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns_make_the_only_input(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "a,label,b\n1,0,2\n3,1,4.5\n\n5,2,6\n7,0,8\n")
    made = prepared(file, ROW, tmp_path / "out")
    assert made.kind == "table"
    assert np.load(tmp_path / "out" / "0.npy").tolist() == [[1, 2], [3, 4.5], [5, 6], [7, 8]]
    assert np.load(tmp_path / "out" / LABELS).tolist() == [0, 1, 2, 0]


def test_columns_are_inputs_by_name(tmp_path: Path) -> None:
    table = pa.table({"height": [1.5, 1.6, 1.7], "extra": ["x", "y", "z"], "age": [3, 4, 5]})
    pq.write_table(table, tmp_path / "a.parquet")
    prepared(tmp_path / "a.parquet", NAMED, tmp_path / "out")
    assert np.load(tmp_path / "out" / "0.npy").tolist() == [[3], [4], [5]]
    assert np.load(tmp_path / "out" / "1.npy").shape == (3,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "There are no samples"),
        ("", "do not make|columns beside"),
        ("a,b\n1,2\n3,x\n", "Row 2 holds 'x' in the column 'b', which is not a number"),
        ("a,b\n1,2\n3,\n", "NaN or infinite values in 'features': row 2"),
        ("a,b\n1,2\n3\n", "Row 2 of a.csv has 1 cells; there are 2 columns"),
        ("a,b,c\n1,2,3\n", "3 columns beside 'label'; 'features' takes 2"),
        ("a,label,b\n1,0.5,3\n2,1,3\n", "'0.5' in the column 'label', which is not a whole number"),
        ("a,b,label\n1,2,0\n2,3,9\n", "Labels outside 0 to 2: row 2"),
    ],
)
def test_what_does_not_fit_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=said):
        prepared(written(tmp_path / "a.csv", text), ROW, tmp_path / "out")


def test_a_table_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="do not make the inputs 'image'"):
        prepared(written(tmp_path / "a.csv", "a,b\n1,2\n"), PICTURES, tmp_path / "out")


def test_a_damaged_parquet_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(BadRequest, match="no Parquet file"):
        prepared(tmp_path / "a.parquet", ROW, tmp_path / "out")
