"""The sandbox's one account and region, and the roles in it."""

from __future__ import annotations

import json

from moto.iam.models import Role, iam_backends

ACCOUNT = "123456789012"
REGION = "eu-central-1"
PIPELINE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
"""A role that CodePipeline may assume, for the pipelines of tests and examples."""


def create_role(name: str, service: str) -> Role:
    """Create a role that `service` ("lambda.amazonaws.com") may assume, straight in moto, without a
    request.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    return iam_backends[ACCOUNT]["aws"].create_role(name, document, "/", None, "", [], None)


def create_foreign_role(
    account: str, name: str, trusted: str, policy: dict[str, object], external_id: str | None = None
) -> str:
    """Create a role of another `account` that the role `trusted` (an ARN) may assume, if it gives
    `external_id`; returns its ARN.
    """
    condition = (
        {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": trusted},
        "Action": "sts:AssumeRole",
        **condition,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam_backends[account]["aws"].create_role(name, document, "/", None, "", [], None)
    role.put_policy(name, json.dumps(policy))
    return str(role.arn)


def create_pipeline_role() -> Role:
    """Create PIPELINE_ROLE, because CreatePipeline needs an existing role. It may invoke any
    function (guide: action-reference-Lambda).
    """
    role = create_role(PIPELINE_ROLE.rpartition("/")[2], "codepipeline.amazonaws.com")
    statement = {
        "Effect": "Allow",
        "Action": ["lambda:InvokeFunction", "lambda:ListFunctions"],
        "Resource": "*",
    }
    role.put_policy("invoke", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return role
