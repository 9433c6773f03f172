"""An EventBridge in this process whose Lambda targets only write down what reaches them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from unittest.mock import patch

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox import eventbridge
from sandbox.clock import DrivenClock, utcnow
from sandbox.world import Dials, World, running

ACCOUNT, REGION = "123456789012", "eu-central-1"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
RETRY = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:retry"
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
        ids = targets if targets is not None else {"retry": RETRY}
        if ids:
            self.events.put_targets(
                Rule=name, Targets=[{"Id": target, "Arn": arn} for target, arn in ids.items()]
            )

    def send(self, **detail: Any) -> None:
        """An event of a service, and all that it causes at once."""
        eventbridge.send(
            ACCOUNT,
            REGION,
            source="aws.codepipeline",
            detail_type="Change",
            detail=detail,
            resources=["arn:pipeline"],
        )
        self.clock.settle()

    def put(self, **entry: Any) -> dict[str, Any]:
        """A user's event, and all that it causes at once."""
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
    def payloads(self) -> list[Any]:
        return [delivery.payload for delivery in self.deliveries]

    def invoke_lambda(self, function_arn: str, payload: str, rule_arn: str) -> None:
        if function_arn in self.refusals:
            raise self.refusals[function_arn]
        self.deliveries.append(
            Delivery(function_arn, json.loads(payload), rule_arn, f"{utcnow():%H:%M:%S}")
        )


@cache
def _session() -> boto3.Session:
    return boto3.Session(
        "sandbox", "sandbox", region_name=REGION
    )  # its clients outlive a world: they cost 30 ms each


@cache
def client(service: Any) -> Any:
    return _session().client(
        service, config=Config(retries={"total_max_attempts": 1})
    )  # or LimitExceededException is retried, slowly


@contextmanager
def eventbridge_world(
    start: datetime = NOON, dials: Dials | None = None
) -> Iterator[EventBridgeWorld]:
    with (
        DrivenClock(start) as clock,
        mock_aws(config={"core": {"reset_boto3_session": False}}),
        eventbridge.install(),
        running(World(clock, executor=cast(Any, None), dials=dials or Dials())) as world,
    ):
        made = EventBridgeWorld(clock, world.dials)
        with patch("sandbox.eventbridge.delivery.invoke_lambda", made.invoke_lambda):
            yield made


@contextmanager
def refused(code: str, message: str = "") -> Iterator[None]:
    """The call in this block is refused with this error code, and a text that contains
    `message`.
    """
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert message in caught.value.response["Error"]["Message"]
