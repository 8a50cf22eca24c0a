"""The uploader: large files straight to our own route in slices, so that a cut one can go on.

``st.file_uploader`` would hold the whole file in memory. This one never does, on either side. The
page gives it a ticket, without which no upload is announced; one that has run out is renewed.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

import engine
from pages.components import state

HTML = """\
<div class="box">
  <div class="drop">
    <label class="choose" for="file">Choose a model file</label>
    <input id="file" type="file" aria-describedby="what">
    <span class="or">or drop it here</span>
    <p id="what" class="what"></p>
  </div>
  <div class="progress" hidden>
    <div class="line"><span class="name"></span><span class="rate"></span></div>
    <progress max="1" value="0" aria-label="Upload progress"></progress>
    <div class="buttons">
      <button type="button" class="pause">Pause</button>
      <button type="button" class="cancel">Remove</button>
    </div>
  </div>
  <p class="say" role="status" aria-live="polite"></p>
</div>
"""

CSS = """\
.box { font-family: var(--st-font); color: var(--st-text-color); }
.drop {
  position: relative;
  border: 1px dashed var(--st-border-color);
  border-radius: var(--st-base-radius);
  background: var(--st-secondary-background-color);
  padding: 1.25rem 1rem;
  text-align: center;
}
.drop.over, .drop:focus-within { border-color: var(--st-primary-color); }
.drop input { position: absolute; inset: 0; opacity: 0; cursor: pointer; width: 100%; }
.choose, button {
  display: inline-block;
  font: inherit;
  padding: 0.35rem 0.9rem;
  border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius);
  background: var(--st-background-color);
  color: var(--st-text-color);
  cursor: pointer;
}
.drop:focus-within .choose, button:focus-visible {
  outline: 2px solid var(--st-primary-color);
  outline-offset: 2px;
}
.or { margin-left: 0.6rem; }
.what { margin: 0.7rem 0 0; font-size: 0.875rem; }
.progress { padding: 1rem 0 0; }
.line { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; justify-content: space-between; }
.name { overflow-wrap: anywhere; font-weight: 600; }
.rate { font-variant-numeric: tabular-nums; }
progress { width: 100%; height: 0.5rem; margin: 0.6rem 0; accent-color: var(--st-primary-color); }
.buttons { display: flex; gap: 0.5rem; }
.say { margin: 0.6rem 0 0; font-size: 0.875rem; overflow-wrap: anywhere; }
.say:empty { display: none; }
[hidden] { display: none; }
"""

JS = """\
const ROUTE = "/api/v1/uploads";
const SLICE = 16 * 1024 * 1024;
const HASHED_HERE = 64 * 1024 * 1024;
const WAITS_S = [1, 2, 4, 8, 15, 30];
const uploads = new WeakMap();

class Refused extends Error {}

async function call(method, path, headers, body, signal) {
  const answer = await fetch(path, { method, headers, body, signal, credentials: "same-origin" });
  if (answer.ok) return answer;
  let said = {};
  try { said = await answer.json(); } catch { /* not ours: the status alone has to do */ }
  const text = [said.message || "The server answered " + answer.status + ".", said.hint || ""];
  const error = new Refused(text.join(" ").trim());
  error.status = answer.status;
  error.said = said.message || text[0];
  error.afterS = Number(answer.headers.get("Retry-After")) || 0;
  throw error;
}

async function digest(file) {
  if (file.size > HASHED_HERE || !globalThis.crypto?.subtle) return null;
  const bytes = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const MOST_WAIT_S = 300;
const inUnit = (bytes, whole) => (bytes / (whole < 1e6 ? 1e3 : 1e6)).toFixed(whole < 1e7 ? 1 : 0);

class Upload {
  constructor(root, report) {
    this.root = root;
    this.report = report;
    this.turn = 0;
    this.ticketCame = () => {};
  }
  find(selector) { return this.root.querySelector(selector); }
  say(text) { this.find(".say").textContent = text; }

  async start(file) {
    await this.remove(false);
    const turn = ++this.turn;
    Object.assign(this, { file, id: null, offset: 0, paused: false, done: false });
    this.find(".name").textContent = file.name;
    this.find(".progress").hidden = false;
    this.find(".pause").hidden = false;
    this.show(0);
    this.say("Preparing…");
    try {
      const sha256 = await digest(file);
      const body = JSON.stringify(sha256 ? { name: file.name, sha256 } : { name: file.name });
      const made = await this.announce(file.size, body, turn);
      if (turn !== this.turn) return void call("DELETE", ROUTE + "/" + made.id).catch(() => {});
      this.id = made.id;
      this.say("");
      await this.send(turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  async announce(size, body, turn) {
    for (let renewed = false; ;) {
      const headers = {
        "Upload-Length": String(size),
        "Upload-Ticket": this.ticket ?? "",
        "Content-Type": "application/json",
      };
      try {
        return await (await call("POST", ROUTE, headers, body)).json();
      } catch (error) {
        if (turn !== this.turn) throw error;
        if (error.status === 403 && !renewed) {
          renewed = true;
          await this.renew();
        } else if (error.status === 429 && error.afterS) {
          await this.wait(error.said, error.afterS, turn);
          if (turn !== this.turn) throw error;
        } else throw error;
      }
    }
  }

  async renew() {
    const came = new Promise((done) => { this.ticketCame = done; });
    this.askTicket();
    await Promise.race([came, sleep(10000)]);
  }

  async wait(why, seconds, turn) {
    for (let left = Math.min(seconds, MOST_WAIT_S); left > 0; left--) {
      if (turn !== this.turn || this.paused) return;
      this.say(why + " Trying again in " + left + " s…");
      await sleep(1000);
    }
  }

  async send(turn) {
    let failures = 0;
    let knocked = false;
    while (turn === this.turn && !this.paused && this.offset < this.file.size) {
      try {
        // First nothing: a server that has no turn for us says so before it is sent a slice.
        await this.slice(knocked ? SLICE : 0);
        if (knocked) failures = 0;
        knocked = true;
        this.say("");
      } catch (error) {
        if (turn !== this.turn || this.paused) return;
        knocked = false;
        if (error.status === 429) {
          await this.wait(error.said, error.afterS || 5, turn);
          continue;
        }
        const passing = [400, 408, 409, 502, 503, 504].includes(error.status);
        if (error instanceof Refused && !passing) return this.fail(error);
        if (failures >= 40) return this.stop("No connection. Press Resume to go on.");
        const wait = WAITS_S[Math.min(failures++, WAITS_S.length - 1)];
        const why = error.status === 408 ? error.said : "The connection was lost.";
        await this.wait(why, wait, turn);
        await this.ask().catch(() => {});
      }
    }
    if (turn === this.turn && !this.paused) await this.finish(turn);
  }

  async slice(most) {
    const began = performance.now();
    const part = this.file.slice(this.offset, this.offset + most);
    this.abort = new AbortController();
    const headers = {
      "Upload-Offset": String(this.offset),
      "Content-Type": "application/offset+octet-stream",
    };
    const answer = await call("PATCH", ROUTE + "/" + this.id, headers, part, this.abort.signal);
    this.offset = Number(answer.headers.get("Upload-Offset"));
    if (most) this.show((part.size / 1e3) / Math.max(1, performance.now() - began));
  }

  async ask() {
    const answer = await call("HEAD", ROUTE + "/" + this.id);
    this.offset = Number(answer.headers.get("Upload-Offset"));
  }

  async finish(turn) {
    this.find(".pause").hidden = true;
    this.say("Checking the sha256…");
    try {
      const done = await (await call("POST", ROUTE + "/" + this.id + "/complete")).json();
      if (turn !== this.turn) return;
      this.done = true;
      this.say("Uploaded. sha256 " + done.sha256);
      this.report({ id: done.id, name: done.name, size: done.size, sha256: done.sha256 });
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  toggle() {
    if (this.paused) {
      this.paused = false;
      this.find(".pause").textContent = "Pause";
      this.say("");
      const turn = ++this.turn;
      this.ask().then(() => this.send(turn)).catch((error) => this.fail(error));
    } else {
      this.stop("Paused. What has arrived is kept for a day.");
    }
  }

  stop(text) {
    this.paused = true;
    this.abort?.abort();
    this.find(".pause").textContent = "Resume";
    this.say(text);
  }

  fail(error) {
    if (!(error instanceof Refused)) return this.stop("No connection. Press Resume to go on.");
    this.turn++;
    this.find(".progress").hidden = true;
    this.say(error.message);
  }

  async remove(told = true) {
    this.turn++;
    this.abort?.abort();
    const id = this.id;
    this.id = null;
    this.find(".progress").hidden = true;
    this.find(".pause").textContent = "Pause";
    this.say(told ? "Removed." : "");
    if (told) this.report(null);
    if (id && (told || !this.done)) await call("DELETE", ROUTE + "/" + id).catch(() => {});
  }

  show(rate) {
    const share = this.file.size ? this.offset / this.file.size : 0;
    const bar = this.find("progress");
    bar.value = share;
    const size = this.file.size;
    const done = inUnit(this.offset, size) + " of " + inUnit(size, size);
    const unit = size < 1e6 ? " kB" : " MB";
    const speed = rate && size > SLICE ? " · " + rate.toFixed(0) + " MB/s" : "";
    this.find(".rate").textContent = done + unit + speed;
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".box");
  let upload = uploads.get(parentElement);
  if (!upload) uploads.set(parentElement, (upload = new Upload(root, null)));
  upload.report = (file) => setTriggerValue("uploaded", file ?? { id: null });
  upload.askTicket = () => setTriggerValue("ticket", true);
  if (upload.ticket !== data?.ticket) {
    upload.ticket = data?.ticket;
    upload.ticketCame();
  }
  root.querySelector(".what").textContent = data?.what ?? "";
  root.querySelector(".choose").textContent = data?.choose ?? "Choose a file";

  const input = root.querySelector("input");
  const drop = root.querySelector(".drop");
  const take = (files) => { if (files.length) upload.start(files[0]); };
  input.onchange = () => { take(input.files); input.value = ""; };
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  };
  root.querySelector(".pause").onclick = () => upload.toggle();
  root.querySelector(".cancel").onclick = () => upload.remove();
}
"""

_mount = st.components.v2.component("assay_upload", html=HTML, css=CSS, js=JS)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A finished upload. ``size`` in bytes."""

    id: str
    name: str
    size: int
    sha256: str


def uploader(
    what: str, key: str, kept: str, choose: str = "Choose a model file"
) -> Uploaded | None:
    """Draw the uploader; gives what was uploaded in this session, kept under ``kept``."""
    given = {"what": what, "choose": choose, "ticket": engine.upload_ticket(state.session())}
    result = _mount(key=key, data=given, on_uploaded_change=_nothing, on_ticket_change=_nothing)
    said = result.uploaded
    if isinstance(said, dict):
        st.session_state[kept] = _checked(said)
    found: Uploaded | None = st.session_state.get(kept)
    return found


def _checked(said: dict[str, object]) -> Uploaded | None:
    """What the browser said, taken for what it is; None when the file was removed."""
    match said:
        case {"id": str(id_), "name": str(name), "size": int(size), "sha256": str(sha256)}:
            return Uploaded(id_, name[:128], size, sha256)
        case _:
            return None


def _nothing() -> None:
    """A trigger is only delivered where a callback is given. A run renews the ticket by itself."""
