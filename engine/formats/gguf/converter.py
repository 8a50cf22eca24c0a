"""llama.cpp's own converter: where it is, what it knows, and one run of it as a process."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from engine.architectures import folder
from engine.errors import (
    ConversionError,
    EngineError,
    InvalidModel,
    StorageFull,
    UnsafeModel,
    UnsupportedModel,
)
from engine.formats.gguf import alone

HOME = Path(sys.prefix) / "share" / "llama.cpp"
SCRIPT = HOME / "convert_hf_to_gguf.py"
OUTPUTS: Mapping[str, str] = {"F32": "f32", "F16": "f16", "BF16": "bf16", "Q8_0": "q8_0"}
"""The types it writes itself; every other is made from one of these."""
_VOCABULARIES = (
    *("tokenizer.model", "tokenizer.json", "spiece.model", "vocab.json", "vocab.txt"),
    *("tekken.json", "tiktoken.model"),
)
_CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code")

_TAIL = 64 << 10
"""Bytes of its output that are held; all of it is in the worker's log."""
_GPT2_CONTEXT = 1024
"""What transformers takes where a config names no length."""


@cache
def known() -> Mapping[str, str]:
    """The architectures it converts, each with its family. Read, not imported: empty without it."""
    registry = HOME / "conversion" / "__init__.py"
    if not registry.is_file():
        return {}
    for node in ast.parse(registry.read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(target=ast.Name("TEXT_MODEL_MAP"), value=ast.Dict() as listed):
                found: Mapping[str, str] = ast.literal_eval(listed)
                return found
    return {}


def has_vocabulary(model: Path) -> bool:
    """Whether the folder holds a tokenizer, and not only words about one."""
    return any((model / name).is_file() for name in _VOCABULARIES)


def lay_out(model: Path, out: Path) -> None:
    """A Hugging Face folder at ``out`` from an eager model's: known names, no code, no copies.

    Raises InvalidModel where a tokenizer's settings are no JSON.
    """
    out.mkdir()
    config = {
        key: value for key, value in folder.read_spec(model).config.items() if key not in _CODE_KEYS
    }
    if config.get("model_type") == "gpt2":
        # transformers writes this no more, and llama.cpp still reads it.
        config.setdefault("n_ctx", config.get("n_positions", _GPT2_CONTEXT))
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (out / "model.safetensors").symlink_to((model / folder.WEIGHTS).resolve())
    for name in folder.TOKENIZER_FILES:
        source = model / name
        if name == "tokenizer_config.json" and source.is_file():
            (out / name).write_text(json.dumps(_settings(source)), encoding="utf-8")
        elif source.is_file():
            (out / name).symlink_to(source.resolve())


def _settings(path: Path) -> dict[str, Any]:
    """A tokenizer's settings without what names code or other files."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidModel(
            f"{path.name} is not JSON.", hint="Bring the tokenizer's files again."
        ) from error
    if not isinstance(found, dict):
        raise InvalidModel(
            f"{path.name} holds no settings by name.", hint="Bring the tokenizer's files again."
        )
    return {k: v for k, v in found.items() if k not in _CODE_KEYS and not k.endswith("_file")}


def convert(model: Path, out: Path, output: str, scratch: Path) -> None:
    """Write ``out`` from a Hugging Face folder. Raises EngineError with the converter's reason."""
    command = [sys.executable, "-I", alone.__file__, str(os.getpid()), str(SCRIPT)]
    options = ["--outfile", str(out), "--outtype", output]
    process = subprocess.Popen(
        [*command, str(model), *options],
        cwd=scratch,
        env=_environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,  # what it says is passed on when it says it
    )
    with process:
        said = _listen(process.stdout) if process.stdout else ""
    if process.returncode != 0 or not out.is_file():
        raise _failure(said, process.returncode)


def _listen(output: IO[bytes]) -> str:
    """Pass on to the log what it says, and keep the end, where the reasons stand."""
    tail = b""
    while part := output.read(_TAIL):
        sys.stderr.write(part.decode("utf-8", "replace"))
        tail = (tail + part)[-_TAIL:]
    return tail.decode("utf-8", "replace")


def _environment(scratch: Path) -> dict[str, str]:
    """Nothing of ours but threads; a home of its own, and no network."""
    kept = {key: value for key, value in os.environ.items() if key.endswith("_NUM_THREADS")}
    places = {"HOME": str(scratch), "HF_HOME": str(scratch), "TMPDIR": str(scratch)}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", **places, **offline, **kept}


def _failure(said: str, status: int) -> EngineError:
    """What the end of the converter's output means. Raises MemoryError where it had too little."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1][:300] if lines else f"it ended with status {status} and said nothing"
    if last == "AssertionError":
        wanted = next((line for line in reversed(lines) if line.startswith("assert ")), last)
        last = f"it expects {wanted.removeprefix('assert ').partition('  #')[0]}"
    if status == -9 or "MemoryError" in last or "not enough memory" in last:
        raise MemoryError(last)
    if "No space left on device" in said:
        return StorageFull()
    if alone.REFUSED in said:
        return UnsafeModel(
            f"This model was not converted: {alone.REFUSED}.",
            hint="Assay runs no code of models; bring one that transformers knows.",
        )
    if "pre-tokenizer was not recognized" in said:
        return UnsupportedModel(
            "llama.cpp does not know how this model's tokenizer splits text: byte-level "
            "tokenizers are recognised by what they do to a test text, and this one is new to it.",
            hint="Use the tokenizer of a published model, or a SentencePiece one.",
        )
    if "Can not map tensor" in last:
        return UnsupportedModel(
            f"llama.cpp has no place for one of the weights: {last}.",
            hint="The model differs from what llama.cpp knows under this architecture's name.",
        )
    return ConversionError(
        f"llama.cpp's converter failed: {last.rstrip('.')}.",
        hint="The log has its whole output; check that the folder is complete.",
    )
