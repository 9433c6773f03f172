"""A role's session against the sandbox: what it may do, and what AWS would answer to all else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.account import ACCOUNT, REGION
from sandbox.clock import DrivenClock
from sandbox.iam import role_allows
from sandbox.inprocess import MONDAY_NOON, DrivenWorld, in_process
from sandbox.install import install_services
from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.conftest import executor

VERSION = "2012-10-17"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
LAMBDA_MAY = {
    "Version": VERSION,
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
PUT_RULES = {"Effect": "Allow", "Action": "events:PutRule", "Resource": "*"}
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ME = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/at-work"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hold"
DENIED = f"User: {ME} is not authorized to perform: events:PutRule on resource: {RULE} "


class Account:
    """An account with a role "worker" and what its session can do. The test's own calls, with other
    keys, are free.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self.iam = self.client("iam")
        self.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(LAMBDA_MAY))

    def client(self, service: Any, **credentials: str) -> Any:
        keys = credentials or {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service, region_name=REGION, endpoint_url=self._url, config=config, **keys
        )  # type: ignore[call-overload]

    def may(self, *statements: dict[str, Any]) -> None:
        """The role's inline policy becomes this one."""
        self.iam.put_role_policy(
            RoleName="worker",
            PolicyName="inline",
            PolicyDocument=json.dumps({"Version": VERSION, "Statement": statements}),
        )

    def policy(self, *statements: dict[str, Any]) -> str:
        """A new managed policy's ARN."""
        document = json.dumps({"Version": VERSION, "Statement": statements})
        name = f"policy-{len(self.iam.list_policies(Scope='Local')['Policies'])}"
        return str(
            self.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
        )

    def session(self, role: str = ROLE, **members: Any) -> dict[str, str]:
        credentials = self.client("sts").assume_role(
            RoleArn=role, RoleSessionName="at-work", **members
        )["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    def put_rule(self, session: dict[str, str] | None = None) -> None:
        self.client("events", **(session or self.session())).put_rule(
            Name="hold", ScheduleExpression="rate(5 minutes)"
        )


@pytest.fixture
def world() -> Iterator[DrivenWorld]:
    with in_process(executor()) as world:
        yield world


@pytest.fixture
def account(world: DrivenWorld) -> Account:
    return Account()


@contextmanager
def refused(code: str, message: str, status: int = 400) -> Iterator[None]:
    """Expects AWS's error."""
    with pytest.raises(ClientError) as error:
        yield
    response = error.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == (code, message)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_role_without_a_policy_may_do_nothing(account: Account) -> None:
    with refused(
        "AccessDeniedException",
        DENIED + "because no identity-based policy allows the events:PutRule action",
    ):
        account.put_rule()
    assert account.client("events").list_rules()["Rules"] == []


def test_a_policy_counts_from_the_moment_it_is_there(account: Account) -> None:
    session = account.session()
    account.may(PUT_RULES)
    account.put_rule(session)
    account.may({**PUT_RULES, "Effect": "Deny"}, ALL)
    with refused(
        "AccessDeniedException", DENIED + "with an explicit deny in an identity-based policy"
    ):
        account.put_rule(session)


def test_a_managed_policys_default_version_counts(account: Account) -> None:
    arn = account.policy(PUT_RULES)
    account.iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    account.put_rule()
    none = json.dumps(
        {"Version": VERSION, "Statement": [{**PUT_RULES, "Action": "events:DeleteRule"}]}
    )
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=none, SetAsDefault=True)
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        account.put_rule()


def test_a_boundary_takes_away(account: Account) -> None:
    account.may(ALL)
    account.iam.put_role_permissions_boundary(
        RoleName="worker", PermissionsBoundary=account.policy({**ALL, "Action": "lambda:*"})
    )
    with refused(
        "AccessDeniedException",
        DENIED + "because no permissions boundary allows the events:PutRule action",
    ):
        account.put_rule()
    account.iam.put_role_permissions_boundary(
        RoleName="worker", PermissionsBoundary=account.policy(ALL, {**PUT_RULES, "Effect": "Deny"})
    )
    with refused(
        "AccessDeniedException", DENIED + "with an explicit deny in a permissions boundary"
    ):
        account.put_rule()


def test_a_session_policy_takes_away(account: Account) -> None:
    account.may(ALL)
    with refused(
        "AccessDeniedException",
        DENIED + "because no session policy allows the events:PutRule action",
    ):
        account.put_rule(
            account.session(
                Policy=json.dumps(
                    {"Version": VERSION, "Statement": [{**ALL, "Action": "lambda:*"}]}
                )
            )
        )
    account.put_rule(
        account.session(Policy=json.dumps({"Version": VERSION, "Statement": [PUT_RULES]}))
    )


def test_a_session_ends(account: Account, world: DrivenWorld) -> None:
    account.may(ALL)
    session = account.session(DurationSeconds=900)
    world.clock.advance(timedelta(minutes=14))
    account.put_rule(session)
    world.clock.advance(timedelta(minutes=1))
    with refused("ExpiredTokenException", "The security token included in the request is expired"):
        account.put_rule(session)


def test_keys_need_their_own_token(account: Account) -> None:
    account.may(ALL)
    first, second = account.session(), account.session()
    with refused(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    ):
        account.put_rule({**first, "aws_session_token": second["aws_session_token"]})
    with refused(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    ):
        account.put_rule({**first, "aws_access_key_id": "ASIA0000000000000000"})


def test_a_deleted_roles_session_may_do_nothing(account: Account) -> None:
    account.may(ALL)
    session = account.session()
    account.iam.delete_role_policy(RoleName="worker", PolicyName="inline")
    account.iam.delete_role(RoleName="worker")
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        account.put_rule(session)


def test_the_dial_switches_it_off(account: Account, world: DrivenWorld) -> None:
    world.dials.enforce_iam = False
    account.put_rule()


def test_who_am_i_is_never_denied(account: Account) -> None:
    account.may({**ALL, "Effect": "Deny"})
    assert account.client("sts", **account.session()).get_caller_identity()["Arn"] == ME


def test_each_protocol_has_its_own_error(account: Account) -> None:
    session = account.session()
    reason = (
        f"User: {ME} is not authorized to perform: {{0}} on resource: {{1}} because no "
        "identity-based policy allows the {0} action"
    )
    with refused("AccessDeniedException", reason.format("lambda:ListFunctions", "*"), status=403):
        account.client("lambda", **session).list_functions()
    with refused("AccessDenied", reason.format("iam:ListRoles", "*"), status=403):
        account.client("iam", **session).list_roles()
    with refused("AccessDenied", "Access Denied", status=403):
        account.client("s3", **session).list_buckets()


def test_another_role_must_trust_the_caller(account: Account) -> None:
    def trust(principal: object) -> None:
        document = {
            "Version": VERSION,
            "Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"},
        }
        account.iam.update_assume_role_policy(
            RoleName="pipelines", PolicyDocument=json.dumps(document)
        )

    other = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
    sts = account.client("sts", **account.session())
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        sts.assume_role(RoleArn=other, RoleSessionName="more")
    account.may(ALL)
    with pytest.raises(ClientError, match="no role trust policy allows"):
        sts.assume_role(RoleArn=other, RoleSessionName="more")
    trust({"AWS": ACCOUNT})
    sts.assume_role(RoleArn=other, RoleSessionName="more")
    account.may(PUT_RULES)
    with pytest.raises(
        ClientError, match="no identity-based policy allows"
    ):  # the account's trust leaves it to the role's policies
        sts.assume_role(RoleArn=other, RoleSessionName="more")
    trust({"AWS": ROLE})
    sts.assume_role(RoleArn=other, RoleSessionName="more")


def test_a_functions_own_policy_can_let_a_role_in(account: Account) -> None:
    function = "pipeline-gate-dev-gate"
    invoke = account.client("lambda", **account.session()).invoke
    with pytest.raises(
        ClientError,
        match=r"lambda:InvokeFunction on resource: .*:function:pipeline-gate-dev-gate because no "
        r"identity-based",
    ):
        invoke(FunctionName=function, InvocationType="DryRun")
    account.client("lambda").add_permission(
        FunctionName=function, StatementId="worker", Action="lambda:InvokeFunction", Principal=ROLE
    )
    invoke(FunctionName=function, InvocationType="DryRun")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetPolicy"):
        account.client("lambda", **account.session()).get_policy(FunctionName=function)


def test_what_a_service_may_do_with_a_role(account: Account) -> None:
    assert not role_allows(ROLE, "events:PutRule", RULE)
    account.may(PUT_RULES)
    assert role_allows(ROLE, "events:PutRule", RULE)
    assert not role_allows(ROLE + "2", "events:PutRule", RULE)


def test_a_server_enforces_too() -> None:
    with SandboxServer(dials=Dials()) as server:
        account = Account(server.url)
        with refused(
            "AccessDeniedException",
            DENIED + "because no identity-based policy allows the events:PutRule action",
        ):
            account.put_rule()
        account.may(PUT_RULES)
        account.put_rule()


def test_without_the_sandbox_moto_is_as_it_was() -> None:
    with DrivenClock(MONDAY_NOON), mock_aws():
        with install_services():
            pass
        Account().put_rule()
