"""Roles and people who may do only some things."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from sandbox.account import create_role

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def act_as_person(monkeypatch: pytest.MonkeyPatch, *statements: dict[str, Any]) -> None:
    """Act as a user with this policy."""
    role = create_role("somebody", "codepipeline.amazonaws.com")
    role.put_policy("may", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    keys = boto3.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="ann")["Credentials"]
    for name, key in (
        ("ACCESS_KEY_ID", "AccessKeyId"),
        ("SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("SESSION_TOKEN", "SessionToken"),
    ):
        monkeypatch.setenv(f"AWS_{name}", keys[key])  # type: ignore[literal-required]


def role_may(role: str, *statements: dict[str, Any], policy: str = "all") -> None:
    """The role's one inline policy becomes this one."""
    client = boto3.client("iam")
    for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
        client.delete_role_policy(RoleName=role, PolicyName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)


def deny(*actions: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
