"""The whole conformance run: ``python -m tests.conformance``.

Prints the counts of each kind and every failure in one line. ``--write`` stores the result and
renews the README's table; ``--only PATTERN`` runs the cases whose "kind/name" holds the pattern;
``--open`` lowers every model with open axes, which shows what depends on sizes being known.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter

from tests.conformance import results
from tests.conformance.cases import KINDS, excluded, load
from tests.conformance.run import run


def main(arguments: list[str]) -> int:
    """Run, print, and write where asked. Exit status 1 when a case that used to pass fails."""
    asked = _parser().parse_args(arguments)
    known = results.Result.stored()
    cases = [case for kind in KINDS for case in load(kind)]
    if asked.only:
        cases = [case for case in cases if re.search(asked.only, case.id)]
    left_out = {case.id: rule.reason for case in cases if (rule := excluded(case))}
    counted = [case.id for case in cases if case.id not in left_out]
    ended: Counter[bool] = Counter()

    def told(name: str, error: str | None) -> None:
        ended[error is None] += 1
        if error:
            print(f"failed {name}: {error}", flush=True)
        elif ended.total() % 200 == 0:
            print(f"{ended.total()} of {len(counted)} …", flush=True)

    worker = ("tests.conformance.worker", *(["open"] if asked.open else []))
    errors = run(counted, processes=asked.processes, told=told, worker=worker)
    result = results.Result.of(errors, left_out)
    print(f"\n{result.counts_table()}\n\n{result.exclusions_table()}\n\n{result.failures_list()}")
    if asked.write:
        if asked.only or asked.open:
            print("Written down are all cases with the shapes they declare: no --only, no --open.")
            return 2
        result.write()
        results.write_readme(result)
    lost = set(errors) & set(known.passed) - set(result.passed)
    if lost and not asked.open:
        print(f"\nThese passed when the results were last written: {', '.join(sorted(lost))}.")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", help="a regular expression, searched in kind/name")
    parser.add_argument("--open", action="store_true", help="leave every input's axes open")
    parser.add_argument("--processes", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--write", action="store_true", help="renew results.json and the README")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
