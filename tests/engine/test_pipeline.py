"""What the pipeline decides before any worker starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import NoRoute
from engine.knowledge import reach_from
from engine.pipeline import planning
from engine.types import Artifact, Signature, Target


def test_a_way_that_there_is_not_is_refused_with_the_reason_of_the_model_page() -> None:
    original = Artifact("a", "onnx", Path("a.onnx"), "0" * 64, 1, Signature(()))
    (said,) = [reach.reason for reach in reach_from(original) if reach.format == "exported"]
    with pytest.raises(NoRoute) as refused:
        planning._route(original, Target("exported"))
    assert refused.value.message == said
    assert "savedmodel" in refused.value.hint
