"""CodePipeline invokes a function as the action's own role, or else as the pipeline's."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from sandbox.account import ACCOUNT, PIPELINE_ROLE
from tests.support.scene import EXECUTION, GATE, Scene

OWN = f"arn:aws:iam::{ACCOUNT}:role/own"
ASKED = {"depends_on": ["infra"], "pipeline": "k8s", "execution": EXECUTION}


@pytest.fixture
def k8s(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.gated("k8s", ASKED)
    return scene


def may_invoke_nothing() -> None:
    boto3.client("iam").delete_role_policy(RoleName="pipelines", PolicyName="invoke")


def test_a_role_that_may_not_fails_the_action(k8s: Scene) -> None:
    may_invoke_nothing()
    k8s.start("k8s")
    error = k8s.gate_action()["errorDetails"]
    assert (error["code"], error["message"]) == (
        "PermissionError",
        f"The role {PIPELINE_ROLE} is not authorized to perform lambda:InvokeFunction on {GATE}",
    )
    assert k8s.statuses() == ["Failed"]


def test_the_actions_own_role_counts(k8s: Scene) -> None:
    may_invoke_nothing()
    iam = boto3.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codepipeline.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(
        RoleName="own",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    function = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{GATE}"
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    iam.put_role_policy(
        RoleName="own",
        PolicyName="x",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}),
    )
    declared: Any = k8s.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"][1]["actions"][0]["roleArn"] = OWN
    k8s.codepipeline.update_pipeline(pipeline=declared)
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Succeeded"
    iam.delete_role_policy(RoleName="own", PolicyName="x")
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Failed"


def test_where_iam_is_not_enforced_any_role_may(k8s: Scene) -> None:
    may_invoke_nothing()
    k8s.world.dials.enforce_iam = False
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Succeeded"
