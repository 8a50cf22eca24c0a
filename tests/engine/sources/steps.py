"""Steps that run each task at once, in this process: what a pipeline needs, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.jobs.protocol import Task
from tests.models import TaskFolder


@dataclass
class StepsHere:
    """Each task in a folder of its own below ``home``."""

    home: Path
    job_id: str = "direct"
    count: int = 0

    def run(self, task: Task) -> dict[str, Any]:
        self.count += 1
        out = self.home / "direct" / f"task-{self.count}" / "out"
        out.mkdir(parents=True)
        module = import_module(f"engine.tasks.{task.name}")
        result = dict(module.run(task.request, TaskFolder(out)))
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
