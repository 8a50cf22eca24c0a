"""Whether people log in here, and what becomes of what their provider says of them.

One file says both: ``secrets.toml``, whose ``[auth]`` Streamlit reads (OpenID Connect), and whose
``[roles]`` is read here. Without ``[auth]`` nobody logs in.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.access import NOBODY, Person, Role
from engine.errors import BadRequest
from engine.records import fingerprint
from engine.settings import settings

ANYONE = "*"
CALLBACK = "/oauth2callback"
_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
_SHORTEST_SECRET = 32
_HOURS = 24.0
_AHEAD_S = 300.0
"""By so much the clock of a provider may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Login:
    """How people log in. ``providers`` are names for ``st.login``, empty for the only one.

    ``roles`` is by value of ``claim``, in small letters; ``hours`` is how long a login lasts.
    """

    redirect_uri: str
    providers: tuple[str, ...]
    claim: str
    roles: Mapping[str, Role]
    hours: float

    def origin(self, port: int) -> str:
        """Scheme and host under which people open Assay."""
        parts = urlsplit(self.redirect_uri.replace("{port}", str(port)))
        return f"{parts.scheme}://{parts.netloc}".lower()

    def person(self, claims: Mapping[str, Any]) -> Person:
        """Who that is, by claims whose signature was checked; nobody where they are too old."""
        issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
        since = claims.get("iat")
        # One from the future would outlast its hours, where a clock was put back.
        fresh = isinstance(since, int) and -_AHEAD_S <= time.time() - since < self.hours * 3600
        if claims.get("is_logged_in") is not True or not issuer or not subject or not fresh:
            return NOBODY
        name = str(claims.get("email") or claims.get("name") or subject)
        return Person(fingerprint("person", issuer, subject), name, self._role(claims))

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest of the roles that the claim's values have."""
        said = claims.get(self.claim)
        if self.claim == "email" and claims.get("email_verified", True) is not True:
            said = None  # anybody could have typed it; some providers say so by a text
        values = said if isinstance(said, list) else [said]
        known = (self.roles.get(value.lower()) for value in values if isinstance(value, str))
        given = [role for role in (*known, self.roles.get(ANYONE)) if role is not None]
        return max(given, key=lambda role: role.rank, default=None)


def login() -> Login | None:
    """How people log in here; None where they do not. Raises BadRequest for a file that is wrong.

    The file is read once a process.
    """
    return _read(settings().secrets)


@cache
def _read(path: Path) -> Login | None:
    if not path.is_file():
        return None
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no TOML: {error}") from error
    if "auth" not in found:
        return None
    auth, roles = found["auth"], found.get("roles", {})
    if not isinstance(auth, dict) or not isinstance(roles, dict):
        raise _wrong(path, "must hold tables [auth] and [roles]")
    _check(path, auth)
    named = tuple(name for name, value in auth.items() if _is_provider(value))
    hours = roles.get("hours", _HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or hours <= 0:
        raise _wrong(path, f"has hours = {hours!r} in [roles], which is no time")
    claim = roles.get("claim", "email")
    if not isinstance(claim, str):
        raise _wrong(path, f"has claim = {claim!r} in [roles], which is no name")
    return Login(auth["redirect_uri"], named, claim, _roles(path, roles), float(hours))


def _check(path: Path, auth: dict[str, Any]) -> None:
    """What ``[auth]`` must have to be safe. Raises BadRequest."""
    redirect, secret = auth.get("redirect_uri"), auth.get("cookie_secret")
    if not isinstance(redirect, str) or not redirect.endswith(CALLBACK):
        raise _wrong(path, f"needs a redirect_uri in [auth] that ends with {CALLBACK}")
    if not isinstance(secret, str) or len(secret) < _SHORTEST_SECRET:
        raise _wrong(
            path,
            f"needs a cookie_secret in [auth] of {_SHORTEST_SECRET} signs or more, which nobody "
            "can guess (openssl rand -hex 32 makes one)",
        )
    if not _is_provider(auth) and not any(_is_provider(value) for value in auth.values()):
        raise _wrong(path, f"needs {', '.join(_PROVIDER)} in [auth], or in an [auth.NAME]")


def _is_provider(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in _PROVIDER)


def _roles(path: Path, given: dict[str, Any]) -> dict[str, Role]:
    """By value of the claim: the role. The highest stands where one is named twice."""
    found: dict[str, Role] = {}
    for role in Role:
        values = given.get(role.value, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise _wrong(path, f"must give {role} in [roles] as a list of texts")
        found |= dict.fromkeys((value.lower() for value in values), role)
    if unknown := given.keys() - {*Role, "claim", "hours"}:
        raise _wrong(path, f"names {', '.join(sorted(unknown))} in [roles], which is no role")
    if not found:
        raise _wrong(path, "gives nobody a role: nobody could do anything")
    return found


def _wrong(path: Path, what: str) -> BadRequest:
    return BadRequest(
        f"{path.name} {what}.", hint=f"Correct {path}; the README's Logins shows a whole one."
    )
