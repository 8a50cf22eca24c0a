"""A real OpenID provider on loopback, and people who log in at it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.ports import free_port

COOKIE_SECRET = "0123456789abcdef0123456789abcdef"
ROLES = {
    "admin": ["ada@example.org"],
    "runner": ["rita@example.org", "ron@example.org"],
    "viewer": ["vera@example.org"],
}
PEOPLE = ("ada", "rita", "ron", "vera", "nora")
"""By first letter: an admin, two runners, a viewer, and one without a role."""


@contextmanager
def provider() -> Iterator[str]:
    """OpenID Connect on loopback, where everybody is known; gives its address."""
    port = free_port()
    users = [
        ("--user-claims", json.dumps({"sub": name, "email": f"{name}@example.org"}))
        for name in PEOPLE
    ]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(
        [*command, *(part for pair in users for part in pair)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/.well-known/openid-configuration", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the provider ended"
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("no provider after 30 s")


def write_secrets(
    path: Path,
    provider_url: str,
    redirect_uri: str = "http://127.0.0.1:{port}/oauth2callback",
    roles: Mapping[str, object] = ROLES,
) -> Path:
    """A ``secrets.toml`` as the README shows it."""
    lines = [
        "[auth]",
        f'redirect_uri = "{redirect_uri}"',
        f'cookie_secret = "{COOKIE_SECRET}"',
        'client_id = "assay"',
        'client_secret = "between the two of them"',
        f'server_metadata_url = "{provider_url}/.well-known/openid-configuration"',
        "[roles]",
        *(f"{name} = {json.dumps(value)}" for name, value in roles.items()),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@contextmanager
def log_in(url: str, name: str) -> Iterator[httpx.Client]:
    """A client with that person's cookie, by the way a browser goes."""
    claims = {"provider": "default", "exp": int(time.time()) + 60}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(COOKIE_SECRET))
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30) as client:
        form = client.get("/auth/login", params={"provider": token})
        assert form.status_code == 200 and "Authorize Client" in form.text, form.text[:300]
        back = client.post(form.url, data={"sub": name})
        assert back.status_code == 200, back.text[:300]
        yield client
