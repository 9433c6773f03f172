"""Another account, with the role that docs/elsewhere.md describes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
from moto.iam.models import iam_backends

from sandbox.account import create_foreign_role
from tests.support.scene import Scene

ELSEWHERE = (Path(__file__).parents[2] / "docs/elsewhere.md").read_text()
OTHER_ACCOUNT = "210987654321"
THEIR_PIPELINE_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/pipelines"
THEIRS = {
    "pipeline": f"arn:aws:codepipeline:us-east-1:{OTHER_ACCOUNT}:infra",
    "role_arn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/pipeline-gate-look",
    "external_id": "a-word-that-both-know",
}
"""infra there, as an entry of depends_on."""


def in_the_other_account(scene: Scene, region: str) -> Scene:
    """A person who may do anything there; the role that docs/elsewhere.md tells them to make is
    made.
    """
    blocks = re.findall(r"^```json\n(.*?)^```", ELSEWHERE, flags=re.MULTILINE | re.DOTALL)
    trust, permissions = [json.loads(block) for block in blocks if '"Statement"' in block]
    trust = json.loads(json.dumps(trust).replace("-prod-", "-dev-"))  # the tests' stage
    permissions = json.loads(json.dumps(permissions).replace("us-east-1", region))
    iam = iam_backends[OTHER_ACCOUNT]["aws"]
    iam.create_role("pipeline-gate-look", json.dumps(trust), "/", None, "", [], None).put_policy(
        "look", json.dumps(permissions)
    )
    codepipeline = {
        "Effect": "Allow",
        "Principal": {"Service": "codepipeline.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(
        "pipelines",
        json.dumps({"Version": "2012-10-17", "Statement": [codepipeline]}),
        "/",
        None,
        "",
        [],
        None,
    )
    everything: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    admin = create_foreign_role(OTHER_ACCOUNT, "admin", "*", everything)
    keys = boto3.client("sts").assume_role(RoleArn=admin, RoleSessionName="ann")["Credentials"]
    session = boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region
    )
    there = Scene(scene.world)
    there.codepipeline, there.events = session.client("codepipeline"), session.client("events")
    return there
