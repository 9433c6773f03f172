"""A hold: one held execution, and the EventBridge rule that is its memory.

The rule is at once a schedule and a pattern (model: PutRule allows both), so a hold wakes up at the end of an upstream and, should
that event be lost, every few minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from chalicelib.deployment import Deployment
from chalicelib.errors import RefusedInput
from chalicelib.messages import quoted

ENDS = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED")
"""The states in which an execution is over (guide: detect-state-changes-cloudwatch-events)."""

INPUT_LENGTH = 8192  # model: TargetInput

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # model: PipelineExecutionId
_NAME = r"[A-Za-z0-9.@\-_]{1,100}"  # model: PipelineName


@dataclass(frozen=True)
class Hold:
    """`execution` of `pipeline` is held by the rule `rule` until the pipelines `depends_on` are idle; `since`: aware UTC.

    `variables`: the execution's pipeline variables, where the gate knows them and they fit into the rule.
    """

    rule: str
    pipeline: str
    execution: str
    depends_on: tuple[str, ...]
    since: datetime
    variables: Mapping[str, str] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self | None:
        """Read a rule's constant Input, `as_input` turned back; None where it holds less than a hold, or names what can be no pipeline."""
        try:
            hold = cls(
                rule=str(given["rule"]),
                pipeline=str(given["pipeline"]),
                execution=str(given["execution"]),
                depends_on=tuple(map(str, given["depends_on"])),
                since=datetime.fromisoformat(given["since"]).astimezone(UTC),
                variables={str(name): str(value) for name, value in given["variables"].items()} if "variables" in given else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            return None
        named = all(re.fullmatch(_NAME, name) for name in (hold.pipeline, *hold.depends_on))
        return hold if named and re.fullmatch(_ID, hold.execution) else None

    def as_input(self) -> str:
        """All that the retry needs, as the rule's target keeps it."""
        hold = {
            "rule": self.rule,
            "pipeline": self.pipeline,
            "execution": self.execution,
            "depends_on": self.depends_on,
            "since": self.since.isoformat(),
        }
        whole = json.dumps({**hold, "variables": self.variables})
        # Variables can be larger than a target's Input may be (50 of 1000 characters; model: PipelineVariableList): then the retry asks.
        return json.dumps(hold) if self.variables is None or len(whole) > INPUT_LENGTH else whole

    def start_token(self) -> str:
        """The clientRequestToken of this hold's one start: every repeat of it is the same request ([a-zA-Z0-9-], up to 128; model)."""
        return f"pipeline-gate-{self.execution}"

    def pattern(self) -> str:
        """The event pattern that matches the end of any execution of the upstreams."""
        return json.dumps(
            {
                "source": ["aws.codepipeline"],
                "detail-type": ["CodePipeline Pipeline Execution State Change"],
                "detail": {"pipeline": self.depends_on, "state": ENDS},
            }
        )


def rule_name(deployment: Deployment, execution: str) -> str:
    """Each held execution has a rule of its own, so a late duplicate of one hold can never touch another."""
    return deployment.rule_prefix + execution


def rule_named_by(event: object, deployment: Deployment) -> str:
    """The name of the rule that an invocation of the retry comes from.

    Raises RefusedInput where the event names none, or one that this deployment's gate did not make.
    """
    name = event.get("rule") if isinstance(event, Mapping) else None
    if not isinstance(name, str):
        raise RefusedInput(
            'This event names no hold: {"rule": "..."} is missing. The retry is invoked by the gate\'s own EventBridge rules.'
        )
    if not re.fullmatch(re.escape(deployment.rule_prefix) + _ID, name):
        raise RefusedInput(
            f"The rule {quoted(name)} is none of this gate's: those are named {deployment.rule_prefix}<execution id>. Nothing was touched."
        )
    return name


def schedule(now: datetime, minutes: int) -> str:
    """A cron expression that fires `minutes` after the current minute of `now` (UTC) and every `minutes` (a divisor of 60) from then on.

    (guide: eb-scheduled-rule-pattern: the fields are minute, hour, day of month, month, day of week, year, in UTC.)
    """
    first = now.minute % minutes
    return f"cron({first} * * * ? *)" if minutes == 60 else f"cron({first}/{minutes} * * * ? *)"


def next_check(now: datetime, minutes: int) -> datetime:
    """The schedule's first time after `now`."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
