"""``GET /viewer/{kind}/{id}/``: a model's graph in Netron, served from here and kept from leaving.

The pages, scripts and data of the viewer come from the installed package ``netron``; its Python
code is never imported. Netron counts its users and looks for updates when it may: the page's head
tells it not to, its links to other sites are taken out, and the policy of every answer lets nothing
reach another host. Its dark look follows ``?theme=dark`` or ``light``, else the visitor's system.
"""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from engine import store
from engine.api.answers import answering
from engine.errors import BadRequest, MissingDependency, NotFound
from engine.graphs import LARGEST, graph_file, graph_part, viewable
from engine.types import Artifact

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
_TYPES = {
    ".js": "text/javascript",
    ".json": "application/json",
    ".css": "text/css",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
_DATA = "data/"
_BYTES = "application/octet-stream"
_DARK = "@media (prefers-color-scheme: dark)"
_THEMES = {"dark": "@media all", "light": "@media not all"}


@answering
async def view(request: Request) -> Response:
    """The viewer's page, one of its files, or a file of the model."""
    path = request.path_params["path"]
    if path and not path.startswith(_DATA):
        return _asset(path, request.query_params.get("theme", ""))
    kind, key = request.path_params["kind"], request.path_params["id"]
    artifact = await anyio.to_thread.run_sync(_find, kind, key)
    if path:
        return await anyio.to_thread.run_sync(_data, artifact, path.removeprefix(_DATA))
    refused = viewable(artifact)
    if refused:
        raise BadRequest(refused, hint="The Model page lists its operators and signature.")
    page = _page(graph_file(artifact).name, artifact.format, request.query_params.get("theme", ""))
    # Netron asks a stranger where its reader lives before it shows this consent: it is given here.
    consent = f"consent=1; Path=/viewer/{kind}/{quote(key)}/; SameSite=Strict"
    return HTMLResponse(page, headers={**_HEADERS, "Set-Cookie": consent})


def _find(kind: str, key: str) -> Artifact:
    """The artifact, or a model's original. Raises NotFound."""
    if kind not in ("model", "artifact"):
        raise NotFound(
            "There is nothing of that kind to look at.", hint="Open it from the Model page."
        )
    artifact = store.models.load(key).artifact if kind == "model" else store.artifacts.load(key)[0]
    if not artifact.path.exists():
        raise NotFound("The files of this model are gone.", hint="Bring it in again.")
    return artifact


def _page(file: str, title: str, theme: str) -> str:
    """Netron's own page, told what to open, and that it has no version to report."""
    text = (_home() / "index.html").read_text(encoding="utf-8")
    named = {
        "version": "0.0.0",  # its way of saying "not a release": no counting
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),  # else it stops after 180 days
        "file": f"{_DATA}{quote(file)}",
        "identifier": file,
    }
    head = "\n".join(
        f'<meta name="{name}" content="{escape(value)}">' for name, value in named.items()
    )
    text = re.sub(r'<meta name="(?:version|date)" content="[^"]*">\n', "", text)
    text = _themed(re.sub(r'href="https?://[^"]*"', 'href="#"', text), theme)
    text = text.replace('href="grapher.css"', f'href="grapher.css?theme={quote(theme)}"')
    return text.replace("<title>Netron</title>", f"{head}\n<title>Graph: {escape(title)}</title>")


def _themed(text: str, theme: str) -> str:
    """The style with its dark rules always or never in force; as it was for another word."""
    return text.replace(_DARK, _THEMES.get(theme, _DARK))


def _asset(path: str, theme: str) -> Response:
    """A file of the viewer's package. Raises NotFound for anything else."""
    known = _TYPES.get(Path(path).suffix)
    file = _home() / path
    if known is None or "/" in path or not file.is_file():
        raise NotFound("The viewer has no such file.", hint="Open the graph from the Model page.")
    if file.suffix == ".css":
        text = _themed(file.read_text(encoding="utf-8"), theme)
        return Response(text, media_type=known, headers=_HEADERS)
    return FileResponse(file, media_type=known, headers=_HEADERS)


def _data(artifact: Artifact, name: str) -> Response:
    """The graph's file, or one that lies beside it in the artifact's own folder."""
    file = graph_file(artifact)
    beside = file.parent / name
    inside = artifact.path.is_dir() and beside.resolve().is_relative_to(artifact.path.resolve())
    single = beside == file == artifact.path
    if not single and not (inside and beside.is_file()):
        raise NotFound("The model has no such file.", hint="Open the graph from the Model page.")
    headers = {**_HEADERS, "Content-Encoding": "identity"}
    part = graph_part(artifact) if beside == file else None
    if part is not None and part > LARGEST:
        raise BadRequest(
            f"The graph alone has {part / 1e6:,.0f} MB; a browser opens at most "
            f"{LARGEST / 1e6:,.0f} MB.",
            hint="The Model page lists its operators and signature.",
        )
    if part is not None:
        with file.open("rb") as whole:
            return Response(whole.read(part), media_type=_BYTES, headers=headers)
    return FileResponse(beside, media_type=_BYTES, headers=headers)


@cache
def _home() -> Path:
    """The folder of the package ``netron``, found without importing it."""
    spec = importlib.util.find_spec("netron")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency(
            "The graph viewer needs the package 'netron', which is not installed.",
            hint="Install it with: pip install netron",
        )
    return Path(spec.submodule_search_locations[0])


ROUTES = [Route("/viewer/{kind:str}/{id:str}/{path:path}", view, methods=["GET"])]
