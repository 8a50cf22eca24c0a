"""What a whole run found: stored as JSON beside this file, and as a table in the README."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Self

from tests.conformance.cases import KINDS

STORED = Path(__file__).with_name("results.json")
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"
TOOLS = ("onnx", "tensorflow-cpu")


@dataclass(frozen=True)
class Result:
    """Case ids (``kind/name``) by how they ended; those that did not pass with the reason."""

    versions: dict[str, str]
    passed: tuple[str, ...]
    failed: dict[str, str]
    excluded: dict[str, str]

    @classmethod
    def of(cls, errors: dict[str, str | None], excluded: dict[str, str]) -> Self:
        """From each counted case's error (None: passed) and each excluded one's reason."""
        return cls(
            {name: metadata.version(name) for name in TOOLS},
            tuple(sorted(name for name, error in errors.items() if error is None)),
            {name: error for name, error in sorted(errors.items()) if error is not None},
            dict(sorted(excluded.items())),
        )

    @classmethod
    def stored(cls) -> Self:
        """The last whole run that was written down."""
        entries = json.loads(STORED.read_text(encoding="utf-8"))
        return cls(
            entries["versions"], tuple(entries["passed"]), entries["failed"], entries["excluded"]
        )

    def write(self) -> None:
        """Store it beside this file."""
        entries = {
            "versions": self.versions,
            "failed": self.failed,
            "excluded": self.excluded,
            "passed": self.passed,
        }
        text = json.dumps(entries, indent=1, ensure_ascii=False)
        STORED.write_text(text + "\n", encoding="utf-8")

    def counts_table(self) -> str:
        """A Markdown table: a row for each kind."""
        rows = [
            "| cases | all | excluded | counted | pass | |",
            "| --- | --: | --: | --: | --: | --: |",
        ]
        for kind in KINDS:
            passed, failed, left_out = (
                sum(name.startswith(f"{kind}/") for name in names)
                for names in (self.passed, self.failed, self.excluded)
            )
            counted = passed + failed
            if counted + left_out:
                share = f"{100 * passed / counted:.1f} %" if counted else "–"
                rows.append(
                    f"| `{kind}` | {counted + left_out} | {left_out} | {counted} "
                    f"| {passed} | {share} |"
                )
        return "\n".join(rows)

    def exclusions_table(self) -> str:
        """How many cases each reason leaves out."""
        counts = Counter(self.excluded.values())
        return "\n".join(f"{count:5} excluded: {reason}" for reason, count in counts.most_common())

    def failures_list(self) -> str:
        """Every failure with its reason, a line each."""
        lines = [f"{name}: {why}" for name, why in self.failed.items()]
        return "\n".join([f"{len(lines)} failures", *lines])


def readme_section(result: Result) -> str:
    """What stands between the README's markers."""
    tools = " and ".join(f"{name} {version}" for name, version in result.versions.items())
    return f"{BEGIN}\n{result.counts_table()}\n\nWith {tools}.\n{END}"


def write_readme(result: Result) -> None:
    """Renew the README's table. Raises ValueError when the markers are not there."""
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{README.name} has no place for the table: {BEGIN} … {END}")
    README.write_text(before + readme_section(result) + after, encoding="utf-8")
