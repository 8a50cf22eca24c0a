"""The System page."""

from __future__ import annotations

from tests.pages.conftest import OpenPage, words


def test_it_names_every_back_end_and_its_state(open_page: OpenPage) -> None:
    app = open_page("system")
    assert not app.exception
    shown = words(app)
    for label in ("PyTorch", "onnxruntime", "TorchScript", "tensorflow-cpu", "GGUF", "TensorRT"):
        assert label in shown


def test_a_missing_host_is_said_with_the_command(open_page: OpenPage) -> None:
    assert "python -m engine host" in words(open_page("system"))
