"""Publishes again and again, each time in a process that is killed at one place on the way.

``python -m tests.engine.store.publisher TIMES`` says for every place and time what was published,
its name, and whether it was acknowledged. A process that was not killed where it should be is an
error.
"""

from __future__ import annotations

import os
import re
import signal
import sys

from engine import store
from engine.failpoints import ASKED
from engine.files import hash_path, publish
from engine.pipeline.importing import _keep_model
from engine.records import dump
from engine.settings import settings
from engine.sources import uploads
from engine.types import Artifact
from tests.engine.store.conftest import SIGNATURE, a_report

PUBLISHING = (
    "publish: begun",
    "publish: linked",
    "publish: written through",
    "publish: renamed",
    "publish: kept",
    "commit: begun",
    "commit: done",
)
UPLOADING = (
    "write: begun",
    "write: written through",
    "write: renamed",
    "upload: described",
    "upload: renamed",
)
PLACES = {
    "model": PUBLISHING,
    "artifact": PUBLISHING,
    "report": PUBLISHING[-2:],
    "upload": UPLOADING,
}
SETTLED = {"commit: done"}
"""Whoever dies there has the row committed."""


def main(times: int) -> None:
    """Every place, so many times."""
    for number in range(times):
        for what, places in PLACES.items():
            for place in (*places, ""):
                name = f"{what}-{number}-{re.sub('[: ]+', '-', place) or 'whole'}"
                _die(what, name, place)
                sys.stdout.write(f"{what} {name} {int(place in SETTLED or not place)}\n")
                sys.stdout.flush()


def _die(what: str, name: str, place: str) -> None:
    child = os.fork()
    if child == 0:
        _publish(what, name, place)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    wanted = signal.SIGKILL if place else 0
    if os.waitstatus_to_exitcode(status) != -wanted:
        sys.exit(f"{name}: ended with {os.waitstatus_to_exitcode(status)}, not {-wanted}")


def _publish(what: str, name: str, place: str) -> None:
    """What a step does when its worker is done, with the very functions that do it."""
    made = settings().jobs_dir / name
    (made / "inner").mkdir(parents=True)
    (made / "model.onnx").write_text(name * 100)
    (made / "inner" / "weights").write_bytes(name.encode() * 1000)
    upload = uploads.create(f"{name}.onnx", 100) if what == "upload" else None
    os.environ[ASKED] = place
    if upload is not None:
        with uploads.Appender(upload.id, 0) as part:
            part.write(b"x" * 100)
        uploads.complete(upload.id)
    elif what == "model":
        _keep_model(made.parent, {
            "path": f"{name}/model.onnx", "name": name, "format": "onnx", "variant": "",
            "signature": dump(SIGNATURE), "signature_origin": "carried", "lineage": [],
            "kind": "onnx", "parameters": 1, "op_histogram": {}, "facts": {}, "notes": [],
            "barred": "Not to be run.",
        })  # fmt: skip
    elif what == "artifact":
        home = settings().artifacts_dir / name
        publish(made, home)
        sha256 = hash_path(home / "model.onnx")
        store.artifacts.save(Artifact(name, "onnx", home / "model.onnx", sha256, 1, SIGNATURE), "m")
    else:
        store.reports.save(a_report(name, settings().data_dir / "elsewhere"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
