"""The EventBridge rule of a hold: its name, its event pattern, its schedule and its description."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.deployment import APP, Deployment
from chalicelib.errors import RefusedInput
from chalicelib.phrases import quote
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import ID

END_STATES = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED")
"""The states in which an execution is over (guide: detect-state-changes-cloudwatch-events)."""


STAGE_END_STATES = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED")
"""The same for a stage (guide: detect-state-changes-cloudwatch-events)."""


def build_pattern(depends_on: Sequence[Dependency]) -> str:
    """The event pattern that matches the end of any execution of the upstreams, and of the stages
    that are waited for.

    It names no region or account, so that an event which is forwarded from elsewhere wakes the hold
    up too.
    """
    names, stages = (
        _each(entry.name for entry in depends_on),
        _each(entry.stage for entry in depends_on if entry.stage),
    )
    ends = _change("Pipeline", {"pipeline": names, "state": END_STATES})
    if not stages:
        return json.dumps({"source": ["aws.codepipeline"], **ends})
    staged = _each(entry.name for entry in depends_on if entry.stage)
    stage_ends = _change("Stage", {"pipeline": staged, "stage": stages, "state": STAGE_END_STATES})
    return json.dumps({"source": ["aws.codepipeline"], "$or": [ends, stage_ends]})


def names_pipeline(pattern: str, pipeline: str) -> bool:
    """Whether a rule's event pattern, as `build_pattern` wrote it, matches events of `pipeline`."""
    try:
        content = json.loads(pattern)
        alternatives = content.get("$or", [content])
        return any(pipeline in change["detail"]["pipeline"] for change in alternatives)
    except (ValueError, AttributeError, KeyError, TypeError):
        return False


def _change(subject: str, detail: Mapping[str, Sequence[str]]) -> dict[str, object]:
    return {"detail-type": [f"CodePipeline {subject} Execution State Change"], "detail": detail}


def _each(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def name_rule(deployment: Deployment, execution: str) -> str:
    """Each held execution has a rule of its own, so a late duplicate of one hold can never touch
    another.
    """
    return deployment.rule_prefix + execution


def read_stage(rule: str, execution: str) -> str:
    """Return the Chalice stage of the gate that made a rule for this execution, by its name."""
    return rule.removeprefix(f"{APP}-").removesuffix(f"-{execution}")


def read_rule_name(event: object, deployment: Deployment) -> str:
    """The name of the rule that an invocation of the retry comes from.

    Raises RefusedInput where the event names none, or one that this deployment's gate did not make.
    """
    name = event.get("rule") if isinstance(event, Mapping) else None
    if not isinstance(name, str):
        raise RefusedInput(
            'This event names no hold: {"rule": "..."} is missing. The retry is invoked by the '
            "gate's own EventBridge rules."
        )
    if not re.fullmatch(re.escape(deployment.rule_prefix) + ID, name):
        raise RefusedInput(
            f"The rule {quote(name)} is none of this gate's: those are named "
            f"{deployment.rule_prefix}<execution id>. Nothing was touched."
        )
    return name


def build_schedule(now: datetime, minutes: int) -> str:
    """A cron expression that fires `minutes` after the current minute of `now` (UTC) and every
    `minutes` (a divisor of 60) from then on.

    (guide: eb-scheduled-rule-pattern: the fields are minute, hour, day of month, month, day of
    week, year, in UTC.)
    """
    first = now.minute % minutes
    return f"cron({first} * * * ? *)" if minutes == 60 else f"cron({first}/{minutes} * * * ? *)"


def find_next_check(now: datetime, minutes: int) -> datetime:
    """The schedule's first time after `now`."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=minutes)


_DATE = "Since %Y-%m-%d %H:%M UTC"
_DATE_LENGTH = len("Since 2026-01-05 12:00 UTC")


def find_first_look(at: datetime, next_check: datetime, every: int) -> datetime:
    """The first look of a rule at or after that moment: a deadline is seen then."""
    return next_check + math.ceil(
        max(timedelta(), at - next_check) / timedelta(minutes=every)
    ) * timedelta(minutes=every)


def describe_date(now: datetime) -> str:
    """How a rule's description begins: the minute in which it was made; `read_date` reads it."""
    return f"{now:{_DATE}}"


def read_date(description: str) -> datetime | None:
    """Return the minute (aware UTC) in which a rule with this description was made.

    None if the description is not the gate's. This is one of two places that parse a text written
    for people: EventBridge offers no other field to put a date in.
    """
    try:
        return datetime.strptime(description[:_DATE_LENGTH], _DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
