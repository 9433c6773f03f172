"""CodePipeline invokes a function as the action's own role, or else as the pipeline's."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION, create_role
from tests.support.scene import EXECUTION, GATE, Scene

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
    message = f"{PIPELINE_ROLE} is not authorized to perform lambda:InvokeFunction on {GATE}"
    assert error == {"code": "PermissionError", "message": f"The role {message}"}
    assert k8s.statuses() == ["Failed"]


def test_the_actions_own_role_counts(k8s: Scene) -> None:
    may_invoke_nothing()
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{GATE}"
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    own = create_role("own", "codepipeline.amazonaws.com")
    own.put_policy("x", json.dumps({"Version": "2012-10-17", "Statement": allow}))
    declared: Any = k8s.codepipeline.get_pipeline(name="k8s")["pipeline"]
    declared["stages"][1]["actions"][0]["roleArn"] = own.arn
    k8s.codepipeline.update_pipeline(pipeline=declared)
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Succeeded"
    boto3.client("iam").delete_role_policy(RoleName="own", PolicyName="x")
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Failed"


def test_any_role_may_if_iam_is_not_enforced(k8s: Scene) -> None:
    may_invoke_nothing()
    k8s.world.dials.enforce_iam = False
    k8s.start("k8s")
    assert k8s.gate_action()["status"] == "Succeeded"
