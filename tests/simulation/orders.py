"""What a gate's action or rule asks for, as the simulation reads it: the promises are judged by this, not by the gate's own reading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sandbox.codepipeline.execution import PipelineExecution
from sandbox.codepipeline.jobs import Job


@dataclass(frozen=True)
class Wanted:
    """One upstream: what it must have come to, the one stage that counts, and whether it counts while a person holds it up."""

    pipeline: str
    require: str = "idle"
    stage: str | None = None
    parked: str = "wait"

    def left_aside(self, execution: PipelineExecution) -> bool:
        """Whether a running execution may not count: it is through with the one stage, or it may be parked."""
        through = self.stage is not None and self.stage in execution.stages and execution.stages[self.stage].status != "Failed"
        return through or self.parked == "pass"


@dataclass(frozen=True)
class Order:
    wanted: tuple[Wanted, ...]
    minutes: int
    hold: str
    revisions: str | None
    give_up: timedelta | None
    goes_on: bool
    """on_give_up is continue."""
    unguarded: bool
    """It passes whatever runs: bypass or observe."""
    says_who: bool
    """It names its pipeline and execution."""

    @property
    def names(self) -> list[str]:
        return [one.pipeline for one in self.wanted]


def order(job: Job) -> Order:
    """What the job's action asks."""
    return read(job.action.configuration.get("UserParameters", ""))


def read(text: str) -> Order:
    """What UserParameters ask; in short form, plain names."""
    given: dict[str, Any] = json.loads(text) if text.startswith("{") else {"depends_on": [name.strip() for name in text.split(",")]}
    return Order(
        wanted=tuple(_wanted(entry, given) for entry in given["depends_on"]),
        minutes=given.get("retry_minutes", 5),
        hold=given.get("hold", "restart"),
        revisions=given.get("revisions"),
        give_up=timedelta(minutes=given["give_up_minutes"]) if "give_up_minutes" in given else None,
        goes_on=given.get("on_give_up") == "continue",
        unguarded=given.get("bypass") == "true" or given.get("observe") is True,
        says_who="execution" in given,
    )


def _wanted(entry: str | dict[str, str], given: dict[str, Any]) -> Wanted:
    words: dict[str, str] = {"pipeline": entry} if isinstance(entry, str) else entry
    shared: dict[str, str] = {key: given[key] for key in ("require", "parked") if key in given}
    named: dict[str, str] = {**shared, **words}
    return Wanted(**named)
