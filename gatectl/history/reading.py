"""What AWS still knows of a pipeline: how it stands, and its executions back to a day. It only
reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.account.gates import FUNCTION, Gate, find_gates
from chalicelib.aws import parsing as shapes
from chalicelib.errors import REFUSALS, error_code
from chalicelib.holds.fate import find_closed_gate
from chalicelib.pipelines.execution import FINISHED, LOOK_BACK, Attempt, Execution
from gatectl.names import no_such_pipeline
from gatectl.session import Place

Listed = Mapping[str, Any]
"""An entry of a list, as AWS answers it."""


@dataclass(frozen=True)
class Past:
    """A pipeline and its `executions` (oldest first); of one that still runs, `updated` is now.

    `label`: for people. `created`: since when it is there, as far as AWS tells (aware UTC).
    `edited`: its structure was another one before. `held`: so many more executions a gate of its
    own held, be it there still or not; they did no work, and are left out.
    """

    name: str
    label: str
    arn: str
    mode: str
    created: datetime
    gates: tuple[Gate, ...] = ()
    executions: tuple[Execution, ...] = ()
    held: int = 0
    edited: bool = False

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


class Reading:
    """Reads `region` (None: the place's own), from `since` until `now` (both aware UTC)."""

    def __init__(self, place: Place, region: str | None, since: datetime, now: datetime) -> None:
        self._place = place
        self._region = region
        self._client = place.client("codepipeline", region)
        self._since = since
        self._now = now

    def pipeline(self, name: str, label: str) -> Past:
        """The pipeline as it stands, without its executions. Raises Refused where there is none."""
        try:
            answer = self._client.get_pipeline(name=name)
        except ClientError as error:
            if error_code(error) == "PipelineNotFoundException":
                raise no_such_pipeline(self._place, name, self._region) from None
            raise
        declared, metadata = answer["pipeline"], answer["metadata"]
        mode, created = (
            declared.get("executionMode", "SUPERSEDED"),
            metadata["created"].astimezone(UTC),
        )
        return Past(
            name,
            label,
            metadata["pipelineArn"],
            mode,
            created,
            find_gates(declared),
            edited=declared.get("version", 1) > 1,
        )

    def own(self, past: Past) -> Past:
        """The pipeline that is to wait, with what began since then."""
        found = self._executions(past, self._since, self._before)
        within = [one for one in found if one.started >= self._since]
        held = self._held(
            past, perhaps=past.edited and any(one.status == "Failed" for one in within)
        )
        worked = tuple(one for one in within if one.id not in held)
        return replace(
            past, created=_created(past, found), executions=worked, held=len(within) - len(worked)
        )

    def upstream(self, past: Past) -> Past:
        """One that is waited for, with what may have run since then, and with what had finished
        last before.
        """
        begin = self._since - LOOK_BACK
        found = self._executions(
            past, begin, lambda one: one["startTime"] < begin and one["status"] in FINISHED
        )
        return replace(past, created=_created(past, found), executions=tuple(found))

    def _executions(
        self, past: Past, begin: datetime, enough: Callable[[Listed], bool]
    ) -> list[Execution]:
        listed = self._back(
            past.name,
            "list_pipeline_executions",
            "pipelineExecutionSummaries",
            f"executions of {past.label}",
            begin,
            enough,
        )
        # Newest first in practice, but the model promises no order; the sort keeps AWS's among
        # those that began together.
        found = sorted(map(Execution.parse, reversed(listed)), key=lambda one: one.started)
        return [
            replace(one, updated=max(self._now, one.started)) if one.running else one
            for one in found
        ]

    def _held(self, past: Past, *, perhaps: bool) -> set[str]:
        """The ids of the executions that the pipeline's own gates held, as the attempts tell: a
        gate may have gone since. `perhaps`: it may have held some even if it has no gate now.
        """
        attempts: dict[str, list[Attempt]] = defaultdict(list)
        lists: list[tuple[str, str, Callable[[Any], Attempt]]] = []
        if past.gates or perhaps:
            lists.append(("list_action_executions", "actionExecutionDetails", shapes.parse_attempt))
        if any(gate.condition for gate in past.gates) or perhaps:
            lists.append(
                ("list_rule_executions", "ruleExecutionDetails", shapes.parse_condition_attempt)
            )
        for operation, key, read in lists:
            for one in self._back(
                past.name, operation, key, f"gate of {past.name}", self._since, self._before
            ):
                attempts[one["pipelineExecutionId"]].append(read(one))
        named = [
            (execution, those, FUNCTION.fullmatch(one.function))
            for execution, those in attempts.items()
            for one in those
        ]
        last = [
            (execution, find_closed_gate(those, function["name"]))
            for execution, those, function in named
            if function
        ]
        return {execution for execution, closed in last if closed and closed.error not in REFUSALS}

    def _before(self, one: Listed) -> bool:
        return bool(one["startTime"] < self._since)

    def _back(
        self,
        name: str,
        operation: str,
        key: str,
        what: str,
        begin: datetime,
        enough: Callable[[Listed], bool],
    ) -> list[Any]:
        """What AWS lists of a pipeline, newest first, page by page until `enough` says so of an
        entry. `begin`: where that may be.
        """
        found: list[Any] = []
        days = (self._now - begin).days
        with self._place.progress(f"Reading the {what}, days back") as tell:
            for page in self._client.get_paginator(operation).paginate(pipelineName=name):
                found += page[key]
                if found:
                    tell(min(days, (self._now - found[-1]["startTime"]).days), days)
                if any(map(enough, page[key])):
                    break
        return found


def _created(past: Past, found: list[Execution]) -> datetime:
    return min([past.created, *(one.started for one in found)])
