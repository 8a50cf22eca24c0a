"""Where a model is looked for, and where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import BadRequest, NotFound, UploadError
from engine.settings import settings
from engine.sources import locate, models_folder, uploads


@pytest.fixture
def folder(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "models"
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "net.onnx").write_bytes(b"x")
    (home / "bert").mkdir()
    (home / "bert" / "config.json").write_text("{}")
    (home / "served" / "2").mkdir(parents=True)
    (home / "served" / "2" / "saved_model.pb").write_bytes(b"x")
    (home / "notes.txt").write_text("no model")
    (tmp_path / "secret.onnx").write_bytes(b"secret")
    (home / "leads-out.onnx").symlink_to(tmp_path / "secret.onnx")
    monkeypatch.setenv("ASSAY_MODELS", str(home))
    settings.cache_clear()
    return home


def test_a_sample_by_name(workspace: Path) -> None:
    assert locate("sample", "resnet50", None) == ("resnet50", "ResNet-50", None)
    with pytest.raises(NotFound, match="resnet50"):
        locate("sample", "nothing", None)


def test_an_upload_by_id(workspace: Path) -> None:
    model, config = uploads.save("net.pt", b"abc"), uploads.save("config.json", b"{}")
    source, name, other = locate("upload", model.id, config.id)
    assert (Path(source).read_bytes(), name) == (b"abc", "net.pt")
    assert other and Path(other).read_bytes() == b"{}"


def test_an_upload_that_is_not_complete(workspace: Path) -> None:
    upload = uploads.create("net.pt", 10)
    with pytest.raises(UploadError, match="0 of 10"):
        locate("upload", upload.id, None)


@pytest.mark.parametrize("upload_id", ["", "..", "/etc/passwd", "a/../../b", "0" * 32])
def test_an_id_is_never_a_path(workspace: Path, upload_id: str) -> None:
    with pytest.raises(NotFound):
        locate("upload", upload_id, None)


def test_a_path_in_the_models_folder(folder: Path) -> None:
    assert locate("path", "sub/net.onnx", None) == (
        str(folder / "sub" / "net.onnx"), "net.onnx", None
    )  # fmt: skip
    assert models_folder() == ("bert", "served", "sub/net.onnx")


@pytest.mark.parametrize(
    "source", ["../secret.onnx", "leads-out.onnx", "/etc/passwd", "sub/../../secret.onnx", ".", ""]
)
def test_a_path_that_leads_out(folder: Path, source: str) -> None:
    with pytest.raises(BadRequest, match="not inside"):
        locate("path", source, None)
    with pytest.raises(BadRequest):
        locate("path", "sub/net.onnx", source or "..")


def test_no_folder_is_configured(workspace: Path) -> None:
    assert models_folder() == ()
    with pytest.raises(BadRequest, match="No models folder"):
        locate("path", "net.onnx", None)
