"""Reports over HTTP: exports by id, and the page behind a share link, rendered on the server."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from engine import store
from engine.api.answers import answering
from engine.errors import NotFound
from engine.reports.export import export_csv, export_json, export_markdown
from engine.reports.model import Report
from engine.reports.render import export_html, page_html
from engine.settings import settings
from engine.store.shares import Share

_PRIVATE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_NOTHING_REMOTE = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Export:
    """One way a report leaves: how it is written, and as what it is served."""

    write: Callable[[Report], str]
    media_type: str


EXPORTS = {
    "json": Export(export_json, "application/json"),
    "csv": Export(export_csv, "text/csv; charset=utf-8"),
    "md": Export(export_markdown, "text/markdown; charset=utf-8"),
    "html": Export(export_html, "text/html; charset=utf-8"),
}


@answering
async def export(request: Request) -> Response:
    """The report as an attachment. 404 for an id or an ending that there is not."""
    report_id, ending = request.path_params["id"], request.path_params["ending"]
    if ending not in EXPORTS:
        raise NotFound(
            f"Reports are not exported as {ending[:20]!r}.", hint=f"There is {', '.join(EXPORTS)}."
        )
    chosen = EXPORTS[ending]
    text = await anyio.to_thread.run_sync(lambda: chosen.write(store.reports.load(report_id)))
    headers = _PRIVATE | {
        "Content-Disposition": f'attachment; filename="assay-{_plain(report_id)}.{ending}"',
        "Content-Security-Policy": _NOTHING_REMOTE,
    }
    return Response(text, media_type=chosen.media_type, headers=headers)


class _Misses:
    """How many links opened nothing in this minute. Links that do open are never counted."""

    MOST = 60

    def __init__(self) -> None:
        self._minute, self._count = 0, 0

    def one_more(self) -> bool:
        """Count one; False when there were too many, so that nobody tries links for long."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count <= self.MOST


_MISSES = _Misses()


async def shared(request: Request) -> Response:
    """A shared snapshot as a page. Unknown, expired and revoked links look alike: 404."""
    headers = _PRIVATE | {"Content-Security-Policy": _NOTHING_REMOTE}
    try:
        page = await anyio.to_thread.run_sync(_snapshot, request.path_params["token"])
    except NotFound as error:
        status = 404 if _MISSES.one_more() else 429
        return HTMLResponse(_lost(error), status_code=status, headers=headers)
    return HTMLResponse(page, headers=headers)


def _snapshot(token: str) -> str:
    """The page behind a token, with the way to the live one. Raises NotFound."""
    share = store.shares.opened(token)
    return _drawn(settings().database_url, token, replace(share, views=0))


@lru_cache(maxsize=4)
def _drawn(database_url: str, token: str, share: Share) -> str:
    """The page of a snapshot, drawn once: its report never changes, and hundreds may look at it."""
    report = store.shares.snapshot(share)
    return page_html(report, share, interactive=f"/report?share={quote(token, safe='')}")


def _plain(report_id: str) -> str:
    return "".join(sign for sign in report_id if sign.isascii() and sign.isalnum())[:32]


def _lost(error: NotFound) -> str:
    """A page of its own for a link that opens nothing."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Nothing here · Assay</title>"
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;"
        "padding:0 1rem;color-scheme:light dark}</style>"
        f"<h1>Nothing here</h1><p>{html.escape(error.message)}</p>"
        f"<p>{html.escape(error.hint)}</p></html>"
    )


ROUTES = [
    Route("/api/v1/reports/{id}.{ending}", export, methods=["GET"]),
    Route("/r/{token}", shared, methods=["GET"]),
]
