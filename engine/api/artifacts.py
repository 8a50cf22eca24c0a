"""``GET /api/v1/artifacts/{id}``: an artifact's file, or its folder as a zip made on the way.

``…/importance-matrix``: what it was quantized with, where it was.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from engine import store
from engine.api.answers import answering
from engine.errors import NotFound
from engine.files import files_of
from engine.types import Artifact

_CHUNK = 1 << 20
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Every entry has this time, so that the same artifact always gives the same zip."""


@answering
async def download(request: Request) -> Response:
    """The bytes, as an attachment that no browser will interpret. Ranges work for files."""
    artifact = await anyio.to_thread.run_sync(_find, request.path_params["id"])
    headers = {
        # Without this the server compresses on the fly: slower, and without a length.
        "Content-Encoding": "identity",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "ETag": f'"{artifact.sha256}"',
    }
    if artifact.path.is_file():
        headers |= _attachment(artifact.path.name)
        return FileResponse(artifact.path, media_type="application/octet-stream", headers=headers)
    headers |= _attachment(f"{artifact.path.name}.zip")
    body = iterate_in_threadpool(_zip(artifact.path))
    return StreamingResponse(body, media_type="application/zip", headers=headers)


@answering
async def matrix(request: Request) -> Response:
    """The importance matrix that an artifact was quantized with, in llama.cpp's own file."""
    artifact = await anyio.to_thread.run_sync(_find, request.path_params["id"])
    path = store.artifacts.matrix_of(artifact)
    if path is None:
        raise NotFound(
            "This artifact was made without an importance matrix.",
            hint="Choose one in GGUF's options and convert the model again.",
        )
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    headers |= _attachment(path.name)
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


def _find(artifact_id: str) -> Artifact:
    """The artifact, its bytes still there. Raises NotFound."""
    artifact, _ = store.artifacts.load(artifact_id)
    if not artifact.path.exists():
        raise NotFound("The files of this artifact are gone.", hint="Convert the model again.")
    return artifact


def _attachment(name: str) -> dict[str, str]:
    plain = "".join(
        sign if (sign.isascii() and sign.isalnum()) or sign in "._-" else "_" for sign in name
    )
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    }


class _Pipe:
    """A file that only ever grows: what the zip writer wrote, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _zip(folder: Path) -> Iterator[bytes]:
    """A zip of the folder, stored and never whole in memory."""
    pipe = _Pipe()
    to_write: Any = pipe  # zipfile writes to it and asks for no more of a file
    with zipfile.ZipFile(to_write, "w", zipfile.ZIP_STORED, allowZip64=True) as target:
        for path in files_of(folder):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder)}", _FIXED_TIME)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, target.open(entry, "w") as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                    yield pipe.take()
    yield pipe.take()


ROUTES = [
    Route("/api/v1/artifacts/{id}", download, methods=["GET"]),
    Route("/api/v1/artifacts/{id}/importance-matrix", matrix, methods=["GET"]),
]
