"""Which way things point. Each rule of the house has a test here."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Library

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "engine"
PAGES = ROOT / "pages"
FRAMEWORKS = {
    "torch",
    "tensorflow",
    "keras",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "transformers",
    "tensorrt",
    "pycuda",
    "llama_cpp",
    "gguf",
    "sklearn",
    "safetensors",
    "matplotlib",
}
MAX_FILE, MAX_PAGE, MAX_FUNCTION = 400, 120, 60


def sources(folder: Path) -> list[Path]:
    """Our own Python files below a folder."""
    return sorted(folder.rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(tree: ast.AST, *, inside_functions: bool = True) -> Iterator[str]:
    """Every module name a file imports; without those inside functions if asked."""
    hidden: set[ast.AST] = set()
    if not inside_functions:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                hidden.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(paths: list[Path], wrong: object, **how: bool) -> dict[str, list[str]]:
    """Per file, the imports for which ``wrong(path, name)`` holds."""
    found = {
        str(path.relative_to(ROOT)): sorted(
            {name for name in imported(tree_of(path), **how) if wrong(path, name)}
        )
        for path in paths
    }
    return {path: names for path, names in found.items() if names}


def top(name: str) -> str:
    return name.split(".")[0]


def test_engine_never_imports_streamlit_or_pages() -> None:
    assert not offenders(sources(ENGINE), lambda _, name: top(name) in {"streamlit", "pages"})


def test_frameworks_are_imported_inside_functions() -> None:
    ours = [*sources(ENGINE), *sources(PAGES), ROOT / "streamlit_app.py"]
    assert not offenders(ours, lambda _, name: top(name) in FRAMEWORKS, inside_functions=False)


def is_of_own_package(path: Path, folder: str, name: str) -> bool:
    """Whether a file of a format that is a package imports from that same package."""
    own = path.relative_to(ENGINE / folder).parts[0]
    return f"{name}.".startswith(f"engine.{folder}.{own}.")


@pytest.mark.parametrize("folder", ["formats", "architectures", "tasks", "passes"])
def test_siblings_do_not_import_each_other(folder: str) -> None:
    package = f"engine.{folder}"
    shared = {"architectures": {f"{package}.folder", f"{package}.surgery"}}.get(folder, set())

    def wrong(path: Path, name: str) -> bool:
        if path.parent.name == folder and path.stem in {"__init__", "folder"}:
            return False
        if not name.startswith(package + ".") or is_of_own_package(path, folder, name):
            return False
        return not any(name == allowed or name.startswith(allowed + ".") for allowed in shared)

    assert not offenders(sources(ENGINE / folder), wrong)


def test_formats_know_only_the_contracts() -> None:
    """And what several share: runners over tensors, modules to graphs; a GPU and its build plan."""
    contracts = ("types", "errors", "options", "registry", "lazy", "records", "files", "feeds")
    shared = ("architectures", "tensors", "exporting", "scripting", "opsets", "onnxfile", "nvidia")
    allowed = (*contracts, *shared, "processor", "halving", "texts")

    def wrong(path: Path, name: str) -> bool:
        if is_of_own_package(path, "formats", name):
            return False
        return name.startswith("engine.") and name.split(".")[1] not in allowed

    assert not offenders(sources(ENGINE / "formats"), wrong)


def test_passes_know_only_the_contracts() -> None:
    """Of formats they know the artifact and its runner, by the registry alone."""
    contracts = ("types", "errors", "options", "registry", "changes", "lazy", "files", "feeds")
    shared = ("data", "records", "architectures", "tensors", "opsets", "onnxfile", "nvidia")
    allowed = (*contracts, *shared, "processor", "layers", "halving")

    def wrong(path: Path, name: str) -> bool:
        if is_of_own_package(path, "passes", name):
            return False
        return name.startswith("engine.") and name.split(".")[1] not in allowed

    assert not offenders(sources(ENGINE / "passes"), wrong)


@pytest.mark.parametrize("name", ["types", "errors"])
def test_the_nouns_stand_alone(name: str) -> None:
    known = set(sys.stdlib_module_names) | {"numpy"}
    assert not offenders([ENGINE / f"{name}.py"], lambda _, module: top(module) not in known)


def test_pages_use_public_names_of_the_engine_only() -> None:
    import engine

    def wrong(_: Path, name: str) -> bool:
        parts = name.split(".")
        if parts[0] != "engine":
            return False
        return len(parts) > 2 or (len(parts) == 2 and parts[1] not in engine.__all__)

    assert not offenders(sources(PAGES), wrong)


def test_pages_hold_no_numpy_and_no_processes() -> None:
    banned = {"numpy", "subprocess", "multiprocessing", "pickle", "threading"}
    assert not offenders(sources(PAGES), lambda _, name: top(name) in banned)


def test_public_names_are_sorted_and_there() -> None:
    import engine

    assert list(engine.__all__) == sorted(engine.__all__)
    assert all(hasattr(engine, name) for name in engine.__all__)
    checked = [node for node in tree_of(ENGINE / "__init__.py").body if isinstance(node, ast.If)]
    typed = {
        alias.asname or alias.name
        for node in ast.walk(checked[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(engine.__all__), "what mypy sees is not what is given at run time"
    modules = {path.stem for path in ENGINE.iterdir()}
    assert not modules & set(engine.__all__), "a submodule would hide a public name"


def test_importing_the_engine_alone_loads_nothing_else() -> None:
    """Workers import the package on their way to their task."""
    script = "import sys, engine; print([n for n in sys.modules if n.startswith('engine.')])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_session_keys_and_query_parameters_are_spelled_in_one_file() -> None:
    """Elsewhere a key is a constant of ``state``; the URL is read and written only there."""
    found = []
    for path in sources(PAGES):
        if path.name == "state.py":
            continue
        for node in ast.walk(tree_of(path)):
            url = isinstance(node, ast.Attribute) and node.attr == "query_params"
            literal = (
                isinstance(node, ast.Subscript)
                and ast.unparse(node.value).endswith("session_state")
                and isinstance(node.slice, ast.Constant | ast.JoinedStr)
            )
            if url or literal:
                found.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
    assert not found


def test_every_page_guards_against_the_cold_deep_link() -> None:
    for path in sorted(PAGES.glob("[!_]*.py")):
        body = [
            node
            for node in tree_of(path).body
            if not isinstance(node, ast.Import | ast.ImportFrom)
            and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ]
        first = ast.unparse(body[0])
        assert first == "shell.guard()", f"{path.name} begins with {first!r}"


def test_sizes() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for folder in (ENGINE, PAGES, ROOT / "tests", ROOT / "benchmarks")
        for path in sources(folder)
        for lines in [len(path.read_text(encoding="utf-8").splitlines())]
        if lines > (MAX_PAGE if path.parent == PAGES else MAX_FILE)
    ]
    assert not too_long
    assert len((ROOT / "streamlit_app.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_functions_fit_on_a_screen() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in [*sources(ENGINE), *sources(PAGES)]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= MAX_FUNCTION
    ]
    assert not too_long


def test_no_drawer_for_odds_and_ends() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [path for path in [*sources(ENGINE), *sources(PAGES)] if path.stem in banned]


def test_no_unpickling_and_no_raw_html() -> None:
    """Nothing a person can influence is unpickled, evaluated or rendered as HTML."""
    banned = {
        "weights_only=False",
        "allow_pickle=True",
        "unsafe_allow_html=True",
        "unsafe_allow_javascript",
        "trust_remote_code=True",
        "shell=True",
    }
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in [*sources(ENGINE), *sources(PAGES)]
        for word in banned
        if word in path.read_text(encoding="utf-8")
    ]
    assert not found


def test_the_web_process_never_loads_a_framework(done_once: Library) -> None:
    """Every route imported and every page drawn, over a library with a model and a report."""
    script = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
import engine.api.routes
model, report = sys.argv[1:]
for page in sorted(Path("pages").glob("[!_]*.py")):
    app = AppTest.from_file("streamlit_app.py", default_timeout=60)
    app.run()
    app.switch_page(str(page))
    app.query_params.update({"model": model, "id": report})
    app.run()
    assert not app.exception, (page, app.exception)
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, done_once.model_id, done_once.report_id],
        cwd=ROOT,
        env={
            **os.environ,
            "ASSAY_DATA": str(done_once.data),
            "ASSAY_LOCK_DIR": str(done_once.data.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "streamlit" in loaded
    assert not loaded & FRAMEWORKS


def test_pages_never_import_pandas_before_somebody_opens_what_needs_it() -> None:
    """It is 40 MiB of the web process, which has 200."""
    assert not offenders(
        sources(PAGES), lambda _, name: top(name) == "pandas", inside_functions=False
    )


def test_durations_come_from_clocks_that_cannot_jump() -> None:
    """The wall clock says when something was; how long it took, it may say wrongly."""
    saying_when = {
        *("jobs/worker.py", "store/orphans.py", "sources/uploads.py", "sources/tickets.py"),
        "logins.py",
    }
    using = {
        str(path.relative_to(ENGINE))
        for path in sources(ENGINE)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ("time", "time_ns")
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    }
    assert using == saying_when
