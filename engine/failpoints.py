"""Places at which a test has this process die, to see what is left of what it was about to keep.

Or stand still there, to see what others make of it meanwhile.
"""

from __future__ import annotations

import os
import signal

ASKED = "ASSAY_FAILPOINT"
"""The environment variable that names a place. Where it is not set, nothing happens."""
HOW = "ASSAY_FAILPOINT_SIGNAL"
"""What the process sends itself there: SIGKILL, or for instance SIGSTOP."""


def failpoint(name: str) -> None:
    """Die here, as ``kill -9`` does it, or what else was asked for, where this place was."""
    if os.environ.get(ASKED) == name:
        os.kill(os.getpid(), signal.Signals[os.environ.get(HOW, "SIGKILL")])
