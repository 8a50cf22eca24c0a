"""Which version of what was installed: a package has one name, however its files spell it."""

from __future__ import annotations

import re
from collections.abc import Mapping

SHOWN = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "transformers",
    "tensorflow",
    "tensorflow-cpu",
    "tensorrt",
    "llama-cpp-python",
    "numpy",
)
"""Those that run models; the others of a report are in its JSON."""


def by_name(packages: Mapping[str, str]) -> dict[str, str]:
    """The versions by normalised names: ``llama_cpp_python`` is ``llama-cpp-python``.

    As package indexes do it (PyPA, name normalization).
    """
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in packages.items()}
