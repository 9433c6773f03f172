"""EventBridge: the rules that store holds, and the events that the gate sends."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import (
    NoAnswer,
    NoRoom,
    NotFound,
    is_aws_error,
    translate_error,
    translate_errors,
)
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import build_pattern, read_date

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import (
        PutEventsRequestEntryTypeDef,
        PutTargetsResponseTypeDef,
        RemoveTargetsResponseTypeDef,
        RuleTypeDef,
        TargetOutputTypeDef,
    )

MAX_PUT_ATTEMPTS = 3
"""How often the gate makes a rule that is removed while the gate is making it."""
MAX_DELETE_ATTEMPTS = 3
DELETE_PAUSE_SECONDS = 5
"""How often the gate tries to delete a rule whose target it has just removed, and the pause in
between.
"""
TARGET_ID = "retry"
"""The id of a rule's only target."""


class EventBridge:
    """EventBridge, as the gate uses it.

    Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer.
    """

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def put_hold(self, hold: Hold, schedule: str, description: str, retry_arn: str) -> None:
        """Make the rule of `hold`, or replace it. When this returns, the hold stands.

        Raises NoRoom if there are too many rules.
        """
        for _ in range(MAX_PUT_ATTEMPTS):
            self._put_rule(hold, schedule, description)
            if self.put_target(hold, retry_arn):
                return
        raise NoAnswer(
            f"the rule {hold.rule} was removed {MAX_PUT_ATTEMPTS} times while it was being made"
        )

    def _put_rule(self, hold: Hold, schedule: str, description: str) -> None:
        try:
            self._client.put_rule(
                Name=hold.rule,
                ScheduleExpression=schedule,
                EventPattern=build_pattern(hold.depends_on),
                Description=description,
                State="ENABLED",
            )
        except (ClientError, BotoCoreError) as error:
            if is_aws_error(error, "LimitExceededException"):
                raise NoRoom("events:PutRule") from error
            raise translate_error(error, "events:PutRule") from error

    def put_target(self, hold: Hold, retry_arn: str) -> bool:
        """Store `hold` in the target of its rule.

        Returns False if the rule does not exist. A person may have removed it, or an earlier retry
        that was late, because the rule did not have a target yet.
        """
        with suppress(NotFound), translate_errors("events:PutTargets"):
            answer = self._client.put_targets(
                Rule=hold.rule,
                Targets=[{"Id": TARGET_ID, "Arn": retry_arn, "Input": hold.as_input()}],
            )
            _refuse_failed_entries(answer, "events:PutTargets")
            return True
        return False

    def read_hold(self, rule: str) -> Hold | None:
        """Return the hold that is stored in a rule; None if there is no such rule or no target.

        Raises ValueError if the gate did not write the target: then the gate must not act on it.
        """
        targets = self.list_targets(rule) or ()
        target = next((target for target in targets if target["Id"] == TARGET_ID), None)
        if target is None:
            return None
        hold = parse_target(rule, target)
        if hold is None:
            raise ValueError(
                f"The target of rule {rule} is not as the gate wrote it. Remove the rule, or "
                "retry the held stage so that the gate writes it again."
            )
        return hold

    def list_rules(self, prefix: str | None = None) -> list[RuleTypeDef]:
        """Return every rule (model: ListRules), or those whose names begin with `prefix`."""
        names: dict[str, Any] = {"NamePrefix": prefix} if prefix else {}
        with translate_errors("events:ListRules"):
            pages = self._client.get_paginator("list_rules").paginate(**names)
            return [rule for page in pages for rule in page["Rules"]]

    def has_bus(self, bus: str) -> bool:
        """Return whether an event bus exists, by its name or ARN."""
        with suppress(NotFound), translate_errors("events:DescribeEventBus"):
            self._client.describe_event_bus(Name=bus)
            return True
        return False

    def list_targets(self, rule: str) -> list[TargetOutputTypeDef] | None:
        """Return the targets of a rule; None if there is no such rule."""
        with suppress(NotFound), translate_errors("events:ListTargetsByRule"):
            return self._client.list_targets_by_rule(Rule=rule)["Targets"]
        return None

    def remove_target(self, rule: str) -> bool:
        """Remove the rule's target: it fires no more. False if the rule is gone."""
        with suppress(NotFound), translate_errors("events:RemoveTargets"):
            answer = self._client.remove_targets(Rule=rule, Ids=[TARGET_ID])
            _refuse_failed_entries(answer, "events:RemoveTargets")
            return True
        return False

    def delete_empty_rule(self, rule: str) -> bool:
        """Delete a rule if it has no target. Returns False if it has one.

        AWS does not delete a rule that has one because a gate has just made it (model: DeleteRule).
        """
        try:
            self._client.delete_rule(Name=rule)
        except (ClientError, BotoCoreError) as error:
            if not is_aws_error(error, "ValidationException"):
                raise translate_error(error, "events:DeleteRule") from error
            return False
        return True

    def delete_emptied_rule(self, rule: str) -> bool:
        """The same for a rule whose target was removed a moment ago.

        AWS may still refuse to delete it then (practice: infrastructure tools repeat the call), so
        it is tried a few times. Returns False if AWS still refuses.
        """
        for attempt in range(MAX_DELETE_ATTEMPTS):
            if attempt:
                time.sleep(DELETE_PAUSE_SECONDS)
            if self.delete_empty_rule(rule):
                return True
        return False

    def send_events(
        self, bus: str, source: str, detail_type: str, details: Sequence[Mapping[str, object]]
    ) -> None:
        """Put one event for each of `details` on `bus` (a name or an ARN)."""
        entries: list[PutEventsRequestEntryTypeDef] = [
            {
                "EventBusName": bus,
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail, default=str),
            }
            for detail in details
        ]
        with translate_errors("events:PutEvents"):
            answer = self._client.put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise NoAnswer("events:PutEvents did not take effect")

    def list_unfinished_rules(self, prefix: str, retry_arn: str, before: datetime) -> list[str]:
        """Return the rules that a gate began to make before `before` and never gave a target.

        `prefix`: how their names begin. `before`: aware UTC, so early that no gate can still be
        making them. It takes one call for each hundred rules, and as many again if there are rules
        that old.
        """
        dates = {
            rule["Name"]: read_date(rule.get("Description", "")) for rule in self.list_rules(prefix)
        }
        old = [name for name, date in dates.items() if date is not None and date < before]
        finished = self._list_rules_of_target(retry_arn) if old else set()
        return [name for name in old if name not in finished]

    def _list_rules_of_target(self, target: str) -> set[str]:
        with translate_errors("events:ListRuleNamesByTarget"):
            pages = self._client.get_paginator("list_rule_names_by_target").paginate(
                TargetArn=target
            )
            return {name for page in pages for name in page["RuleNames"]}


def parse_target(rule: str, target: TargetOutputTypeDef) -> Hold | None:
    """Return the hold that is stored in a rule's target; None if the gate did not write it."""
    hold = Hold.parse(_parse_object(target.get("Input", "")))
    return hold if hold and hold.rule == rule else None


def _refuse_failed_entries(
    answer: PutTargetsResponseTypeDef | RemoveTargetsResponseTypeDef, call: str
) -> None:
    # The call itself succeeds even if an entry failed (model: PutTargets, RemoveTargets).
    if answer["FailedEntryCount"]:
        codes = ", ".join(entry.get("ErrorCode", "?") for entry in answer["FailedEntries"])
        raise NoAnswer(f"{call} did not take effect ({codes})")


def _parse_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
