"""What is refused on its way into the queue is a sentence on the page."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages.components import state
from tests.pages.conftest import OpenPage, words


def test_an_empty_file_through_the_small_uploader(open_page: OpenPage) -> None:
    app = open_page("model")
    app.file_uploader(key=state.SMALL_FILE).set_value(("net.onnx", b"", ""))
    app.session_state[state.SHELL_RAN] = True
    app.run()
    assert not app.exception
    assert "empty" in words(app)
    assert "Ready" not in words(app)


def test_a_job_that_cannot_be_queued(workspace: Path) -> None:
    def page() -> None:
        import engine
        from engine import ConvertRequest, Target
        from pages.components import submission

        submission.queue(engine.submit_convert, ConvertRequest("0" * 16, (Target("onnx"),)))

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert "There is no such model" in words(app)
    assert "job" not in app.query_params
