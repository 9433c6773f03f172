"""What a gate's action or rule asks for, as the simulation reads it: the promises are judged by
this, not by the gate's own reading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.places import as_named
from tests.simulation.turns import Stood


@dataclass(frozen=True)
class Wanted:
    """One upstream: what it must have come to, the one stage that counts, and whether it counts
    while a person holds it up.
    """

    pipeline: str
    require: str = "idle"
    stage: str | None = None
    parked: str = "wait"

    def left_aside(self, stood: Stood) -> bool:
        """Whether a running execution does not count, as it stood: it is through with the one
        stage, or it is parked and may be.
        """
        through = self.stage is not None and self.stage in stood.through
        return stood.over or through or (self.parked == "pass" and stood.parked)


@dataclass(frozen=True)
class Order:
    wanted: tuple[Wanted, ...]
    minutes: int
    hold: str
    revisions: str | None
    give_up: timedelta | None
    goes_on: bool
    """on_give_up is continue."""
    bypass: bool
    observe: bool
    says_who: bool
    """It names its pipeline and execution."""

    @property
    def names(self) -> list[str]:
        return [one.pipeline for one in self.wanted]

    @property
    def unguarded(self) -> bool:
        """It passes whatever runs."""
        return self.bypass or self.observe


def order(job: ActionJob) -> Order:
    """What the job's action asks."""
    return read(job.action.configuration.get("UserParameters", ""))


@lru_cache(maxsize=4096)
def read(text: str) -> Order:
    """What UserParameters ask; in short form, plain names."""
    given: dict[str, Any] = (
        json.loads(text)
        if text.startswith("{")
        else {"depends_on": [name.strip() for name in text.split(",")]}
    )
    return Order(
        wanted=wanted(given),
        minutes=given.get("retry_minutes", 5),
        hold=given.get("hold", "restart"),
        revisions=given.get("revisions"),
        give_up=timedelta(minutes=given["give_up_minutes"]) if "give_up_minutes" in given else None,
        goes_on=given.get("on_give_up") == "continue",
        bypass=given.get("bypass") == "true",
        observe=given.get("observe") is True,
        says_who="execution" in given,
    )


def wanted(given: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The upstreams of UserParameters, or of a rule's Input; one that stands there twice counts
    once.
    """
    return tuple(dict.fromkeys(_wanted(entry, given) for entry in given["depends_on"]))


def _wanted(entry: str | dict[str, str], given: Mapping[str, Any]) -> Wanted:
    words: dict[str, str] = {"pipeline": entry} if isinstance(entry, str) else entry
    shared: dict[str, str] = {key: given[key] for key in ("require", "parked") if key in given}
    said = {**shared, **words}
    return Wanted(
        as_named(said["pipeline"]),
        said.get("require", "idle"),
        said.get("stage"),
        said.get("parked", "wait"),
    )
