"""Reads the knowledge base's YAML, and refuses what does not fit, naming file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from engine.errors import EngineError

FOLDER = Path(__file__).parent
REPAIR = "The knowledge base is part of Assay: restore the file, or correct that entry."


def read(name: str, schema: str | None = None, *, folder: Path = FOLDER) -> dict[str, Any]:
    """``name`` (such as ``"claims.yaml"``), checked against ``schema/<schema>.schema.json``.

    Raises EngineError naming the file and the key of the first entry that does not fit.
    """
    path = folder / name
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise broken(name, "", f"could not be read: {error}") from error
    schema_path = FOLDER / "schema" / f"{schema or path.stem}.schema.json"
    rules = Draft202012Validator(json.loads(schema_path.read_text(encoding="utf-8")))
    problem = next(
        iter(sorted(rules.iter_errors(data), key=lambda e: list(map(str, e.path)))), None
    )
    if problem is not None:
        raise broken(name, "/".join(map(str, problem.absolute_path)), problem.message)
    found: dict[str, Any] = data
    return found


def broken(name: str, key: str, problem: str) -> EngineError:
    """The error for a file of the knowledge base that does not hold together."""
    where = f"{name} at {key}" if key else name
    return EngineError(f"knowledge/{where}: {problem}", hint=REPAIR)
