"""A role's session against the sandbox: what it may do, and what AWS would answer to all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.clock import DrivenClock
from sandbox.iam import role_allows
from sandbox.inprocess import MONDAY_NOON, DrivenWorld, in_process
from sandbox.install import install_services
from sandbox.server import SandboxServer
from tests.conftest import executor
from tests.sandbox.worker import ALL, ROLE, Worker, document
from tests.support.clients import refused

PUT_RULES = {"Effect": "Allow", "Action": "events:PutRule", "Resource": "*"}
DENY_RULES = {**PUT_RULES, "Effect": "Deny"}
LAMBDA_ONLY = {**ALL, "Action": "lambda:*"}
ME = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/at-work"
TOKEN = "The security token included in the request"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hold"


@pytest.fixture
def world() -> Iterator[DrivenWorld]:
    with in_process(executor()) as world:
        yield world


@pytest.fixture
def worker(world: DrivenWorld) -> Worker:
    return Worker()


def denied(reason: str) -> AbstractContextManager[Any]:
    """Expect that PutRule is denied with this reason."""
    start = f"User: {ME} is not authorized to perform: events:PutRule on resource: {RULE}"
    return refused("AccessDeniedException", f"{start} {reason}")


def not_allowed(kind: str) -> AbstractContextManager[Any]:
    return denied(f"because no {kind} policy allows the events:PutRule action")


def test_a_policy_counts_from_the_moment_it_is_there(worker: Worker) -> None:
    keys = worker.assume()
    with not_allowed("identity-based"):
        worker.put_rule(keys)
    assert worker.client("events").list_rules()["Rules"] == []
    worker.may(PUT_RULES)
    worker.put_rule(keys)
    worker.may(DENY_RULES, ALL)
    with denied("with an explicit deny in an identity-based policy"):
        worker.put_rule(keys)


def test_a_managed_policys_default_version_counts(worker: Worker) -> None:
    arn = worker.attach(PUT_RULES)
    worker.put_rule()
    delete = document({**PUT_RULES, "Action": "events:DeleteRule"})
    worker.iam.create_policy_version(PolicyArn=arn, PolicyDocument=delete, SetAsDefault=True)
    with not_allowed("identity-based"):
        worker.put_rule()


def test_a_boundary_takes_away(worker: Worker) -> None:
    worker.may(ALL)
    worker.bound(LAMBDA_ONLY)
    with denied("because no permissions boundary allows the events:PutRule action"):
        worker.put_rule()
    worker.bound(ALL, DENY_RULES)
    with denied("with an explicit deny in a permissions boundary"):
        worker.put_rule()


def test_a_session_policy_takes_away(worker: Worker) -> None:
    worker.may(ALL)
    with not_allowed("session"):
        worker.put_rule(worker.assume(Policy=document(LAMBDA_ONLY)))
    worker.put_rule(worker.assume(Policy=document(PUT_RULES)))


def test_a_session_ends(worker: Worker, world: DrivenWorld) -> None:
    worker.may(ALL)
    keys = worker.assume(DurationSeconds=900)
    world.clock.advance(timedelta(minutes=14))
    worker.put_rule(keys)
    world.clock.advance(timedelta(minutes=1))
    with refused("ExpiredTokenException", f"{TOKEN} is expired"):
        worker.put_rule(keys)


def test_keys_need_their_own_token(worker: Worker) -> None:
    worker.may(ALL)
    first, second = worker.assume(), worker.assume()
    for wrong in (
        {"aws_session_token": second["aws_session_token"]},
        {"aws_access_key_id": "ASIA0000000000000000"},
    ):
        with refused("UnrecognizedClientException", f"{TOKEN} is invalid."):
            worker.put_rule({**first, **wrong})


def test_a_deleted_roles_session_may_do_nothing(worker: Worker) -> None:
    worker.may(ALL)
    keys = worker.assume()
    worker.iam.delete_role_policy(RoleName="worker", PolicyName="inline")
    worker.iam.delete_role(RoleName="worker")
    with not_allowed("identity-based"):
        worker.put_rule(keys)


def test_the_dial_switches_it_off(worker: Worker, world: DrivenWorld) -> None:
    world.dials.enforce_iam = False
    worker.put_rule()


def test_who_am_i_is_never_denied(worker: Worker) -> None:
    worker.may({**ALL, "Effect": "Deny"})
    assert worker.client("sts", **worker.assume()).get_caller_identity()["Arn"] == ME


@pytest.mark.parametrize(
    ("service", "operation", "status", "code", "message"),
    [
        ("events", "list_rules", 400, "AccessDeniedException", "perform: events:ListRules on"),
        ("lambda", "list_functions", 403, "AccessDeniedException", "lambda:ListFunctions on"),
        ("iam", "list_roles", 403, "AccessDenied", "perform: iam:ListRoles on resource: * because"),
        ("s3", "list_buckets", 403, "AccessDenied", "Access Denied"),
    ],
)
def test_each_protocol_has_its_own_error(
    worker: Worker, service: str, operation: str, status: int, code: str, message: str
) -> None:
    with refused(code, message) as error:
        getattr(worker.client(service, **worker.assume()), operation)()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_another_role_must_trust_the_caller(worker: Worker) -> None:
    sts = worker.client("sts", **worker.assume())

    def trust(principal: str) -> None:
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        worker.iam.update_assume_role_policy(
            RoleName="pipelines", PolicyDocument=document(statement)
        )

    def assume() -> None:
        sts.assume_role(RoleArn=PIPELINE_ROLE, RoleSessionName="more")

    with pytest.raises(ClientError, match="no identity-based policy allows"):
        assume()
    worker.may(ALL)
    with pytest.raises(ClientError, match="no role trust policy allows"):
        assume()
    trust(ACCOUNT)
    assume()
    worker.may(PUT_RULES)
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        assume()  # the account's trust leaves it to the role's policies
    trust(ROLE)
    assume()


def test_a_functions_own_policy_can_let_a_role_in(worker: Worker) -> None:
    function = "pipeline-gate-dev-gate"
    awslambda = worker.client("lambda", **worker.assume())
    with pytest.raises(
        ClientError, match=rf"lambda:InvokeFunction on resource: .*:function:{function} because no"
    ):
        awslambda.invoke(FunctionName=function, InvocationType="DryRun")
    worker.client("lambda").add_permission(
        FunctionName=function, StatementId="worker", Action="lambda:InvokeFunction", Principal=ROLE
    )
    awslambda.invoke(FunctionName=function, InvocationType="DryRun")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetPolicy"):
        awslambda.get_policy(FunctionName=function)


def test_what_a_service_may_do_with_a_role(worker: Worker) -> None:
    assert not role_allows(ROLE, "events:PutRule", RULE)
    worker.may(PUT_RULES)
    assert role_allows(ROLE, "events:PutRule", RULE)
    assert not role_allows(ROLE + "2", "events:PutRule", RULE)


def test_a_server_enforces_and_simulates_too() -> None:
    with SandboxServer() as server:
        worker = Worker(server)
        with not_allowed("identity-based"):
            worker.put_rule()
        worker.may(PUT_RULES)
        worker.put_rule()
        (result,) = worker.iam.simulate_principal_policy(
            PolicySourceArn=ROLE, ActionNames=["events:PutRule"]
        )["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"


def test_without_the_sandbox_moto_is_as_it_was() -> None:
    with DrivenClock(MONDAY_NOON), mock_aws():
        with install_services():
            pass
        Worker().put_rule()
