"""The System page."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from engine import store
from tests.engine.store.conftest import a_model
from tests.pages.conftest import OpenPage, click, words


def test_it_names_every_back_end_and_its_state(open_page: OpenPage) -> None:
    app = open_page("system")
    assert not app.exception
    shown = words(app)
    for label in ("PyTorch", "onnxruntime", "TorchScript", "tensorflow-cpu", "GGUF", "TensorRT"):
        assert label in shown


def test_a_missing_host_is_said_with_the_command(open_page: OpenPage) -> None:
    assert "python -m engine host" in words(open_page("system"))


def test_what_may_go_is_shown_before_it_goes(open_page: OpenPage, workspace: Path) -> None:
    store.models.save(a_model("old", workspace, "2026-01-01T00:00:00+00:00"))
    app = open_page("system")
    click(app, "See what may go")
    assert not app.exception
    assert any(one.label.startswith("Delete them and free") for one in app.button)
    assert store.models.recent()


def test_a_second_click_frees_it(workspace: Path) -> None:
    def dialog() -> None:
        from pages.components import room

        room.confirm(90)

    store.models.save(a_model("old", workspace, "2026-01-01T00:00:00+00:00"))
    app = AppTest.from_function(dialog, default_timeout=30).run()
    assert not app.exception
    app.button[0].click().run()
    assert not app.exception
    assert store.models.recent() == ()
    assert "Nothing older than 90 days may go." in words(app.run())
