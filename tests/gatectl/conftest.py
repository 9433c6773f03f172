"""An account in which everything is in place, as `chalice deploy` and the README leave it."""

from __future__ import annotations

import pytest

from tests.support.deployment import configure
from tests.support.scene import Scene


@pytest.fixture
def sound(scene: Scene) -> Scene:
    """The scene, with the settings and policies of .chalice/ at its functions."""
    configure("dev")
    return scene
