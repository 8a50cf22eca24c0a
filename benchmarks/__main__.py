"""Our own speed and memory: every benchmark in this folder that is not long, or those named.

python -m benchmarks [name …]
python -m benchmarks fidelity [part …] [--minutes N]
python -m benchmarks load [--minutes N]
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

LONG = ("examples", "fidelity", "llama7b", "load", "passes")
"""Run by name alone: much disk, or most of an hour, and the README's tables renewed."""
ASKED = ("fidelity", "load")
"""Those that can be told more."""


def main() -> None:
    """Run each module's ``main`` and let it print its figures."""
    known = [
        entry.name
        for entry in pkgutil.iter_modules(benchmarks.__path__)
        if not entry.name.startswith("_") and entry.name not in ("served", "strangers")
    ]
    if sys.argv[1:2] and sys.argv[1] in ASKED:
        importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        return
    for name in sys.argv[1:] or [name for name in known if name not in LONG]:
        if name not in known:
            sys.exit(f"There is no benchmark {name!r}. There are: {', '.join(known)}.")
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
