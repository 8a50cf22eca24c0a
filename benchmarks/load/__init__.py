"""The web side under load: people who click, large uploads and viewers at once, on loopback.

    .venv/bin/python -m benchmarks load                five minutes, as the README's table says
    .venv/bin/python -m benchmarks load --minutes 0.5  a short trial; nothing is written

The real server (web and host) over a data folder of its own. People are websocket sessions of
Streamlit's own protocol, each clicking every 2 to 8 seconds; every 100 seconds as many uploads as
asked are sent at once, a quarter of them broken off and resumed; viewers load one shared report
again and again. It must end without an answer of 500 or more, without a page that fails, without a
lost upload, and the web process must come back to the memory it had, within 50 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load.tally import Tally
from benchmarks.load.uploading import Count, File, made, rounds
from benchmarks.load.visiting import Tab, person, tab, viewer
from benchmarks.served import ROOT, Served, cpu_s, memory_mib, served
from benchmarks.web import keep_model, keep_report
from engine import processor

KEPT = ROOT / "benchmarks" / "results" / "load.json"
README = ROOT / "README.md"
WHOLE_MINUTES = 5.0
ROUND_S = 100.0
MAY_KEEP_MIB = 50.0
COOLS_S = 240.0
"""Closed tabs are forgotten after two minutes; by then the memory has to be back."""
_MARK = re.compile(r"(?<=<!-- load: begin -->\n).*?(?=<!-- load: end -->)", re.DOTALL)


def main(given: Sequence[str] = ()) -> None:
    """Run it, say what was found, and keep that if it ran for the whole time."""
    asked = _arguments(given)
    with tempfile.TemporaryDirectory() as home, served() as app:
        os.environ["ASSAY_DATA"] = str(app.data)
        from engine import share

        report = keep_report()
        model = f"model={keep_model()}"
        link = f"/r/{share(report, 1).token}"
        files = made(Path(home), asked.uploads, int(asked.megabytes * 1e6))
        pages = {"": "", "model": model, "convert": model, "measure": model, "formats": ""}
        pages |= {"reports": "", "system": "", "report": f"id={report}"}
        found = asyncio.run(_load(app, asked, pages, link, files))
    found |= {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    print(json.dumps(found, indent=1))
    if asked.minutes >= WHOLE_MINUTES:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        README.write_text(_MARK.sub(lambda _: table(found), README.read_text()))
    if not found["passed"]:
        raise SystemExit("Something was found that may not be: see above.")


async def _load(
    app: Served, asked: argparse.Namespace, pages: dict[str, str], link: str, files: list[File]
) -> dict[str, Any]:
    tally, fresh = Tally(), memory_mib(app.web_pid)
    async with tab(app.url) as socket:  # what is imported when a page is first visited
        for name, query in pages.items():
            await Tab(socket, tally).open(name, query)
    await asyncio.sleep(2)
    start, used, began = memory_mib(app.web_pid), cpu_s(app.web_pid), time.monotonic()
    tally = Tally()
    until = began + asked.minutes * 60
    begins = [began + at for at in range(3, int(max(4, until - began - 20)), int(ROUND_S))]
    clicking = [person(app.url, pages, until, tally) for _ in range(asked.people)]
    viewing = [viewer(app.url, link, until, tally) for _ in range(asked.viewers)]
    sending = asyncio.create_task(rounds(app.url, files, app.data, begins, tally))
    await asyncio.gather(sending, *clicking, *viewing)
    count = sending.result()
    took, used = time.monotonic() - began, cpu_s(app.web_pid) - used
    end = await _cooled(app.web_pid, start + MAY_KEEP_MIB)
    return {
        "minutes": round(took / 60, 2),
        "people": asked.people,
        "viewers": asked.viewers,
        "rounds": len(begins),
        "uploads_at_once": asked.uploads,
        "megabytes_each": asked.megabytes,
        "uploads": asdict(count),
        "statuses": dict(sorted(tally.statuses.items())),
        "faults": tally.failed,
        "what_went_wrong": tally.wrong,
        "kinds": tally.figures(),
        "rss_mib": {
            "when_started": round(fresh, 1),
            "every_page_visited": round(start, 1),
            "most": round(memory_mib(app.web_pid, "VmHWM"), 1),
            "afterwards": round(end, 1),
        },
        "web_cpu_s": round(used, 1),
        "passed": _passed(tally, count, end - start),
    }


def _passed(tally: Tally, count: Count, kept_mib: float) -> bool:
    return tally.failed == 0 and count.whole == count.begun > 0 and kept_mib <= MAY_KEEP_MIB


async def _cooled(pid: int, wanted_mib: float) -> float:
    """The web process's memory once it is back, or once there was time enough for that."""
    deadline = time.monotonic() + COOLS_S
    while (here := memory_mib(pid)) > wanted_mib and time.monotonic() < deadline:
        await asyncio.sleep(2)
    return here


def machine() -> str:
    """Where it ran, in words."""
    return f"{processor.name()}, {processor.cores()} of {os.cpu_count()} CPUs"


def table(found: dict[str, Any]) -> str:
    """What was found, as the README shows it."""
    uploads, memory = found["uploads"], found["rss_mib"]
    errors = sum(count for status, count in found["statuses"].items() if int(status) >= 500)
    megabytes = uploads["whole"] * found["megabytes_each"]
    rows = [
        f"**{found['people']} people clicking, {found['uploads_at_once']} uploads of "
        f"{found['megabytes_each']:g} MB at once, {found['viewers']} viewers of one report**, "
        f"{found['minutes']:.1f} minutes, {found['date']}, {found['machine']}, the clients on the "
        "same processors:",
        "",
        "| What | How many | Median | 95 in 100 within |",
        "| --- | --- | --- | --- |",
    ]
    for kind, one in found["kinds"].items():
        rows.append(
            f"| {kind} | {one['count']:,} | {one['median_s']:.3f} s | {one['p95_s']:.2f} s |"
        )
    rows += [
        "",
        f"{sum(found['statuses'].values()):,} answers, {errors} of them 500 or more; "
        f"{found['faults']} pages or links failed. {uploads['whole']} of {uploads['begun']} "
        f"uploads arrived with their sha256 ({uploads['cut']} broken off and resumed), together at "
        f"{megabytes / uploads['seconds']:.0f} MB/s. The web process had "
        f"{memory['every_page_visited']:.0f} MiB with every page visited, {memory['most']:.0f} MiB "
        f"at its most, {memory['afterwards']:.0f} MiB afterwards, and used "
        f"{found['web_cpu_s']:.0f} s of CPU.",
        "",
    ]
    return "\n".join(rows)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load")
    parser.add_argument("--minutes", type=float, default=WHOLE_MINUTES)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--uploads", type=int, default=20, help="how many at once")
    parser.add_argument("--megabytes", type=float, default=200, help="each")
    return parser.parse_args(list(given))
