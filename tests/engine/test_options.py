"""Options of formats: declared once, written as text, read back checked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine import registry
from engine.errors import BadRequest
from engine.options import choice, choices, parse_target, read
from engine.types import Scalar, Target


@dataclass(frozen=True)
class Sauce:
    kind: str = choice("red", "Kind", values={"red": "Red, of tomatoes", "green": "Green"})
    heat: int = choice(2, "Heat", "From none to much.", low=0, high=5)
    salted: bool = choice(True, "Salted")
    name: str = choice("", "Name")


def test_what_is_declared_is_what_there_is_to_choose() -> None:
    kind, heat, *_ = choices(Sauce)
    assert (kind.name, kind.default, list(kind.values)) == ("kind", "red", ["red", "green"])
    assert (heat.low, heat.high, heat.help, heat.many) == (0, 5, "From none to much.", False)


def test_values_and_their_text_are_read_alike() -> None:
    given: dict[str, Scalar] = {"kind": "green", "heat": 5, "salted": False, "name": "x"}
    wanted = Sauce("green", 5, False, "x")
    assert read(Sauce, given, "Sauce") == wanted
    assert read(Sauce, {name: str(value) for name, value in given.items()}, "Sauce") == wanted
    assert read(Sauce, {}, "Sauce") == Sauce()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"colour": "red"}, "Sauce has no option 'colour'.*kind, heat, salted, name"),
        ({"kind": "blue"}, "kind of Sauce is 'blue'; it must be one of red, green"),
        ({"heat": "6"}, "a whole number from 0 to 5"),
        ({"heat": "1.5"}, "a whole number from 0 to 5"),
        ({"heat": "--1"}, "a whole number from 0 to 5"),
        ({"heat": "1" * 5000}, "a whole number from 0 to 5"),
        ({"salted": "perhaps"}, "yes or no"),
        ({"name": "a,b"}, "without ':', ',' and"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(given: dict[str, Scalar], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        read(Sauce, given, "Sauce")


@pytest.mark.parametrize(
    "target", [Target("onnx"), Target("gguf", {"context": "2048", "type": "Q4_K_M"})]
)
def test_a_target_is_written_and_read_back(target: Target) -> None:
    assert parse_target(target.key) == target


def test_a_target_without_a_value_is_refused() -> None:
    with pytest.raises(BadRequest, match="'q4' in 'gguf:q4' is not an option"):
        parse_target("gguf:q4")


@pytest.mark.parametrize("name", registry.formats())
def test_every_format_has_defaults_that_fit(name: str) -> None:
    """What a page submits first must be read by the converter."""
    spec = registry.format_named(name)
    defaults = {item.name: item.default for item in choices(spec.options)}
    assert read(spec.options, defaults, spec.label) == spec.options()
    for item in choices(spec.options):
        assert item.label
        grouped = [value for group in item.groups for value in group.values]
        assert not grouped or sorted(grouped) == sorted(item.values)
