"""A role "worker", what its policies say and what its sessions may do."""

from __future__ import annotations

import json
from typing import Any

from sandbox.account import ACCOUNT, create_role
from sandbox.server import SandboxServer
from tests.support.clients import assume_role, client, server_client, session_client

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Worker:
    """The role in this process's AWS or a server's. The test's own calls, with other keys, are
    free.
    """

    def __init__(self, server: SandboxServer | None = None) -> None:
        self._server = server
        self.iam = self.client("iam")
        create_role("worker", "lambda.amazonaws.com")

    def client(self, service: Any, **keys: str) -> Any:
        """A client of the test, or of a session."""
        if not keys:
            return server_client(self._server, service) if self._server else client(service)
        url = self._server.url if self._server else None
        return session_client(service, keys, endpoint_url=url)

    def may(self, *statements: dict[str, Any]) -> None:
        """The role's inline policy becomes this one."""
        policy = document(*statements)
        self.iam.put_role_policy(RoleName="worker", PolicyName="inline", PolicyDocument=policy)

    def attach(self, *statements: dict[str, Any]) -> str:
        """Attach a new managed policy; its ARN."""
        arn = self._create_policy(*statements)
        self.iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
        return arn

    def bound(self, *statements: dict[str, Any]) -> None:
        """The role's boundary becomes this one."""
        arn = self._create_policy(*statements)
        self.iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=arn)

    def _create_policy(self, *statements: dict[str, Any]) -> str:
        name = f"policy-{len(self.iam.list_policies(Scope='Local')['Policies'])}"
        made = self.iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))
        return str(made["Policy"]["Arn"])

    def assume(self, **members: Any) -> dict[str, str]:
        """The keys of a new session."""
        return assume_role(self.client("sts"), ROLE, "at-work", **members)

    def put_rule(self, keys: dict[str, str] | None = None) -> None:
        """As this session, or a new one."""
        events = self.client("events", **(keys or self.assume()))
        events.put_rule(Name="hold", ScheduleExpression="rate(5 minutes)")
