"""The card beside an engine: where it was built, so that it is never opened anywhere else."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import BadRequest, InvalidModel, UnsupportedModel
from engine.files import disk_errors
from engine.nvidia import Profile
from engine.records import dump, parse
from engine.types import Signature

ENGINE, CARD = "model.engine", "engine.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Place:
    """What an engine is tied to. ``capability`` is the GPU's, ``"9.0"``; ``system`` OS and CPU."""

    tensorrt: str
    gpu: str
    capability: str
    driver: str
    system: str


@dataclass(frozen=True, slots=True)
class EngineCard:
    """Everything known about an engine without opening it. The ``engine.json`` beside it.

    ``layers`` counts the engine's layers by type; ``stayed_float32`` are those that should not
    have; ``source_sha256`` is the ONNX graph's; ``rebuild`` is the line that builds it again.
    """

    schema: int
    built: Place
    precision: str
    profile: Profile
    signature: Signature
    layers: Mapping[str, int]
    stayed_float32: tuple[str, ...]
    parameters: int | None
    facts: Mapping[str, str]
    source_sha256: str
    rebuild: str


def system() -> str:
    """OS and CPU type, as the card names them."""
    return f"{platform.system()} {platform.machine()}"


def write(card: EngineCard, folder: Path) -> None:
    """Put the card beside its engine."""
    with disk_errors():
        text = json.dumps(dump(card), indent=2, ensure_ascii=False)
        (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> EngineCard:
    """The card of the engine in ``folder``. Raises InvalidModel."""
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if content.get("schema") != SCHEMA:
            raise InvalidModel(
                f"The engine's card has the schema {content.get('schema')!r}; this Assay reads "
                f"{SCHEMA}.",
                hint="Build the engine again with this version.",
            )
        return parse(EngineCard, content)
    except (OSError, ValueError, AttributeError, BadRequest) as error:
        raise InvalidModel(
            f"An engine is a folder of {ENGINE} and {CARD}; this is not one: {error}",
            hint="Build the engine again from its ONNX model.",
        ) from error


def check_place(card: EngineCard, here: Place) -> None:
    """Raise UnsupportedModel, naming every difference, unless the engine runs here.

    A newer driver runs it; another card of the same compute capability does, too.
    """
    pairs = {
        "TensorRT": (card.built.tensorrt, here.tensorrt),
        "compute capability": (card.built.capability, here.capability),
        "system": (card.built.system, here.system),
    }
    differs = [f"{what} {was}, here {now}" for what, (was, now) in pairs.items() if was != now]
    if _numbers(here.driver) < _numbers(card.built.driver):
        differs.append(f"driver {card.built.driver} or newer, here {here.driver}")
    if differs:
        raise UnsupportedModel(
            f"This engine was built on another machine ({card.built.gpu}) and is tied to it: "
            f"{'; '.join(differs)}.",
            hint=f"Build it again here: {card.rebuild}",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
