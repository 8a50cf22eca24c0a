"""What the tests of pruning share: a trained net, and a way to prune and read what was noted."""

from __future__ import annotations

import pytest

from engine.types import Artifact
from tests import digits


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The digits net, trained."""
    return digits.trained(tmp_path_factory.mktemp("trained") / "digits")
