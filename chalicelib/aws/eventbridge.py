"""EventBridge, in the gate's own words: the rule that is a hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, NoRoom, error_code, translate_error
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
"""How often a rule that is removed while it is being made is made anew."""

TARGET_ID = "retry"
"""The id of a rule's one target."""


class EventBridge:
    """Every method raises NotPermitted or NoAnswer where AWS denies or does not answer its call."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def put_hold(self, hold: Hold, schedule: str, description: str, retry_arn: str) -> None:
        """Make the rule of `hold`, or make it anew. When this returns, the hold stands. Raises
        NoRoom where there are too many rules.
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
            if _is(error, "LimitExceededException"):
                raise NoRoom("events:PutRule") from error
            raise translate_error(error, "events:PutRule") from error

    def put_target(self, hold: Hold, retry_arn: str) -> bool:
        """Let the rule keep this from now on.

        False where the rule is gone: somebody, or a late retry of an earlier attempt, found it
        without a target and removed it.
        """
        try:
            answer = self._client.put_targets(
                Rule=hold.rule,
                Targets=[{"Id": TARGET_ID, "Arn": retry_arn, "Input": hold.as_input()}],
            )
        except (ClientError, BotoCoreError) as error:
            if _is(error, "ResourceNotFoundException"):
                return False
            raise translate_error(error, "events:PutTargets") from error
        _refuse_failed_entries(answer, "events:PutTargets")
        return True

    def read_hold(self, rule: str) -> Hold | None:
        """Return the hold as `rule` keeps it; None if the rule is gone or has no target, so that it
        can fire nothing.

        Raises ValueError if its target holds something else: then it is not for the gate to act on.
        """
        targets = self.list_targets(rule) or ()
        target = next((target for target in targets if target["Id"] == TARGET_ID), None)
        if target is None:
            return None
        hold = parse_target(rule, target)
        if hold is None:
            raise ValueError(
                f"The target of rule {rule} does not hold what the gate wrote there. Remove the "
                "rule, or let the gate make it anew."
            )
        return hold

    def list_rules(self, prefix: str) -> list[RuleTypeDef]:
        """Return every rule whose name begins with `prefix` (model: ListRules)."""
        rules: list[RuleTypeDef] = []
        try:
            page = self._client.list_rules(NamePrefix=prefix)
            rules += page["Rules"]
            while page.get("NextToken"):
                page = self._client.list_rules(NamePrefix=prefix, NextToken=page["NextToken"])
                rules += page["Rules"]
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "events:ListRules") from error
        return rules

    def list_targets(self, rule: str) -> list[TargetOutputTypeDef] | None:
        """Return the targets of `rule`; None if the rule is gone."""
        try:
            return self._client.list_targets_by_rule(Rule=rule)["Targets"]
        except (ClientError, BotoCoreError) as error:
            if _is(error, "ResourceNotFoundException"):
                return None
            raise translate_error(error, "events:ListTargetsByRule") from error

    def remove_target(self, rule: str) -> bool:
        """Remove the rule's target: it fires no more. False if the rule is gone."""
        try:
            answer = self._client.remove_targets(Rule=rule, Ids=[TARGET_ID])
        except (ClientError, BotoCoreError) as error:
            if _is(error, "ResourceNotFoundException"):
                return False
            raise translate_error(error, "events:RemoveTargets") from error
        _refuse_failed_entries(answer, "events:RemoveTargets")
        return True

    def delete_empty_rule(self, rule: str) -> None:
        """Delete a rule that has no target. One that has, because a gate has just made it, stays:
        AWS refuses (model: DeleteRule).
        """
        try:
            self._client.delete_rule(Name=rule)
        except (ClientError, BotoCoreError) as error:
            if not _is(error, "ValidationException"):
                raise translate_error(error, "events:DeleteRule") from error

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
        try:
            answer = self._client.put_events(Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "events:PutEvents") from error
        if answer["FailedEntryCount"]:
            raise NoAnswer("events:PutEvents did not take effect")

    def list_unfinished_rules(self, prefix: str, retry_arn: str, before: datetime) -> list[str]:
        """The rules named `prefix`... that were made before `before` (aware UTC) and have no
        target: no gate can be making them any more.

        One call where no such old rule exists, two where one does; of many rules the first hundred
        are looked at, in time that is all.
        """
        try:
            rules = self._client.list_rules(NamePrefix=prefix)["Rules"]
            made = {rule["Name"]: read_date(rule.get("Description", "")) for rule in rules}
            old = [name for name, since in made.items() if since is not None and since < before]
            with_target = (
                self._client.list_rule_names_by_target(TargetArn=retry_arn)["RuleNames"]
                if old
                else []
            )
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "events:ListRules or ListRuleNamesByTarget") from error
        return [name for name in old if name not in with_target]


def parse_target(rule: str, target: TargetOutputTypeDef) -> Hold | None:
    """Return the hold that the target of `rule` keeps; None if the gate did not write it."""
    hold = Hold.parse(_parse_object(target.get("Input", "")))
    return hold if hold and hold.rule == rule else None


def _refuse_failed_entries(
    answer: PutTargetsResponseTypeDef | RemoveTargetsResponseTypeDef, call: str
) -> None:
    if answer[
        "FailedEntryCount"
    ]:  # the call itself succeeds although an entry failed (model: PutTargets, RemoveTargets)
        codes = ", ".join(entry.get("ErrorCode", "?") for entry in answer["FailedEntries"])
        raise NoAnswer(f"{call} did not take effect ({codes})")


def _is(error: Exception, name: str) -> bool:
    return isinstance(error, ClientError) and error_code(error) == name


def _parse_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
