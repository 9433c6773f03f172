"""Bugs to plant: each a small patch of the code, to show that the simulation would notice it."""

from __future__ import annotations

from tests.simulation.planted_bugs import constants, ending, holding, reports, upstreams
from tests.simulation.planted_bugs.bug import BUGS, PlantedBug

__all__ = ["BUGS", "PlantedBug", "constants", "ending", "holding", "reports", "upstreams"]
