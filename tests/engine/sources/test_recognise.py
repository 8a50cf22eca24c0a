"""Every kind that is taken, from its file to a runnable original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadRequest, EngineError, InvalidModel, UnsafeModel, UnsupportedModel
from engine.registry import open_runner
from engine.settings import settings
from engine.types import Artifact, RunnerOptions, Signature, TensorSpec
from tests import models
from tests.engine.sources.conftest import (
    Bring,
    export,
    net,
    onnx_model,
    refused,
    script,
    with_external_data,
    zipped,
)


def test_torchscript_gets_a_proposed_signature_that_runs(bring: Bring, tmp_path: Path) -> None:
    found = bring(script(net(), tmp_path / "net.pt"))
    assert (found["kind"], found["format"]) == ("torchscript", "torchscript")
    assert found["signature_origin"] == "proposed"
    assert (
        found["signature"]["inputs"][0] | {"name": "image", "dtype": "float32"}
        == (found["signature"]["inputs"][0])
    )
    assert found["signature"]["inputs"][0]["shape"] == ["batch", 3, 224, 224]
    assert found["signature"]["outputs"][0]["shape"] == ["batch", 2]
    assert found["parameters"] == sum(item.numel() for item in net().parameters())


def test_frozen_torchscript_gets_one_too(bring: Bring, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "net.pt"
    torch.jit.freeze(torch.jit.script(net())).save(str(path))
    assert bring(path)["signature"]["inputs"][0]["shape"] == ["batch", 3, 224, 224]


def test_torchscript_of_tokens_is_proposed_whole_numbers_in_range(
    bring: Bring, tmp_path: Path
) -> None:
    from torch import nn

    module = nn.Sequential(nn.Embedding(30, 4), nn.Linear(4, 2)).eval()
    spec = bring(script(module, tmp_path / "net.pt"))["signature"]["inputs"][0]
    assert (spec["dtype"], spec["low"], spec["high"]) == ("int64", 0, 30)
    assert spec["shape"] == ["batch", "sequence"]


def test_torchscript_that_tells_nothing_asks_for_the_signature(
    bring: Bring, tmp_path: Path
) -> None:
    from torch import nn

    path = script(nn.ReLU(), tmp_path / "net.pt")
    assert "does not carry the shapes" in refused(bring, path, BadRequest).message
    given = Signature((TensorSpec("x", "float32", ("batch", 3)),))
    found = bring(path, signature=given)
    assert found["signature_origin"] == "given"
    assert found["signature"]["outputs"][0]["shape"] == ["batch", 3]


def test_a_given_signature_that_does_not_run_says_what_the_framework_said(
    bring: Bring, tmp_path: Path
) -> None:
    path = script(net(), tmp_path / "net.pt")
    wrong = Signature((TensorSpec("image", "float32", ("batch", 5, 32, 32)),))
    error = refused(bring, path, BadRequest, signature=wrong)
    assert "[batch, 5, 32, 32]" in error.message and "channels" in error.message


def test_exported_carries_its_signature(bring: Bring, tmp_path: Path) -> None:
    found = bring(export(net(), tmp_path / "net.pt2"))
    assert (found["format"], found["signature_origin"]) == ("exported", "carried")
    assert found["signature"]["inputs"][0]["shape"] == ["batch", 3, 16, 16]


def test_what_assay_exports_itself_can_be_brought_again(bring: Bring, tmp_path: Path) -> None:
    """Layers that are numbered begin their weights' names with a digit."""
    made = models.converted(models.eager(tmp_path / "eager"), "exported", tmp_path / "made")
    assert bring(made.path)["format"] == "exported"


def test_a_program_with_arithmetic_on_its_sizes_passes_the_checks(
    bring: Bring, tmp_path: Path
) -> None:
    import torch
    from torch import nn

    class Sizes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 8)

        def forward(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
            batch, length = tokens.shape
            flat = self.table(tokens).reshape(batch * length, 8)
            return {"half": flat[: (batch * length) // 2], "steps": torch.arange(length)[None]}

    dims = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=3, max=512)}
    program = torch.export.export(
        Sizes().eval(), (torch.randint(0, 50, (2, 8)),), dynamic_shapes={"tokens": dims}
    )
    path = tmp_path / "sizes.pt2"
    torch.export.save(program, path)
    spec = bring(path)["signature"]["inputs"][0]
    assert (spec["low"], spec["high"]) == (0, 50)


def test_onnx_carries_its_signature(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_model().SerializeToString())
    found = bring(path)
    assert (found["kind"], found["format"], found["parameters"]) == ("onnx", "onnx", 432)
    assert found["signature"]["inputs"][0]["high"] == 50
    assert found["op_histogram"] == {"Gather": 1, "MatMul": 1}


def test_onnx_with_external_data_as_a_zip_computes_the_same(
    bring: Bring, tmp_path: Path, workspace: Path
) -> None:
    folder = with_external_data(tmp_path / "m")
    path = zipped(
        tmp_path / "m.zip", {f"m/{item.name}": item.read_bytes() for item in folder.iterdir()}
    )
    found = bring(path)
    assert found["lineage"][0]["verb"] == "gather external data"
    single = tmp_path / "one.onnx"
    single.write_bytes(onnx_model().SerializeToString())
    ids = {"ids": np.arange(6, dtype=np.int64).reshape(2, 3)}
    signature = Signature((TensorSpec("ids", "int64", ("batch", "sequence")),))
    results = []
    for model in (workspace / "out" / found["path"], single):
        artifact = Artifact("a", "onnx", model, "", 0, signature)
        with open_runner(artifact, RunnerOptions()) as runner:
            results.append(next(iter(runner.infer(ids).values())))
    np.testing.assert_array_equal(*results)


def test_an_edited_onnx_signature_must_agree_with_the_file(bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_model().SerializeToString())
    good = Signature((TensorSpec("ids", "int64", ("rows", 7), 0, 10),))
    found = bring(path, signature=good)
    assert found["signature_origin"] == "given"
    assert found["signature"]["outputs"][0]["shape"] == ["rows", 7, 4]
    for wrong in (
        TensorSpec("other", "int64", ("batch", "sequence")),
        TensorSpec("ids", "int32", ("batch", "sequence")),
        TensorSpec("ids", "int64", ("batch",)),
    ):
        assert "declares" in refused(bring, path, BadRequest, signature=Signature((wrong,))).message


def test_weights_with_their_architecture(
    bring: Bring, tmp_path: Path, digits: dict[str, Any]
) -> None:
    import torch
    from safetensors.torch import save_file

    torch.save(digits, tmp_path / "a.pt")
    torch.save(digits, tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    save_file(digits, tmp_path / "c.safetensors")
    parameters = set()
    for name in ("a.pt", "b.pth", "c.safetensors"):
        found = bring(tmp_path / name, architecture="digits")
        assert found["format"] == "torch"
        parameters.add(found["parameters"])
    assert len(parameters) == 1


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_checkpoint_is_unwrapped_with_a_note(
    bring: Bring, tmp_path: Path, digits: dict[str, Any], wrapper: str
) -> None:
    import torch

    path = tmp_path / "check.ckpt"
    torch.save({wrapper: digits, "epoch": 3, "optimizer": {"lr": 0.1}}, path)
    notes = bring(path, architecture="digits")["notes"]
    assert any(wrapper in note and "epoch" in note for note in notes)


def test_weights_alone_ask_for_their_architecture(
    bring: Bring, tmp_path: Path, digits: dict[str, Any]
) -> None:
    import torch

    torch.save(digits, tmp_path / "a.pt")
    error = refused(bring, tmp_path / "a.pt", BadRequest)
    assert "resnet50" in error.hint and "config.json" in error.hint


def test_weights_of_another_architecture_name_the_first_keys(
    bring: Bring, tmp_path: Path, digits: dict[str, Any]
) -> None:
    import torch

    torch.save(digits, tmp_path / "a.pt")
    error = refused(bring, tmp_path / "a.pt", InvalidModel, architecture="adaptive")
    assert "'refine.weight'" in error.message and "'0.weight'" in error.message


def tiny_bert(folder: Path) -> Path:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=40,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_a_hugging_face_folder_as_a_zip(bring: Bring, tmp_path: Path, workspace: Path) -> None:
    folder = tiny_bert(tmp_path / "bert")
    (folder / "vocab.txt").write_text("[UNK]\nword\n")
    path = zipped(
        tmp_path / "bert.zip", {item.name: item.read_bytes() for item in folder.iterdir()}
    )
    found = bring(path)
    assert (found["kind"], found["format"]) == ("huggingface", "torch")
    assert found["signature"]["inputs"][0]["name"] == "input_ids"
    assert found["signature"]["inputs"][0]["high"] == 40
    assert (workspace / "out" / found["path"] / "vocab.txt").read_text() == "[UNK]\nword\n"


def test_a_hugging_face_folder_with_code_is_refused_until_code_is_allowed(
    bring: Bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_bert(tmp_path / "bert")
    (folder / "extra.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UnsupportedModel, match=r"'extra.py'") as caught:
        bring(folder)
    assert "torch.export" in caught.value.hint
    monkeypatch.setenv("ASSAY_ALLOW_MODEL_CODE", "1")
    settings.cache_clear()
    assert any("was not run" in note for note in bring(folder)["notes"])


@pytest.mark.parametrize(
    ("entry", "error", "said"),
    [
        ({"auto_map": {"AutoModel": "mine.Mine"}}, UnsupportedModel, "auto_map"),
        ({"_attn_implementation_internal": "them/kernel"}, UnsafeModel, "them/kernel"),
        ({"text_config": {"attn_implementation": "a/b"}}, UnsafeModel, "a/b"),
    ],
)
def test_a_config_that_asks_for_code_is_refused(
    bring: Bring, tmp_path: Path, entry: dict[str, object], error: type[EngineError], said: str
) -> None:
    folder = tiny_bert(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | entry))
    with pytest.raises(error, match=said):
        bring(folder)


def test_a_tokenizer_reached_through_a_link_stays_where_it_is(tmp_path: Path) -> None:
    from engine.architectures.folder import keep_tokenizer

    (tmp_path / "secret").write_text("nobody's business")
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    (home / "tokenizer.json").symlink_to(tmp_path / "secret")
    (home / "merges.txt").write_text("a b")
    assert keep_tokenizer(home, out) == ("merges.txt",)
    assert [item.name for item in out.iterdir()] == ["merges.txt"]


def test_weights_with_a_config_json(bring: Bring, tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "bert")
    found = bring(folder / "model.safetensors", config=folder / "config.json")
    assert found["kind"] == "safetensors"


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_config_that_is_none_is_refused(
    bring: Bring, tmp_path: Path, digits: dict[str, Any], text: str
) -> None:
    import torch

    torch.save(digits, tmp_path / "a.pt")
    config = tmp_path / "config.json"
    config.write_text(text)
    refused(bring, tmp_path / "a.pt", InvalidModel, config=config)


def test_a_config_of_an_unknown_type_names_it(
    bring: Bring, tmp_path: Path, digits: dict[str, Any]
) -> None:
    import torch

    from engine.errors import UnsupportedModel

    torch.save(digits, tmp_path / "a.pt")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "mine", "auto_map": {"AutoModel": "x.Y"}}))
    assert "'mine'" in refused(bring, tmp_path / "a.pt", UnsupportedModel, config=config).message


def test_a_name_that_promises_something_else_is_noted(bring: Bring, tmp_path: Path) -> None:
    path = script(net(), tmp_path / "net.pt")
    notes = bring(path, "net.onnx")["notes"]
    assert any("promises ONNX" in note and "TorchScript" in note for note in notes)


def test_the_original_shares_its_bytes_with_the_upload(
    bring: Bring, tmp_path: Path, workspace: Path
) -> None:
    path = script(net(), workspace / "net.pt")
    found = bring(path)
    assert (workspace / "out" / found["path"]).stat().st_ino == path.stat().st_ino


def test_a_file_that_is_not_ours_is_copied(bring: Bring, tmp_path: Path, workspace: Path) -> None:
    path = script(net(), tmp_path / "net.pt")
    found = bring(path)
    original = workspace / "out" / found["path"]
    before = original.read_bytes()
    path.write_bytes(b"written over")
    assert original.read_bytes() == before
