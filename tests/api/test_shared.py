"""The page behind a share link: drawn once, and gone at once when the link is closed."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine import store
from engine.api import reports
from engine.api.routes import MIDDLEWARE
from tests.engine.reports.made import report


def test_a_page_is_drawn_once_every_view_counted_and_gone_when_the_link_is_closed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = reports.page_html
    monkeypatch.setattr(
        reports, "page_html", lambda *given, **how: drawn.append(1) or draw(*given, **how)
    )
    found = report()
    store.reports.save(found)
    new, other = (store.shares.create(found, days) for days in (1, None))
    app = Starlette(routes=reports.ROUTES, middleware=MIDDLEWARE)
    with TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 5000)) as client:
        pages = {client.get(f"/r/{new.token}").text for _ in range(3)}
        assert len(pages) == len(drawn) == 1
        assert client.get(f"/r/{other.token}").text not in pages, "it says until when it is open"
        store.shares.revoke(new.share.id)
        assert client.get(f"/r/{new.token}").status_code == 404
        assert client.get(f"/r/{other.token}").status_code == 200
    views = {share.id: share.views for share in store.shares.of_report(found.id)}
    assert views == {new.share.id: 3, other.share.id: 2}
