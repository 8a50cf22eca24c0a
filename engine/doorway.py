"""Where Assay is served, and under which name: to this machine alone, or, asked for, to others."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import BadRequest
from engine.jobs import locks
from engine.jobs.isolation import tiers
from engine.logins import login
from engine.settings import settings

LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")
_HOLDING = (tiers.Tier.A, tiers.Tier.B)


@dataclass(frozen=True, slots=True)
class Doorway:
    """Listening on ``address``. ``host`` is the one Host header that is answered; empty for the
    names of this machine. ``url`` is what a person opens.
    """

    address: str
    port: int
    host: str
    url: str

    @property
    def here(self) -> str:
        """Host and port under which this very machine reaches it."""
        found = ipaddress.ip_address(self.address)
        if found.is_unspecified:
            return f"[::1]:{self.port}" if found.version == 6 else f"{LOOPBACK}:{self.port}"
        return f"[{found}]:{self.port}" if found.version == 6 else f"{found}:{self.port}"


def doorway(address: str, port: int, *, name: str = "", without_login: bool = False) -> Doorway:
    """Where to serve. ``name`` is the host that browsers show, with its port where they show one;
    where people log in it comes from the ``redirect_uri``.

    Raises BadRequest for an address or a name beyond this machine, unless people log in or
    ``without_login`` says that everybody there may do everything, and workers are held by tier A
    or B.
    """
    listening = _address(address)
    if name and not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no host.",
            hint="Give what stands in the browser's address bar between // and the next slash: "
            "assay.lan or assay.lan:8501.",
        )
    plain = Doorway(str(listening), port, "", "")
    if configured := login():
        door = _with_login(plain, configured.origin(port), name, without_login)
    elif listening.is_loopback and (not name or is_loopback_name(name)):
        return Doorway(plain.address, port, "", f"http://{plain.here}")
    else:
        door = _without_login(plain, listening.is_unspecified, name, without_login)
    if not (listening.is_loopback and is_loopback_name(door.host)):
        _refuse_weak(door.host)
    return door


def _with_login(plain: Doorway, origin: str, name: str, without: bool) -> Doorway:
    """Under the name to which the provider sends people back. Raises BadRequest."""
    scheme, host = urlsplit(origin).scheme, urlsplit(origin).netloc
    if without:
        raise BadRequest(
            f"People log in here, says {settings().secrets}, and --without-login says they do not.",
            hint="Leave one of them away.",
        )
    if name and name.lower() != host:
        raise BadRequest(
            f"People come back from their login to {host}, not to {name}.",
            hint="Leave --name away, or correct redirect_uri in [auth].",
        )
    if scheme != "https" and not is_loopback_name(host):
        raise BadRequest(
            f"People would log in to {origin}, over which anybody on the way reads along.",
            hint="Put a proxy with a certificate before Assay, and https:// into redirect_uri.",
        )
    return Doorway(plain.address, plain.port, host, origin)


def _without_login(plain: Doorway, everywhere: bool, name: str, asked: bool) -> Doorway:
    """For whoever can reach it. Raises BadRequest where that was not asked for."""
    if not asked:
        raise BadRequest(
            f"Assay was not started: other machines could reach {name or plain.address}, and "
            "nobody there would have to log in.",
            hint="Configure a login ([auth] in secrets.toml, see the README); or say "
            "--without-login if whoever reaches it may do everything; or leave --address and "
            "--name away, and Assay serves this machine only.",
        )
    if everywhere and not name:
        raise BadRequest(
            f"Assay was not started: {plain.address} is every address of this machine, and only "
            "one name is answered.",
            hint="Say with --name what stands in the browser's address bar: --name assay.lan:8501",
        )
    host = (name or plain.here).lower()
    return Doorway(plain.address, plain.port, host, f"http://{host}")


def is_loopback_name(host: str) -> bool:
    """Whether a Host header (or an address) names this machine; the port does not matter."""
    try:
        name = urlsplit(f"//{host}").hostname if "::" not in host or "[" in host else host
    except ValueError:
        return False
    if name is None or "@" in host:
        return False
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(LOOPBACK if text == "localhost" else text)
    except ValueError as error:
        raise BadRequest(
            f"{text!r} is no address to listen on.",
            hint="Give one of this machine's own, such as 127.0.0.1; the name that people type "
            "goes to --name.",
        ) from error


def _refuse_weak(whom: str) -> None:
    """Others bring models: a worker that can read what Assay can would read for them."""
    found = tiers.sandbox(settings().sandbox)
    if found.tier not in _HOLDING:
        raise BadRequest(
            f"Assay was not started: other machines could reach {whom}, and workers here are held "
            f"by {found.name} only, in which a model's code reads what Assay can read.",
            hint="Install bubblewrap, or take a kernel with Landlock (Linux 6.2 and later): "
            "`python -m engine doctor` says what is missing. Or serve this machine only.",
        )
    running = locks.host_tier()
    if running is not None and running not in _HOLDING:
        raise BadRequest(
            f"Assay was not started: other machines could reach {whom}, and a host runs already "
            f"that holds workers in tier {running or 'none'}.",
            hint="Stop that host: `serve` starts one that holds them better.",
        )
