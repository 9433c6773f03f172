"""docs/permissions.md: the functions and people need exactly the permissions that it lists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import boto3
import pytest

from sandbox.account import ACCOUNT, create_foreign_role
from sandbox.iam import enforcement
from sandbox.server import SandboxServer
from tests.docs.scenes import SCENES
from tests.support.cli import Said, run
from tests.support.condition import conditioned
from tests.support.deployment import configure
from tests.support.documents import sections
from tests.support.scene import Scene

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/permissions.md").read_text()
LOOK, CHANGE, DEPLOY = (
    block for section in sections(PAGE) for block in section.blocks if "Statement" in block
)
ON_AWS_ONLY = {
    "lambda:GetFunctionConfiguration",
    "lambda:PutFunctionConcurrency",
    "lambda:TagResource",
    "lambda:UntagResource",
}
"""What Chalice does not ask of the sandbox: functions are active at once there, tags are the
function's, and no concurrency is reserved.
"""
LOOKING = (
    ["holds"],
    ["explain", "k8s"],
    ["graph"],
    ["check"],
    ["history", "k8s", "--depends-on", "infra"],
    ["doctor"],
)


CHANGING: tuple[tuple[str, list[str]], ...] = (
    ("two pipelines", ["attach", "k8s", "--depends-on", "infra", "--yes"]),
    ("k8s waits for infra", ["detach", "k8s", "--yes"]),
    ("k8s waits for infra", ["release", "k8s", "--yes"]),
    ("k8s waits for infra", ["cancel", "k8s", "--yes"]),
    ("apps waits for k8s, which waits for infra", ["release", "apps", "--yes"]),
    ("apps waits for k8s, which waits for infra", ["cancel", "apps", "--yes"]),
    ("EventBridge may not invoke the retry", ["doctor", "--mend", "--yes"]),
)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in listed(statement["Action"])}


@pytest.mark.parametrize("function", ["gate", "retry", "board"])
def test_every_right_that_a_function_has_is_named(function: str) -> None:
    granted = actions(json.loads((ROOT / f".chalice/policy-{function}.json").read_text()))
    of_both = "|both" if function != "board" else ""
    rows = [
        line.split("|")[2]
        for line in PAGE.splitlines()
        if re.match(rf"\| ({function}{of_both}) \|", line)
    ]
    named = {right.rpartition(":")[2] for row in rows for right in re.findall("`(.+?)`", row)}
    assert named == {action.rpartition(":")[2] for action in granted}


@pytest.fixture
def asked() -> Iterator[set[str]]:
    """The actions that IAM checked for sessions."""
    seen: set[str] = set()
    real: Callable[..., str | None] = enforcement.explain_refusal

    def refusal(policies: Any, request: Any, caller: Any) -> str | None:
        if ":assumed-role/you-" in caller.session_arn:
            seen.add(request.action)
        return real(policies, request, caller)

    with patch.object(enforcement, "explain_refusal", refusal):
        yield seen


@pytest.fixture
def you(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """gatectl, run by a user with these policies."""

    def typed(*words: str, policies: Sequence[dict[str, Any]]) -> Said:
        statements = [statement for policy in policies for statement in policy["Statement"]]
        document: dict[str, object] = {"Version": "2012-10-17", "Statement": statements}
        role = create_foreign_role(
            ACCOUNT, f"you-{uuid4()}", f"arn:aws:iam::{ACCOUNT}:root", document
        )
        given = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="you")["Credentials"]
        with monkeypatch.context() as here:
            here.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
            here.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
            here.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
            said = run(*words)
        assert "denied" not in said.out + said.err, (words, said.out, said.err)
        return said

    return typed


def much_to_see(scene: Scene) -> None:
    """k8s waits at a stage's condition, there is an EVENT_BUS, and EventBridge may not invoke the
    retry function.
    """
    configure("dev")
    scene.pipeline("infra")
    conditioned(scene, hold="retry")
    scene.start("infra")
    scene.start("k8s")
    scene.events.create_event_bus(Name="chat")
    for function in ("gate", "retry"):
        settings = {"RETRY_MINUTES": "5", "EVENT_BUS": "chat"}
        scene.awslambda.update_function_configuration(
            FunctionName=f"pipeline-gate-dev-{function}", Environment={"Variables": settings}
        )


def test_who_may_look_sees_all_and_needs_each_of_these_rights(
    scene: Scene, you: Callable[..., Said], asked: set[str]
) -> None:
    much_to_see(scene)
    for words in LOOKING:
        assert you(*words, policies=[LOOK]).status == 0, words
    scene.awslambda.remove_permission(
        FunctionName="pipeline-gate-dev-retry", StatementId="pipeline-gate-rules"
    )
    scene.wait(minutes=12)
    you("explain", "k8s", policies=[LOOK])
    assert asked - {"sts:GetCallerIdentity"} == actions(LOOK)


@pytest.mark.parametrize(
    ("name", "words"),
    CHANGING,
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_who_may_change_can(
    scene: Scene, you: Callable[..., Said], name: str, words: list[str], asked: set[str]
) -> None:
    SCENES[name](scene)
    assert you(*words, policies=[LOOK, CHANGE]).status == 0
    assert asked & actions(CHANGE), "it changed something"
    assert asked - {"sts:GetCallerIdentity"} <= actions(LOOK) | actions(CHANGE)


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_who_may_change_may_pass_the_connection_of_a_source(service: str) -> None:
    """Both prefixes that a connection's ARN can have. The sandbox does not check this right."""
    (statement,) = [
        statement
        for statement in CHANGE["Statement"]
        if f"{service}:PassConnection" in listed(statement["Action"])
    ]
    assert any(f":{service}:" in resource for resource in statement["Resource"])


def test_what_each_command_changes_with_is_in_the_policy() -> None:
    rows = [
        line.split("|")[1:3]
        for line in PAGE.partition("changes with |")[2].splitlines()
        if line.startswith("| `")
    ]
    named = {right for _, rights in rows for right in re.findall("`(.+?)`", rights)} - {
        "PutRolePolicy"
    }
    assert named == {action.rpartition(":")[2] for action in actions(CHANGE)}


def test_a_pipelines_role_is_told_the_same_everywhere() -> None:
    told = [
        block
        for page in ("permissions.md", "add-a-stage.md")
        for section in sections((ROOT / "docs" / page).read_text())
        for block in section.blocks
        if "Action" in block
    ]
    assert len(told) == 2
    assert told[0] == told[1]


def test_who_may_deploy_can(clone: Path, server: SandboxServer, asked: set[str]) -> None:
    role = create_foreign_role(ACCOUNT, "you-deploy", f"arn:aws:iam::{ACCOUNT}:root", DEPLOY)
    sts = boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="eu-central-1",
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )
    given = sts.assume_role(RoleArn=role, RoleSessionName="you")["Credentials"]
    environment = {
        **server.environment(),
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
    chalice = Path(sys.executable).with_name("chalice")
    for words in (["deploy"], ["deploy"], ["logs", "-n", "gate"], ["delete"]):
        done = subprocess.run(
            [chalice, *words, "--stage", "prod"],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert asked == actions(DEPLOY) - ON_AWS_ONLY


def test_a_role_for_a_service_is_for_rules_of_its_own_account_only() -> None:
    """As the roles in examples/ (guide: cross-service-confused-deputy-prevention)."""
    from cfnlint.decode import decode_str  # noqa: PLC0415 - half a second in every worker

    page = (ROOT / "docs/elsewhere.md").read_text()
    documents = [
        json.loads(document) for document in re.findall(r"'(\{.*\"sts:AssumeRole\".*\})'", page)
    ]
    for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        template, _ = decode_str(text)
        documents += [
            resource["Properties"]["AssumeRolePolicyDocument"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::IAM::Role"
        ]
    statements = [
        statement
        for document in documents
        for statement in document["Statement"]
        if "Service" in statement["Principal"]
    ]
    assert len(statements) == 2
    for statement in statements:
        assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]
        assert ":rule/" in str(statement["Condition"]["ArnLike"]["aws:SourceArn"])
