"""An account in which everything is in place, as `chalice deploy` and the README leave it."""

from __future__ import annotations

import pytest

from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.reader import DoctorReader
from gatectl.session import Place
from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.conftest import executor
from tests.support.deployment import configure, hold
from tests.support.scene import Scene


@pytest.fixture
def sound(scene: Scene) -> Scene:
    """The scene, with the settings and policies of .chalice/ at its functions."""
    configure("dev")
    return scene


@pytest.fixture(scope="session")
def evidence() -> DoctorEvidence:
    """What the doctor reads of such an account, in which k8s is held for infra."""
    with in_process(executor(), dials=Dials(start_on_create=False)) as world:
        configure("dev")
        hold(Scene(world))
        return DoctorReader(Place(None, None, json=False)).read_evidence()
