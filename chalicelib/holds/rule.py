"""The EventBridge rule of a hold: its name, event pattern and description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from chalicelib.deployment import APP, Deployment
from chalicelib.errors import RefusedInput
from chalicelib.phrases import quote
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import ID

END_STATES = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED", "SUPERSEDED")
"""The states in which an execution has ended (guide: detect-state-changes-cloudwatch-events)."""
STAGE_END_STATES = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED")
"""The states in which a stage has ended (guide: detect-state-changes-cloudwatch-events)."""
_DATE_FORMAT = "Since %Y-%m-%d %H:%M UTC"
_DATE_LENGTH = len("Since 2026-01-05 12:00 UTC")


def build_pattern(depends_on: Sequence[Dependency]) -> str:
    """Return the event pattern of a hold that waits for these pipelines.

    It matches the end of any of their executions and the end of the stages that are waited for. It
    names no region or account, so that events forwarded from another one match too.
    """
    names = _list_distinct(entry.name for entry in depends_on)
    ends = _build_change("Pipeline", {"pipeline": names, "state": END_STATES})
    with_stage = [entry for entry in depends_on if entry.stage]
    if not with_stage:
        return json.dumps({"source": ["aws.codepipeline"], **ends})
    stage_ends = _build_change(
        "Stage",
        {
            "pipeline": _list_distinct(entry.name for entry in with_stage),
            "stage": _list_distinct(entry.stage for entry in with_stage if entry.stage),
            "state": STAGE_END_STATES,
        },
    )
    return json.dumps({"source": ["aws.codepipeline"], "$or": [ends, stage_ends]})


def names_pipeline(pattern: str, pipeline: str) -> bool:
    """Return whether an event pattern that `build_pattern` wrote matches events of `pipeline`."""
    try:
        content = json.loads(pattern)
        alternatives = content.get("$or", [content])
        return any(pipeline in change["detail"]["pipeline"] for change in alternatives)
    except (ValueError, AttributeError, KeyError, TypeError):
        return False


def _build_change(subject: str, detail: Mapping[str, Sequence[str]]) -> dict[str, object]:
    return {"detail-type": [f"CodePipeline {subject} Execution State Change"], "detail": detail}


def _list_distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def name_rule(deployment: Deployment, execution: str) -> str:
    """Return the name of the rule that holds an execution.

    Each execution has its own, so that a duplicate invocation that comes late cannot change another
    hold.
    """
    return deployment.rule_prefix + execution


def read_stage(rule: str, execution: str) -> str:
    """Return the Chalice stage of the gate that made this rule for this execution."""
    return rule.removeprefix(f"{APP}-").removesuffix(f"-{execution}")


def read_rule_name(event: object, deployment: Deployment) -> str:
    """Return the name of the rule that invoked the retry.

    Raises RefusedInput if the event names no rule, or one that another deployment made.
    """
    name = event.get("rule") if isinstance(event, Mapping) else None
    if not isinstance(name, str):
        raise RefusedInput(
            'This event does not name a hold: {"rule": "..."} is missing. Only the gate\'s own '
            "EventBridge rules invoke the retry function."
        )
    if not is_rule_of(name, deployment):
        raise RefusedInput(
            f"The rule {quote(name)} does not belong to this gate, whose rules are named "
            f"{deployment.rule_prefix}<execution id>. Nothing was changed."
        )
    return name


def is_rule_of(name: str, deployment: Deployment) -> bool:
    """Return whether a rule has the name of a hold of this deployment."""
    return re.fullmatch(re.escape(deployment.rule_prefix) + ID, name) is not None


def describe_date(now: datetime) -> str:
    """Return the start of a rule's description: the minute in which the rule was made.

    `read_date` reads it.
    """
    return f"{now:{_DATE_FORMAT}}"


def read_date(description: str) -> datetime | None:
    """Return the minute (aware UTC) in which a rule with this description was made.

    None if the description is not the gate's. This is one of the two places that parse a text for
    people, because EventBridge has no other field for a date.
    """
    try:
        return datetime.strptime(description[:_DATE_LENGTH], _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
