"""An EventBridge in this process that records what it delivers to Lambda."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import patch

from moto import mock_aws

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import DrivenClock, utcnow
from sandbox.world import Dials, World, enter_world
from tests.support.clients import client

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
RETRY = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:retry"
EVERY_FIVE_MINUTES = "cron(2/5 * * * ? *)"
ON_STOP = '{"detail": {"state": ["STOPPED"]}}'
OTHER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"


@dataclass(frozen=True)
class Delivery:
    function_arn: str
    payload: Any
    rule_arn: str
    at: str
    """The time of day."""


@dataclass
class EventBridgeWorld:
    clock: DrivenClock
    dials: Dials
    deliveries: list[Delivery] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)
    """Function ARNs, with what Lambda says when it refuses an invocation."""

    @property
    def events(self) -> Any:
        return client("events")

    @property
    def backend(self) -> eventbridge.EventBridgeBackend:
        return eventbridge.backend(ACCOUNT, REGION)

    def rule(
        self, name: str = "hold", *, targets: dict[str, str] | None = None, **definition: Any
    ) -> None:
        """A rule with one target, the function RETRY, or with the given ones (id: ARN)."""
        self.events.put_rule(Name=name, **definition)
        ids = {"retry": RETRY} if targets is None else targets
        if ids:
            self.events.put_targets(
                Rule=name, Targets=[{"Id": target, "Arn": arn} for target, arn in ids.items()]
            )

    def target(self, **members: Any) -> None:
        """Put the target "retry": the function RETRY, or one with these members changed."""
        self.events.put_targets(Rule="hold", Targets=[{"Id": "retry", "Arn": RETRY, **members}])

    def delete(self, rule: str = "hold") -> None:
        """Delete a rule with its one target."""
        self.events.remove_targets(Rule=rule, Ids=["retry"])
        self.events.delete_rule(Name=rule)

    def stop(self) -> None:
        """The event that ON_STOP matches."""
        self.send(state="STOPPED")

    def send(self, **detail: Any) -> None:
        """Send a service's event, and let everything that it causes immediately happen."""
        eventbridge.send_event(
            ACCOUNT,
            REGION,
            source="aws.codepipeline",
            detail_type="Change",
            detail=detail,
            resources=["arn:pipeline"],
        )
        self.clock.settle()

    def put(self, **entry: Any) -> dict[str, Any]:
        """Put a user's event, and let everything that it causes immediately happen."""
        event = {"Source": "shop", "DetailType": "Order", "Detail": "{}", **entry}
        answer = self.events.put_events(Entries=[event])
        self.clock.settle()
        return cast(dict[str, Any], answer["Entries"][0])

    def advance(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    @property
    def times(self) -> list[str]:
        return [delivery.at for delivery in self.deliveries]

    @property
    def arrivals(self) -> list[tuple[str, str]]:
        return [(delivery.function_arn, delivery.at) for delivery in self.deliveries]

    @property
    def payloads(self) -> list[Any]:
        return [delivery.payload for delivery in self.deliveries]

    def invoke_lambda(self, function_arn: str, payload: str, rule_arn: str) -> None:
        if function_arn in self.refusals:
            raise self.refusals[function_arn]
        self.deliveries.append(
            Delivery(function_arn, json.loads(payload), rule_arn, f"{utcnow():%H:%M:%S}")
        )


@contextmanager
def eventbridge_world() -> Iterator[EventBridgeWorld]:
    with (
        DrivenClock(NOON) as clock,
        mock_aws(config={"core": {"reset_boto3_session": False}}),
        eventbridge.install(),
        enter_world(World(clock, executor=cast(Any, None))) as world,
    ):
        made = EventBridgeWorld(clock, world.dials)
        with patch("sandbox.eventbridge.delivery.invoke_lambda", made.invoke_lambda):
            yield made
