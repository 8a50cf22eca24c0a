"""The recipe that serves a GGUF file: run whole where its packages are, else seen to lack them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from engine.knowledge import list_recipes
from tests.gguf_files import write_llama
from tests.ports import free_port

PACKAGES = ("fastapi", "sse_starlette", "starlette_context", "pydantic_settings")


def test_the_server_answers_or_ends_for_the_reason_the_recipe_gives(tmp_path: Path) -> None:
    (recipe,) = (one for one in list_recipes() if one.id == "gguf-serve")
    write_llama(tmp_path / "model-q4_k_m.gguf")
    script = shutil.copy(recipe.path, tmp_path / "serve.sh")
    path = f"{sys.prefix}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PORT": str(free_port())},
        capture_output=True,
        text=True,
    )
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        assert done.returncode != 0
        assert any(f"No module named '{name}'" in done.stderr for name in missing), done.stderr
        assert recipe.unrun and all(name in recipe.unrun for name in missing)
    else:
        assert done.returncode == 0, done.stderr
        start = done.stdout.index('{"id"')  # the server talks, too
        answer, _ = json.JSONDecoder().raw_decode(done.stdout[start:])
        assert answer["choices"][0]["message"]["role"] == "assistant"
