"""EventBridge's state, on top of moto's: rules whose schedules fire, and events that reach their
targets by the sandbox's clock.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from sandbox.clock import PlannedCall, utcnow
from sandbox.eventbridge import validation
from sandbox.eventbridge.delivery import REFUSALS, deliver
from sandbox.eventbridge.entries import EntryRefused, parse_entry
from sandbox.eventbridge.exceptions import LimitExceededException
from sandbox.eventbridge.pattern import compile_pattern
from sandbox.eventbridge.payload import build_payload, format_time, make_scheduled_event
from sandbox.eventbridge.timeline import Firing, RuleDefinition, Timeline
from sandbox.past import Past, draw_moment
from sandbox.world import current_world

log = logging.getLogger(__name__)

MAX_FIRING_DELAY = timedelta(minutes=1)
"""A firing that is later than this is left out, for example after the machine slept."""


@dataclass(frozen=True)
class FailedDelivery:
    """A delivery that its target refused. It is dropped. `at`: aware UTC."""

    rule_arn: str
    target_arn: str
    at: datetime
    reason: str


class EventBridgeBackend(EventsBackend):
    """EventBridge in one account and region.

    moto keeps what the API shows; `timelines`, by bus and rule name, says what delivery uses when.
    """

    rules_per_bus: int = 300  # (guide: eb-quota, adjustable)

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.timelines: dict[str, dict[str, Timeline]] = {}
        self.firings: dict[tuple[str, str], PlannedCall] = {}
        """The next firing of each rule's schedule, by bus and rule name: never more than one."""
        self.past_targets: dict[tuple[str, str], Past[list[dict[str, Any]] | None]] = {}
        """What ListTargetsByRule showed, by bus and rule name; None: no such rule."""
        self.failed_deliveries: list[FailedDelivery] = []
        self.life = object()
        """A new object after each reset: deliveries planned before the reset do not arrive."""
        self.removals: dict[tuple[str, str], datetime] = {}
        """When targets were last removed from each rule, by bus and rule name."""

    def reset(self) -> None:
        for call in self.firings.values():
            call.cancel()
        super().reset()

    # What the API changes

    def put_rule(
        self,
        name: str,
        description: str | None = None,
        event_bus_arn: str | None = None,
        event_pattern: str | None = None,
        role_arn: str | None = None,
        scheduled_expression: str | None = None,
        state: str | None = None,
        managed_by: str | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> Rule:
        """Make a rule, or replace all of it save its targets and tags (model: PutRule)."""
        validation.check_rule(name, description, event_pattern, scheduled_expression, state)
        with current_world().lock:
            rules = self._get_event_bus(self._normalize_event_bus_arn(event_bus_arn)).rules
            if name not in rules and len(rules) >= self.rules_per_bus:
                raise LimitExceededException
            rule = super().put_rule(
                name,
                description=description,
                event_bus_arn=event_bus_arn,
                event_pattern=event_pattern,
                role_arn=role_arn,
                scheduled_expression=scheduled_expression,
                state=state,
                managed_by=managed_by,
                tags=None if name in rules else tags,
            )
            self._change_rule(
                rule.event_bus_name,
                name,
                RuleDefinition(
                    name=name,
                    arn=rule.arn,
                    matches=compile_pattern(event_pattern) if event_pattern else None,
                    schedule=scheduled_expression or None,
                    enabled=rule.state != "DISABLED",
                    targets=tuple(rule.targets),
                    counting_since=utcnow(),
                ),
            )
            return rule

    def put_targets(
        self, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]
    ) -> None:
        validation.check_targets(targets)
        with current_world().lock:
            bus_name = self._normalize_event_bus_arn(event_bus_arn)
            rule = self._get_event_bus(bus_name).rules.get(name)
            if (
                rule is not None
                and len({target["Id"] for target in [*rule.targets, *targets]})
                > validation.MAX_TARGETS_PER_RULE
            ):
                raise LimitExceededException
            super().put_targets(name, event_bus_arn, targets)
            self._change_targets(bus_name, name)

    def remove_targets(self, name: str, event_bus_arn: str | None, ids: list[str]) -> None:
        validation.check_target_ids(ids)
        with current_world().lock:
            super().remove_targets(name, event_bus_arn, ids)
            bus_name = self._normalize_event_bus_arn(event_bus_arn)
            self.removals[bus_name, name] = utcnow()
            self._change_targets(bus_name, name)

    def enable_rule(self, name: str, event_bus_arn: str | None) -> bool:
        return self._switch_rule(name, event_bus_arn, enabled=True)

    def disable_rule(self, name: str, event_bus_arn: str | None) -> bool:
        return self._switch_rule(name, event_bus_arn, enabled=False)

    def _switch_rule(self, name: str, event_bus_arn: str | None, *, enabled: bool) -> bool:
        """EnableRule and DisableRule. A rate counts again from then on (AWS does not say). False if
        there is no such rule.
        """
        with current_world().lock:
            exists: bool = (
                super().enable_rule(name, event_bus_arn)
                if enabled
                else super().disable_rule(name, event_bus_arn)
            )
            bus_name = self._normalize_event_bus_arn(event_bus_arn)
            if exists and (latest := self.timelines[bus_name][name].latest):
                self._change_rule(
                    bus_name, name, replace(latest, enabled=enabled, counting_since=utcnow())
                )
            return exists

    def delete_rule(self, name: str, event_bus_arn: str | None) -> None:
        with current_world().lock:
            bus_name = self._normalize_event_bus_arn(event_bus_arn)
            removed = self.removals.get((bus_name, name))
            if removed and utcnow() < removed + current_world().dials.targets_linger:
                raise ValidationException("Rule can't be deleted since it has targets.")
            super().delete_rule(name, event_bus_arn)
            self.removals.pop((bus_name, name), None)
            self._change_rule(bus_name, name, None)

    def delete_event_bus(self, name: str) -> None:
        with current_world().lock:
            super().delete_event_bus(name)
            for rule_name in list(self.timelines.get(name, {})):
                self._change_rule(name, rule_name, None)

    def _change_targets(self, bus_name: str, rule_name: str) -> None:
        latest = self.timelines[bus_name][rule_name].latest
        if latest is not None:
            targets = self._get_event_bus(bus_name).rules[rule_name].targets
            self._change_rule(bus_name, rule_name, replace(latest, targets=tuple(targets)))

    def _change_rule(
        self, bus_name: str, rule_name: str, definition: RuleDefinition | None
    ) -> None:
        """Let delivery know of a change, and plan the rule's schedule again."""
        timelines = self.timelines.setdefault(bus_name, {})
        if definition is None and rule_name not in timelines:
            return
        timeline = timelines.setdefault(rule_name, Timeline(settled=utcnow()))
        timeline.change(definition, utcnow() + current_world().dials.rule_warmup)
        past = self.past_targets.setdefault((bus_name, rule_name), Past(None))
        past.note(None if definition is None else [*definition.targets])
        self._plan_firing(bus_name, rule_name)
        self._remove_deleted(timelines)

    @staticmethod
    def _remove_deleted(timelines: dict[str, Timeline]) -> None:
        now = utcnow()
        for name in [name for name, timeline in timelines.items() if timeline.is_over(now)]:
            del timelines[name]

    # What the API shows

    def list_rule_names_by_target(  # type: ignore[override]
        self,
        target_arn: str,
        event_bus_arn: str | None = None,
        next_token: str | None = None,
        limit: int | None = None,
    ) -> tuple[list[Rule], str | None]:
        """A page has up to 100 rules (model: ListRuleNamesByTarget)."""
        with current_world().lock:
            page: tuple[list[Rule], str | None] = super().list_rule_names_by_target(
                target_arn=target_arn,
                event_bus_arn=event_bus_arn,
                next_token=next_token,
                limit=limit or 100,
            )
            return page

    def list_rules(  # type: ignore[override]  # moto's decorator hides its own signature
        self,
        prefix: str | None = None,
        event_bus_arn: str | None = None,
        next_token: str | None = None,
        limit: int | None = None,
    ) -> tuple[list[Rule], str | None]:
        """`prefix` is text, not a regular expression, and a page has up to 100 rules (model:
        ListRules).
        """
        with current_world().lock:
            literal = None if prefix is None else re.escape(prefix)
            page: tuple[list[Rule], str | None] = super().list_rules(
                prefix=literal,
                event_bus_arn=event_bus_arn,
                next_token=next_token,
                limit=limit or 100,
            )
            return page

    def list_targets_by_rule(  # type: ignore[override]  # moto's decorator hides its signature
        self,
        rule_id: str,
        event_bus_arn: str | None,
        next_token: str | None = None,
        limit: int | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Raises KeyError if there is no such rule, from which moto makes AWS's error."""
        with current_world().lock:
            past = self.past_targets.get((self._normalize_event_bus_arn(event_bus_arn), rule_id))
            shown_at = draw_moment("ListTargetsByRule")
            if past is None or shown_at is None or not past.has_changed_since(shown_at):
                page: tuple[list[dict[str, Any]], str | None] = super().list_targets_by_rule(
                    rule_id, event_bus_arn, next_token=next_token, limit=limit
                )
                return page
            targets = past.at(shown_at)
            if targets is None:
                raise KeyError(rule_id)
            return targets, None

    # Events

    def put_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send a user's events. Each entry is accepted or refused separately (model: PutEvents)."""
        if len(events) > validation.MAX_ENTRIES_PER_REQUEST:
            return list(super().put_events(events))  # moto's refusal
        with current_world().lock:
            return [self._put_event(entry) for entry in events]

    def _put_event(self, entry: dict[str, Any]) -> dict[str, Any]:
        try:
            event = parse_entry(entry, self.account_id, self.region_name)
        except EntryRefused as refusal:
            return refusal.answer
        # AWS also accepts an event whose detail is no object, which no rule ever matches, and an
        # event to a bus that does not exist (practice: recorded on AWS).
        if isinstance(event["detail"], dict):
            self.publish(self._normalize_event_bus_arn(entry.get("EventBusName")), event)
        return {"EventId": event["id"]}

    def publish(self, bus_name: str, event: dict[str, Any]) -> None:
        """Plan the deliveries of `event` (AWS's envelope) to all rules of a bus that match it."""
        with current_world().lock:
            now = utcnow()
            for timeline in list(self.timelines.get(bus_name, {}).values()):
                self._offer_to_rule(timeline.at(now), event, now)

    def offer(self, bus_name: str, rule_name: str, event: dict[str, Any]) -> None:
        """The same for one rule. moto's own events (of S3 and replays) come rule by rule."""
        with current_world().lock:
            timeline = self.timelines.get(bus_name, {}).get(rule_name)
            if timeline is not None:
                self._offer_to_rule(timeline.at(utcnow()), event, utcnow())

    def _offer_to_rule(
        self, rule: RuleDefinition | None, event: dict[str, Any], now: datetime
    ) -> None:
        if rule is not None and rule.enabled and rule.matches is not None and rule.matches(event):
            self._plan_deliveries(rule, event, now)

    # Schedules

    def _plan_firing(self, bus_name: str, rule_name: str) -> None:
        """Plan the next firing of the rule's schedule, in place of the planned one."""
        if (planned := self.firings.pop((bus_name, rule_name), None)) is not None:
            planned.cancel()
        timeline = self.timelines[bus_name][rule_name]
        firing = timeline.next_firing()
        if firing is not None:
            fire = partial(self._fire_schedule, bus_name, rule_name, firing, self.life)
            self.firings[bus_name, rule_name] = current_world().clock.call_at(
                firing.when, fire, f"the schedule of rule {rule_name}"
            )

    def _fire_schedule(self, bus_name: str, rule_name: str, firing: Firing, life: object) -> None:
        with current_world().lock:
            timeline = self.timelines.get(bus_name, {}).get(rule_name)
            if self.life is not life or timeline is None or timeline.next_firing() != firing:
                return  # a change came in between, and planned again
            event = make_scheduled_event(
                self.account_id, self.region_name, firing.rule.arn, firing.when
            )
            self._plan_deliveries(firing.rule, event, utcnow())
            timeline.settle(max(firing.when, utcnow() - MAX_FIRING_DELAY))
            self._plan_firing(bus_name, rule_name)

    # Deliveries

    def _plan_deliveries(self, rule: RuleDefinition, event: dict[str, Any], now: datetime) -> None:
        """Plan a call for each copy of each delivery. It arrives even if the rule is changed or
        deleted in the meantime.
        """
        world = current_world()
        for target in rule.targets:
            try:
                text = build_payload(target, event, rule, now)
            except ValueError as error:
                self._record_failure(rule.arn, target["Arn"], str(error))
                continue
            for seconds in world.dials.event_copies():
                arrive = partial(self._deliver, target, text, rule.arn, self.life)
                world.clock.call_at(
                    now + timedelta(seconds=seconds), arrive, f"rule {rule.name} to {target['Arn']}"
                )

    def _deliver(self, target: dict[str, Any], text: str, rule_arn: str, life: object) -> None:
        if self.life is not life:
            return
        try:
            deliver(target, text, rule_arn)
        except REFUSALS as error:
            self._record_failure(rule_arn, target["Arn"], str(error) or repr(error))

    def _record_failure(self, rule_arn: str, target_arn: str, reason: str) -> None:
        log.warning("%s could not deliver to %s: %s", rule_arn, target_arn, reason)
        with current_world().lock:
            self.failed_deliveries.append(FailedDelivery(rule_arn, target_arn, utcnow(), reason))


def backend(account_id: str, region: str) -> EventBridgeBackend:
    """The EventBridge of an account and region. RuntimeError if it is moto's own, because
    `sandbox.eventbridge.install` was not entered.
    """
    installed_backend = events_backends[account_id][region]
    if not isinstance(installed_backend, EventBridgeBackend):
        raise RuntimeError(  # noqa: TRY004
            "EventBridge is moto's own: enter sandbox.eventbridge.install() first"
        )
    return installed_backend


def send_to_targets(
    rule: Rule, original_event: dict[str, Any], transform_input: bool = True
) -> None:
    """In place of moto's Rule.send_to_targets, through which S3's events and replays come."""
    event = {key: value for key, value in original_event.items() if key != "ingestion-time"}
    if isinstance(event["time"], int | float):
        event["time"] = format_time(datetime.fromtimestamp(event["time"], UTC))
    backend(rule.account_id, rule.region_name).offer(rule.event_bus_name, rule.name, event)
