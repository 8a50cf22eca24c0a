"""Steps that run each task at once, in this process: what a pipeline needs, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.jobs.protocol import Task


@dataclass
class DirectContext:
    """A task's context that remembers what was said."""

    out: Path
    said: list[str] = field(default_factory=list)

    def progress(self, message: str, fraction: float | None = None) -> None:
        self.said.append(message)


@dataclass
class DirectSteps:
    """Each task in a folder of its own below ``home``."""

    home: Path
    job_id: str = "direct"
    count: int = 0

    def run(self, task: Task) -> dict[str, Any]:
        self.count += 1
        out = self.home / "direct" / f"task-{self.count}" / "out"
        out.mkdir(parents=True)
        module = import_module(f"engine.tasks.{task.name}")
        result = dict(module.run(task.request, DirectContext(out)))
        result["_out"] = str(out)
        return result

    def out(self, result: Mapping[str, Any]) -> Path:
        return Path(result["_out"])

    def publish(self, result: Mapping[str, Any]) -> None:
        """Nobody watches."""

    def plan(self, labels: tuple[str, ...]) -> None:
        """Nobody watches."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield
