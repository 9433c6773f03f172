"""Deployments of the gate as `chalice deploy` makes them, faults in them, and what doctor finds."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import awscli
import boto3
from awscli.clidriver import create_clidriver

from gatectl.doctor.finding import Finding
from sandbox.account import ACCOUNT, REGION
from tests.support.cli import Said, run
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
RETRY = "pipeline-gate-dev-retry"
SHUT = {"FunctionName": RETRY, "StatementId": "pipeline-gate-rules"}
"""With remove_permission: EventBridge may no longer invoke the retry function."""
LAMBDA_MAY = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def configure(stage: str) -> None:
    """Give the two functions of `stage` the settings and policies of .chalice/."""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    for name in ("gate", "retry"):
        function = f"pipeline-gate-{stage}-{name}"
        policy = (ROOT / ".chalice" / f"policy-{name}.json").read_text()
        boto3.client("iam").put_role_policy(
            RoleName=function, PolicyName=function, PolicyDocument=policy
        )
        boto3.client("lambda").update_function_configuration(
            FunctionName=function,
            Timeout=config["lambda_timeout"],
            Environment={"Variables": config["environment_variables"]},
        )


def deploy(stage: str) -> None:
    """Deploy the gate again, as `stage`."""
    iam, trust = (
        boto3.client("iam"),
        json.dumps({"Version": "2012-10-17", "Statement": [LAMBDA_MAY]}),
    )
    for name in ("gate", "retry"):
        function = f"pipeline-gate-{stage}-{name}"
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=function, AssumeRolePolicyDocument=trust)
        role = f"arn:aws:iam::{ACCOUNT}:role/{function}"
        boto3.client("lambda").create_function(
            FunctionName=function,
            Role=role,
            Code={"ZipFile": b"zip"},
            Handler=f"app.{name}",
            Runtime="python3.11",
        )
    configure(stage)


def delete(stage: str, *names: str) -> None:
    """Delete both functions of `stage`, or those of these names."""
    for name in names or ("gate", "retry"):
        boto3.client("lambda").delete_function(FunctionName=f"pipeline-gate-{stage}-{name}")


def hold(scene: Scene, seconds: float = 3600) -> None:
    """k8s is held, because infra runs for so long."""
    scene.pipeline("infra", seconds=seconds)
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")


def name_the_gate(scene: Scene, pipeline: str, function: str) -> None:
    """Let the gate action of `pipeline` invoke this function, by a name or an ARN."""
    declared: Any = scene.codepipeline.get_pipeline(name=pipeline)["pipeline"]
    declared["stages"][1]["actions"][0]["configuration"]["FunctionName"] = function
    scene.codepipeline.update_pipeline(pipeline=declared)


def findings(*flags: str) -> list[dict[str, Any]]:
    """What doctor finds, as a program reads it."""
    answer: list[dict[str, Any]] = run("doctor", "--json", *flags).json()["findings"]
    return answer


def the_finding(kind: str) -> dict[str, Any]:
    """The only one, which is of this kind."""
    (finding,) = findings()
    assert finding["kind"] == kind
    return finding


def list_kinds(findings: Iterable[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def paste(finding: dict[str, Any]) -> None:
    """Give the finding's commands to the AWS CLI, as a person does."""
    with patch.dict(os.environ, {"AWS_DATA_PATH": str(Path(awscli.__file__).parent / "data")}):
        for command in finding["commands"]:
            program, *words = shlex.split(command)
            assert program == "aws", command
            assert create_clidriver().main(words) == 0, command


def mend() -> Said:
    """`doctor --mend`, with a yes to every question."""
    return run("doctor", "--mend", typed="y\n" * 20)


def retry_arn(stage: str = "dev") -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline-gate-{stage}-retry"
