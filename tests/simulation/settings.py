"""What a gate's UserParameters ask for, read independently of the gate, for the promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sandbox.codepipeline.execution import ActionJob
from tests.simulation.entries import Position
from tests.simulation.places import as_named


@dataclass(frozen=True)
class Requirement:
    """What one upstream must have come to, and what of it counts."""

    pipeline: str
    require: str = "idle"
    stage: str | None = None
    parked: str = "wait"

    def ignores(self, position: Position) -> bool:
        """Whether a running execution does not count: it is through with the one stage that counts,
        or it is parked and may be.
        """
        through = self.stage is not None and self.stage in position.stages_behind
        return position.over or through or (self.parked == "pass" and position.parked)


@dataclass(frozen=True)
class GateSettings:
    requirements: tuple[Requirement, ...]
    retry_minutes: int
    hold: str
    revisions: str | None
    give_up: timedelta | None
    continues: bool
    """on_give_up is continue."""
    bypass: bool
    observe: bool
    condition: bool
    execution: str | None
    """The one that it names as its own; None: it names none."""

    @property
    def pipelines(self) -> list[str]:
        return [one.pipeline for one in self.requirements]

    @property
    def required(self) -> list[str]:
        """The pipelines that must have succeeded."""
        return [one.pipeline for one in self.requirements if one.require == "succeeded"]

    @property
    def requires_stage(self) -> bool:
        """It waits for the success of one stage."""
        return any(one.require == "succeeded" and one.stage for one in self.requirements)

    @property
    def names_execution(self) -> bool:
        return self.execution is not None

    @property
    def always_passes(self) -> bool:
        return self.bypass or self.observe


def read_settings(job: ActionJob) -> GateSettings:
    """What the job's action, or rule, asks for."""
    return parse_settings(job.action.configuration.get("UserParameters", ""))


def is_claim(job: ActionJob) -> bool:
    """Whether the job's action names the execution of another one as its own."""
    return read_settings(job).execution not in (None, job.action.execution.id)


@lru_cache(maxsize=4096)
def parse_settings(text: str) -> GateSettings:
    keys = parse_keys(text)
    give_up = keys.get("give_up_minutes")
    return GateSettings(
        requirements=parse_requirements(keys),
        retry_minutes=keys.get("retry_minutes", 5),
        hold=keys.get("hold", "restart"),
        revisions=keys.get("revisions"),
        give_up=None if give_up is None else timedelta(minutes=give_up),
        continues=keys.get("on_give_up") == "continue",
        bypass=keys.get("bypass") == "true",
        observe=keys.get("observe") is True,
        condition=keys.get("condition") is True,
        execution=keys.get("execution"),
    )


def is_released(hold: Mapping[str, Any]) -> bool:
    """Whether the Input of a rule names a person who released its first wait."""
    name = hold.get("released_by")
    return isinstance(name, str) and bool(name.strip())


def belongs_to(hold: Mapping[str, Any], job: ActionJob) -> bool:
    """Whether the first wait of a rule's Input is that of this job's gate: if it does not name its
    gate, by what it waits for.
    """
    if hold.get("gate"):
        return bool(hold["gate"] == [job.action.stage.name, job.action.name])
    return bool(hold) and parse_requirements(hold) == read_settings(job).requirements


def parse_keys(text: str) -> dict[str, Any]:
    """The keys of UserParameters; those in short form are plain names."""
    if text.startswith("{"):
        keys: dict[str, Any] = json.loads(text)
        return keys
    return {"depends_on": [name.strip() for name in text.split(",")]}


def parse_requirements(keys: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """The upstreams of UserParameters, or of a rule's Input; each counts once."""
    shared = {key: keys[key] for key in ("require", "parked") if key in keys}
    requirements: dict[Requirement, None] = {}
    for entry in keys["depends_on"]:
        words = {**shared, **({"pipeline": entry} if isinstance(entry, str) else entry)}
        pipeline, require = as_named(words["pipeline"]), words.get("require", "idle")
        parked = words.get("parked", "wait")
        requirements[Requirement(pipeline, require, words.get("stage"), parked)] = None
    return tuple(requirements)
