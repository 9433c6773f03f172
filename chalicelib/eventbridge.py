"""EventBridge, in the gate's own words: the rule that is a hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, code, sorted_out
from chalicelib.hold import Hold

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

TARGET = "retry"
"""The id of a rule's one target."""


class EventBridge:
    """Every method raises NotPermitted or NoAnswer where AWS denies or does not answer its call."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def put(self, hold: Hold, schedule: str, description: str, retry_arn: str) -> None:
        """Make the rule of `hold`, or make it anew. When this returns, the hold stands."""
        try:
            self._client.put_rule(
                Name=hold.rule, ScheduleExpression=schedule, EventPattern=hold.pattern(), Description=description, State="ENABLED"
            )
        except (ClientError, BotoCoreError) as error:
            raise sorted_out(error, "events:PutRule") from error
        try:
            answer = self._client.put_targets(Rule=hold.rule, Targets=[{"Id": TARGET, "Arn": retry_arn, "Input": hold.as_input()}])
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code(error) == "ResourceNotFoundException":
                raise NoAnswer(f"the rule {hold.rule} was removed while it was being made") from error
            raise sorted_out(error, "events:PutTargets") from error
        _refuse_failed_entries(answer["FailedEntryCount"], answer["FailedEntries"], "events:PutTargets")

    def hold_kept_by(self, rule: str) -> Hold | None:
        """The hold as `rule` keeps it; None where the rule is gone or has no target, so that it can fire nothing.

        Raises ValueError where its target holds something else: then it is not for the gate to act on.
        """
        try:
            targets = self._client.list_targets_by_rule(Rule=rule)["Targets"]
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code(error) == "ResourceNotFoundException":
                return None
            raise sorted_out(error, "events:ListTargetsByRule") from error
        own = next((target for target in targets if target["Id"] == TARGET), None)
        if own is None:
            return None
        hold = Hold.of(_object(own.get("Input", "")))
        if hold is None or hold.rule != rule:
            raise ValueError(
                f"The target of rule {rule} does not hold what the gate wrote there. Remove the rule, or let the gate make it anew."
            )
        return hold

    def remove(self, rule: str) -> None:
        """Remove the rule's target, then the rule; either may be gone already. The rule goes last: while its target stands, it fires."""
        try:
            answer = self._client.remove_targets(Rule=rule, Ids=[TARGET])
            _refuse_failed_entries(answer["FailedEntryCount"], answer["FailedEntries"], "events:RemoveTargets")
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code(error) == "ResourceNotFoundException":
                return
            raise sorted_out(error, "events:RemoveTargets") from error
        try:
            self._client.delete_rule(Name=rule)
        except (ClientError, BotoCoreError) as error:
            raise sorted_out(error, "events:DeleteRule") from error


def _refuse_failed_entries(count: int, entries: object, call: str) -> None:
    if count:  # the call itself succeeds although an entry failed (model: PutTargets, RemoveTargets)
        raise NoAnswer(f"{call} failed for {count} of its entries ({json.dumps(entries)})")


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
