"""People with a page open, over Streamlit's own websocket, and viewers of a shared report.

A light client in the place of a browser: it loads the page's HTML, opens the websocket, and sends
and receives the messages a browser does. What it does not do is draw, or fetch scripts and fonts.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.load.tally import Tally

PATIENCE_S = 60.0
THINKS_S = (2.0, 8.0)
"""A person looks at a page for so long before the next click; a viewer comes back as often."""
IDLE_S = 3.0
"""The server closes what is idle for five seconds. A browser that meets that asks again."""
STAYS = 12
"""Clicks before somebody closes the tab and opens a new one."""


@dataclass
class Tab:
    """One open page: a websocket session. ``seen`` holds the widgets of the last run, by kind."""

    socket: ClientConnection
    tally: Tally
    page: str = ""
    query: str = ""
    kept: dict[str, WidgetState] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(default_factory=dict)

    async def open(self, page: str, query: str = "") -> None:
        """Go to a page, as a click in the navigation does."""
        self.page, self.query, self.kept = page, query, {}
        await self._run(f"page {page or 'choose'}")

    async def answer(self) -> bool:
        """Pick an answer on Choose and press Continue; False when there is nothing to ask."""
        asked = [one for one in self.seen.get("radio", []) if len(one.options)]
        if not asked:
            return False
        state = WidgetState(id=asked[0].id)
        state.string_value = random.choice(asked[0].options)
        self.kept = {state.id: state}
        await self._run("an answer picked")
        ready = [
            one
            for one in self.seen.get("button", [])
            if one.label == "Continue" and not one.disabled
        ]
        if not ready:
            self.tally.fault("Continue stayed closed after an answer was picked")
            return False
        await self._run("Continue pressed", WidgetState(id=ready[0].id, trigger_value=True))
        return True

    def ticket(self) -> str:
        """The ticket the page gave its uploader."""
        for one in self.seen.get("bidi_component", []):
            given = json.loads(one.json) if one.json else {}
            if isinstance(given, dict) and "ticket" in given:
                return str(given["ticket"])
        raise SystemExit("The Model page gave its uploader no ticket.")

    async def _run(self, kind: str, pressed: WidgetState | None = None) -> None:
        """One run of the page, to its end."""
        asked = BackMsg()
        wanted = asked.rerun_script
        wanted.query_string, wanted.page_name = self.query, self.page
        wanted.widget_states.widgets.extend(self.kept.values())
        if pressed is not None:
            wanted.widget_states.widgets.append(pressed)
        began = time.monotonic()
        await self.socket.send(asked.SerializeToString())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._until_it_ends(kind)
        except TimeoutError:
            self.tally.fault(f"{kind}: not run to its end within {PATIENCE_S:g} s")
            return
        self.tally.ran(kind, time.monotonic() - began)

    async def _until_it_ends(self, kind: str) -> None:
        while True:
            message = ForwardMsg.FromString(await self.socket.recv(decode=False))
            match message.WhichOneof("type"):
                case "new_session":
                    self.seen = {}
                case "delta":
                    self._see(message.delta, kind)
                case "page_info_changed":
                    self.query = message.page_info_changed.query_string
                case "script_finished":
                    # A run that ends early is followed by another one.
                    if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                        return
                    if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                        self.tally.fault(f"{kind}: the page has an error in its code")
                        return

    def _see(self, delta: Any, kind: str) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        what = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, what)
        self.seen.setdefault(what, []).append(element)
        if what == "exception":
            self.tally.fault(f"{kind}: {element.type}: {element.message}")


async def fetched(web: httpx.AsyncClient, kind: str, path: str, tally: Tally) -> None:
    """One page over HTTP, read to its end."""
    began = time.monotonic()
    try:
        answer = await web.get(path)
    except httpx.HTTPError as error:
        tally.fault(f"{kind}: {error!r}")
        return
    tally.answer(kind, answer.status_code, time.monotonic() - began)
    if answer.status_code != 200:
        tally.fault(f"{kind}: status {answer.status_code}")


def tab(url: str) -> connect:
    """The websocket of a page, as a browser opens it."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    protocols = [websockets.Subprotocol("streamlit")]
    return connect(address, subprotocols=protocols, origin=websockets.Origin(url), max_size=None)


async def person(url: str, pages: dict[str, str], until: float, tally: Tally) -> None:
    """Somebody who clicks until the time is up: pages, answers on Choose, new tabs."""
    limits = httpx.Limits(max_connections=2, keepalive_expiry=IDLE_S)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as web:
        await asyncio.sleep(random.uniform(0, THINKS_S[1]))
        while time.monotonic() < until:
            await fetched(web, "the page's HTML", "/", tally)
            try:
                async with tab(url) as socket:
                    await _clicks(Tab(socket, tally), web, pages, until)
            except (OSError, websockets.WebSocketException) as error:
                tally.fault(f"websocket: {error!r}")


async def _clicks(mine: Tab, web: httpx.AsyncClient, pages: dict[str, str], until: float) -> None:
    for _ in range(STAYS):
        name = random.choice(list(pages))
        await mine.open(name, pages[name])
        await asyncio.sleep(random.uniform(*THINKS_S))
        while name == "" and time.monotonic() < until and await mine.answer():
            await asyncio.sleep(random.uniform(*THINKS_S))
        await fetched(web, "health", "/healthz", mine.tally)
        if time.monotonic() > until:
            return


async def viewer(url: str, path: str, until: float, tally: Tally) -> None:
    """Somebody who was sent a link, and looks at it again and again. One connection each."""
    limits = httpx.Limits(max_connections=1, keepalive_expiry=IDLE_S)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as web:
        await asyncio.sleep(random.uniform(0, THINKS_S[1]))
        while time.monotonic() < until:
            await fetched(web, "the shared report", path, tally)
            await asyncio.sleep(random.uniform(*THINKS_S))
