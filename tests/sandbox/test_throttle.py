"""A role's session that makes too many calls is throttled, as on AWS. Nothing else is, and no
session is until the rates are set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.account import ACCOUNT, REGION, create_role
from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld, in_process
from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.conftest import executor
from tests.support import clients

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def client(
    service: Any, *, attempts: int = 1, region: str = REGION, server: SandboxServer | None = None
) -> Any:
    """A client with a new session of a role, as a deployed function has it."""
    sts = clients.server_client(server, "sts") if server else clients.client("sts")
    keys = clients.assume_role(sts, ROLE, "at-work")
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    url = server.url if server else None
    return clients.session_client(
        service, keys, region_name=region, endpoint_url=url, config=config
    )


def answered(call: Callable[[], object], times: int) -> int:
    """How many of `times` calls were not throttled."""
    throttled = 0
    for _ in range(times):
        try:
            call()
        except ClientError as error:
            assert error.response["Error"]["Message"] == "Rate exceeded"  # noqa: PT017
            throttled += 1
    return times - throttled


@pytest.fixture
def world() -> Iterator[DrivenWorld]:
    dials = Dials(enforce_iam=False, rates={"events:ListRules": 5})
    with in_process(executor(), dials=dials) as world:
        create_role("worker", "lambda.amazonaws.com")
        yield world


def test_a_burst_of_one_second_then_the_rate(world: DrivenWorld) -> None:
    events = client("events")
    assert answered(events.list_rules, 8) == 5
    world.clock.advance(timedelta(seconds=0.4))
    assert answered(events.list_rules, 8) == 2
    world.clock.advance(timedelta(minutes=1))
    assert answered(events.list_rules, 8) == 5, "what flows in beyond one second's worth is lost"


def test_all_sessions_of_an_account_share_a_bucket(world: DrivenWorld) -> None:
    assert answered(client("events").list_rules, 5) == 5
    assert answered(client("events").list_rules, 5) == 0


def test_each_operation_and_each_region_has_its_own(world: DrivenWorld) -> None:
    world.dials.rates = {"events:ListRules": 2, "*": 3}
    events = client("events")
    assert answered(events.list_rules, 5) == 2
    assert answered(client("events", region="eu-west-1").list_rules, 5) == 2
    assert answered(events.list_event_buses, 5) == 3
    assert answered(events.list_archives, 5) == 3


def test_less_than_one_a_second(world: DrivenWorld) -> None:
    world.dials.rates = {"events:ListRules": 0.5}
    events = client("events")
    assert answered(events.list_rules, 2) == 1
    world.clock.advance(timedelta(seconds=1))
    assert answered(events.list_rules, 1) == 0
    world.clock.advance(timedelta(seconds=1))
    assert answered(events.list_rules, 2) == 1


def test_operations_without_a_rate_and_callers_without_a_session_are_free(
    world: DrivenWorld,
) -> None:
    assert answered(client("events").list_event_buses, 100) == 100
    assert answered(clients.client("events").list_rules, 100) == 100


def test_off_until_set(world: DrivenWorld) -> None:
    world.dials.rates = Dials().rates
    assert answered(client("events").list_rules, 100) == 100


def test_a_throttled_call_has_no_effect(world: DrivenWorld) -> None:
    world.dials.rates = {"events:PutRule": 1}
    events = client("events")
    events.put_rule(Name="first", ScheduleExpression="rate(5 minutes)")
    with pytest.raises(ClientError):
        events.put_rule(Name="second", ScheduleExpression="rate(5 minutes)")
    assert [rule["Name"] for rule in events.list_rules()["Rules"]] == ["first"]


def test_botocore_asks_again_until_it_is_answered(world: DrivenWorld) -> None:
    events = client("events", attempts=8)
    begun = utcnow()
    assert answered(events.list_rules, 20) == 20
    assert utcnow() - begun >= timedelta(seconds=(20 - 5) / 5)


@pytest.mark.parametrize(
    ("service", "call", "code", "status"),
    [
        ("codepipeline", lambda client: client.list_pipelines(), "ThrottlingException", 400),
        ("events", lambda client: client.list_rules(), "ThrottlingException", 400),
        ("lambda", lambda client: client.list_functions(), "TooManyRequestsException", 429),
        ("batch", lambda client: client.describe_job_queues(), "ThrottlingException", 429),
        ("sts", lambda client: client.get_caller_identity(), "Throttling", 400),
    ],
)
def test_each_service_says_it_in_its_own_way(
    world: DrivenWorld, service: str, call: Callable[[Any], object], code: str, status: int
) -> None:
    world.dials.rates = {"*": 1}
    patient, impatient = client(service, attempts=8), client(service)
    call(patient)
    with clients.refused(code, "Rate exceeded") as error:
        call(impatient)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    world.clock.advance(timedelta(seconds=1))
    call(patient)
    world.clock.advance(timedelta(seconds=0.9))
    assert call(patient), "botocore knows it as throttling, and repeats the call"


def test_a_server_throttles_too() -> None:
    with SandboxServer(dials=Dials(enforce_iam=False, rates={"events:ListRules": 0.001})) as server:
        create_role("worker", "lambda.amazonaws.com")
        with_session = client("events", server=server)
        assert answered(with_session.list_rules, 3) == 1
        assert answered(clients.server_client(server, "events").list_rules, 3) == 3
