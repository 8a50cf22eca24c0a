"""TensorFlow by a short name, imported when it is first used: only in a worker."""

from __future__ import annotations

import os
from typing import Any

from engine.lazy import require


class _TensorFlow:
    """``tf.nn.relu`` as everywhere else, without an import line in each of 150 handlers."""

    def __getattr__(self, name: str) -> Any:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        return getattr(require("tensorflow", "tensorflow-cpu"), name)


tf: Any = _TensorFlow()
