"""The guides, the published figures and the claims: complete, and refused when they are broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.errors import EngineError
from engine.knowledge import claims, format_guides, list_recipes, pitfalls, reference_tables
from engine.knowledge.source import FOLDER, read


def test_every_schema_is_a_schema_and_every_file_has_one() -> None:
    schemas = {path.name.removesuffix(".schema.json") for path in (FOLDER / "schema").iterdir()}
    assert schemas == {path.stem for path in FOLDER.glob("*.yaml")} | {"format"}
    for path in (FOLDER / "schema").iterdir():
        Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_every_file_of_the_folders_is_used() -> None:
    assert {p.stem for p in (FOLDER / "formats").iterdir()} == {g.name for g in format_guides()}
    assert {p.name for p in (FOLDER / "recipes").iterdir()} == {r.file for r in list_recipes()}


def test_a_file_that_breaks_its_schema_is_named_with_the_key(tmp_path: Path) -> None:
    text = (FOLDER / "claims.yaml").read_text().replace("low: 2\n", "low: two\n")
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(EngineError, match=r"knowledge/claims\.yaml at claims/0/low"):
        read("claims.yaml", folder=tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"knowledge/claims\.yaml: could not be read"):
        read("claims.yaml", folder=tmp_path)
    shutil.copy(FOLDER / "claims.yaml", tmp_path)
    (tmp_path / "claims.yaml").write_text("claims: [")
    with pytest.raises(EngineError, match="could not be read"):
        read("claims.yaml", folder=tmp_path)


def test_the_ratings_are_the_founding_documents() -> None:
    rated = {
        guide.label: (
            guide.stars.optimization,
            guide.stars.portability,
            guide.stars.production_ready,
        )
        for guide in format_guides()
        if guide.stars
    }
    assert rated == {
        "ONNX": (3, 5, 4),
        "TorchScript": (4, 2, 4),
        "SavedModel": (4, 2, 5),
        "GGUF": (5, 3, 3),
        "TensorRT": (5, 1, 4),
    }
    assert next(g for g in format_guides() if g.name == "onnx").stars.in_words == {
        "Optimization": "medium (3 of 5)",
        "Portability": "very high (5 of 5)",
        "Production ready": "high (4 of 5)",
    }


def test_torchscript_is_deprecated_and_names_its_successor() -> None:
    guides = {guide.name: guide for guide in format_guides()}
    assert guides["torchscript"].successor == "exported"
    assert "Deprecated" in guides["torchscript"].status
    assert all(guide.successor is None or guide.successor in guides for guide in guides.values())


def test_the_reference_tables_are_the_founding_documents() -> None:
    resnet, llama = (one for one in reference_tables() if "founding document" in one.source)
    assert (resnet.model, resnet.batch, resnet.sequence) == ("ResNet-50", 1, None)
    assert {row.label: tuple(row.values.values()) for row in resnet.rows} == {
        "PyTorch eager": (180, 12, 200),
        "TorchScript": (145, 10, 180),
        "ONNX Runtime": (95, 8, 160),
        "TensorRT FP16": (None, 3, 120),
        "TensorRT INT8": (None, 2, 80),
    }
    assert [column.hardware for column in resnet.columns] == ["Intel Xeon", "RTX 4090", None]
    assert (llama.model, llama.batch, llama.sequence) == ("LLaMA-7B", None, 512)
    assert {row.label: tuple(row.values.values()) for row in llama.rows} == {
        "PyTorch FP32": (280, 45, 28),
        "PyTorch FP16": (190, 35, 14),
        "GGUF Q4_0": (150, 25, 4.5),
        "GGUF Q8_0": (170, 30, 7.5),
    }
    assert all(table.measured_on is None for table in (resnet, llama))


def test_other_published_tables_name_their_document_and_what_stands_there() -> None:
    (types,) = (one for one in reference_tables() if "founding document" not in one.source)
    assert "llama.cpp, README.md" in types.source and "section Quantization" in types.source
    assert [(c.threads, c.quantity, c.hardware) for c in types.columns] == [
        (4, "time_per_token", None),
        (8, "time_per_token", None),
    ]
    assert {row.label: tuple(row.values.values()) for row in types.rows} == {
        "GGUF F16": (127, 122),
        "GGUF Q8_0": (72, 67),
        "GGUF Q5_1": (83, 56),
        "GGUF Q5_0": (76, 52),
        "GGUF Q4_1": (54, 45),
        "GGUF Q4_0": (55, 43),
    }


def test_the_numbers_in_a_claim_are_those_of_its_sentence() -> None:
    for claim in claims():
        if claim.low is None or claim.high is None:
            assert claim.form == "statement"
            continue
        is_ratio = claim.form == "times_better" and "%" not in claim.text
        scale = 1 if is_ratio else 100
        base = 1 if claim.form == "times_better" and not is_ratio else 0
        said = f"{(claim.high - base) * scale:g}"
        assert said in claim.text, claim


def test_every_founding_pitfall_is_kept() -> None:
    founding = [trap.format for trap in pitfalls() if trap.origin == "founding"]
    assert sorted(founding) == ["onnx"] * 3 + ["tensorrt"] * 3 + ["torchscript"] * 3
