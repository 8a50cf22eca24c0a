"""Every recipe that can be run here is run, in the order in which they build on each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from engine.formats.gguf import converter
from engine.knowledge import Recipe, list_recipes
from engine.lazy import Requirement
from tests import models

COMMANDS = {"python": [sys.executable, "-W", "ignore"], "bash": ["bash", "-eu"]}
RUN = [recipe for recipe in list_recipes() if recipe.unrun is None]
SLOW = {"libtorch-build"}
"""Compiles against LibTorch's headers: half a minute."""
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
    "LLAMA_CPP": str(converter.HOME),
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@pytest.fixture(scope="module")
def run_in_order(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], None]:
    """Runs a recipe after those it builds on, each once, in one folder."""
    folder = tmp_path_factory.mktemp("recipes")
    model = models.language_model(tmp_path_factory.mktemp("model") / "torch")
    converter.lay_out(model.path, folder / "my-model")
    ran: set[str] = set()

    def run(recipe: Recipe) -> None:
        for before in (other for other in list_recipes() if other.id == recipe.after):
            run(before)
        if recipe.id in ran:
            return
        ran.add(recipe.id)
        script = shutil.copy(recipe.path, folder / recipe.file.removesuffix(".txt"))
        if recipe.language == "cpp":
            return  # the recipe after it compiles and runs it
        done = subprocess.run(
            [*COMMANDS[recipe.language], script],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(one, id=one.id, marks=[pytest.mark.slow] if one.id in SLOW else [])
        for one in RUN
    ],
)
def test_a_recipe_runs(recipe: Recipe, run_in_order: Callable[[Recipe], None]) -> None:
    missing = [need for need in recipe.needs if not Requirement(need, need).installed]
    assert not missing, "a recipe that nothing runs has to say so in recipes.yaml"
    run_in_order(recipe)


def test_every_cpp_recipe_is_compiled_by_the_next_or_says_that_it_is_not() -> None:
    compiled = {recipe.after for recipe in RUN if recipe.language == "bash"}
    for recipe in RUN:
        assert recipe.language != "cpp" or recipe.id in compiled, recipe.id


@pytest.mark.parametrize(
    "recipe", [r for r in list_recipes() if r.language == "python"], ids=lambda recipe: recipe.id
)
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
        "/convert.py ",
        "./server",
    )
    for recipe in list_recipes():
        assert not [name for name in gone if name in recipe.code], recipe.id
