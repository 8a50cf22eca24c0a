"""Run llama.cpp's converter as a process, with no way from it to a model's own Python code.

``python -I alone.py PARENT_PID convert_hf_to_gguf.py ARGUMENTS…``. The converter asks transformers
for tokenizers in a way that would let a model bring code; here that door is shut.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import NoReturn

REFUSED = "the model asks for Python code of its own"
_PR_SET_PDEATHSIG = 1


def _refuse(*_: object, **__: object) -> NoReturn:
    raise PermissionError(REFUSED)


def main(parent: int, script: str, arguments: list[str]) -> None:
    """Die with the parent, shut the door, become the converter."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    from transformers import dynamic_module_utils

    # Every class of a model's own code is fetched and imported through these two.
    dynamic_module_utils.get_cached_module_file = _refuse
    dynamic_module_utils.get_class_in_module = _refuse
    home = Path(script).parent
    sys.path[:0] = [str(home), str(home / "gguf-py")]
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
