"""Hugging Face folders that bring code along (family 29)."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.hostile.case import Case, Traps
from tests.hostile.files.pickles import INVALID, Runs

BERT = {
    "model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_size": 16,
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50,
}  # fmt: skip


def _zip(
    members: Callable[[Traps], Mapping[str, bytes | str]], **config: Any
) -> Callable[[Path, Traps], Path]:
    def make(folder: Path, traps: Traps) -> Path:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("config.json", json.dumps({**BERT, **config}))
            for name, data in members(traps).items():
                file.writestr(name, data)
        return path

    return make


def _weights() -> bytes:
    import numpy as np
    from safetensors.numpy import save

    return save({"classifier.bias": np.zeros(2, np.float32)})


def _pickled(traps: Traps) -> dict[str, bytes | str]:
    import torch

    buffer = io.BytesIO()
    torch.save({"w": Runs(os.system, traps.command)}, buffer)
    return {"pytorch_model.bin": buffer.getvalue()}


def _code(traps: Traps) -> dict[str, bytes | str]:
    run = f"import os\nos.system({traps.command!r})\nclass Mine: pass\n"
    return {"model.safetensors": _weights(), "modeling_mine.py": run}


def _templates(traps: Traps) -> dict[str, bytes | str]:
    told = {"chat_template": {"../../../x": "{{ 1 }}"}, "tokenizer_class": "BertTokenizer"}
    return {"model.safetensors": _weights(), "tokenizer_config.json": json.dumps(told)}


def _own_code(folder: Path, traps: Traps) -> Path:
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", f"import os\nos.system({traps.command!r})\n")
        file.writestr("weights.safetensors", _weights())
    return path


def _bare(traps: Traps) -> dict[str, bytes | str]:
    return {"model.safetensors": _weights()}


CASES = [
    Case(
        29,
        "code named by auto_map",
        _zip(_code, auto_map={"AutoModel": "modeling_mine.Mine"}),
        ("unsupported",),
        "modeling_mine.py",
        None,
    ),
    Case(
        29,
        "code that only config.json names",
        _zip(_bare, auto_map={"AutoModel": "somebody/else--modeling.Mine"}),
        ("unsupported",),
        "auto_map",
        None,
    ),
    Case(
        29,
        "an attention from the hub",
        _zip(_bare, _attn_implementation_internal="somebody/evil-kernel"),
        ("unsafe_model",),
        "somebody/evil-kernel",
        None,
    ),
    Case(29, "weights that are a pickle", _zip(_pickled), ("unsafe_model",), "system", None),
    Case(29, "a chat template with a path", _zip(_templates), INVALID, "do not fit", None),
    Case(
        29,
        "a class that is not of transformers",
        _zip(_bare, architectures=["os.system"]),
        INVALID,
        "do not fit",
        None,
    ),
    Case(29, "a model.py", _own_code, ("unsafe_model",), "switched off", None),
]
