"""Every recipe whose packages are here is run, in the order in which they build on each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.formats.gguf import converter
from engine.knowledge import Recipe, list_recipes
from engine.lazy import Requirement
from tests import models

PYTHON = [recipe for recipe in list_recipes() if recipe.language == "python"]
RUN = [recipe for recipe in list_recipes() if recipe.language == "python" or recipe.needs]
"""Python, and the shell recipes that say what they need: the others need a server."""
ALWAYS_HERE = {"torch", "onnxscript", "onnx", "onnxruntime", "llama_cpp", "transformers"}
"""Packages that requirements.txt pins: a recipe that needs only these must run."""


@pytest.fixture(scope="module")
def run_in_order(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], None]:
    """Runs a recipe after those it builds on, each once, in one folder."""
    folder = tmp_path_factory.mktemp("recipes")
    model = models.language_model(tmp_path_factory.mktemp("model") / "torch")
    converter.lay_out(model.path, folder / "my-model")
    bins = Path(sys.executable).parent
    environment = os.environ | {"LLAMA_CPP": str(converter.HOME)}
    environment["PATH"] = f"{bins}{os.pathsep}{os.environ['PATH']}"
    ran: set[str] = set()

    def run(recipe: Recipe) -> None:
        for before in (other for other in list_recipes() if other.id == recipe.after):
            run(before)
        if recipe.id in ran:
            return
        ran.add(recipe.id)
        script = shutil.copy(recipe.path, folder / recipe.file.removesuffix(".txt"))
        python = recipe.language == "python"
        command = [sys.executable, "-W", "ignore", script] if python else ["bash", "-eu", script]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run


@pytest.mark.parametrize("recipe", RUN, ids=lambda recipe: recipe.id)
def test_a_recipe_runs(recipe: Recipe, run_in_order: Callable[[Recipe], None]) -> None:
    missing = [need for need in recipe.needs if not Requirement(need, need).installed]
    if missing:
        assert not set(recipe.needs) <= ALWAYS_HERE
        pytest.skip(f"not installed: {', '.join(missing)}")
    run_in_order(recipe)


@pytest.mark.parametrize("recipe", PYTHON, ids=lambda recipe: recipe.id)
def test_a_python_recipe_is_python(recipe: Recipe) -> None:
    compile(recipe.code, recipe.file, "exec")


@pytest.mark.parametrize(
    "recipe", [r for r in list_recipes() if r.language == "bash"], ids=lambda recipe: recipe.id
)
def test_a_shell_recipe_is_shell(recipe: Recipe) -> None:
    done = subprocess.run(["bash", "-n", str(recipe.path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_recipe_uses_a_name_that_is_history() -> None:
    gone = (
        "max_workspace_size",
        "build_engine(",
        "IInt8EntropyCalibrator",
        "convert.py ",
        "./server",
    )
    for recipe in list_recipes():
        assert not [name for name in gone if name in recipe.code], recipe.id
