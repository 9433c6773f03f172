"""What the functions are able to do in an AWS account, by the policies that a deployment gives
them, and what they are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.account import ACCOUNT, REGION, create_foreign_role, create_role
from sandbox.inprocess import in_process
from sandbox.world import Dials
from tests.conftest import executor

CHALICE = Path(__file__).parents[1] / ".chalice"
STAGE = "dev"

GATE, RETRY, OTHER = f"pipeline-gate-{STAGE}-gate", f"pipeline-gate-{STAGE}-retry", "other-function"
BOARD = f"pipeline-gate-{STAGE}"
"""Chalice's name for the function that serves the routes."""
HOLD = f"pipeline-gate-{STAGE}-0f0e0d0c-0b0a-0908-0706-050403020100"
EXECUTION = JOB = HOLD[-36:]
RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline-gate-*"
PIPELINES_ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"


def arn(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"


def permission(
    function: str, principal: str = "events.amazonaws.com", action: str = "lambda:InvokeFunction"
) -> dict[str, str]:
    return {
        "FunctionName": function,
        "StatementId": "rules",
        "Action": action,
        "Principal": principal,
        "SourceArn": RULES,
    }


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "ScheduleExpression": "rate(5 minutes)", **more}


def targets(name: str, target: str = RETRY, **more: Any) -> dict[str, Any]:
    return {"Rule": name, "Targets": [{"Id": "retry", "Arn": arn(target), **more}]}


def log_lines(function: str) -> dict[str, Any]:
    events = [{"timestamp": 0, "message": "x"}]
    return {
        "logGroupName": f"/aws/lambda/{function}",
        "logStreamName": "stream",
        "logEvents": events,
    }


PIPELINE = {
    "name": "k8s",
    "roleArn": PIPELINES_ROLE,
    "stages": [
        {
            "name": stage,
            "actions": [
                {
                    "name": "a",
                    "actionTypeId": {
                        "category": "Build",
                        "owner": "AWS",
                        "provider": "CodeBuild",
                        "version": "1",
                    },
                }
            ],
        }
        for stage in ("One", "Two")
    ],
}
NEW_FUNCTION = {
    "FunctionName": "pipeline-gate-new",
    "Role": PIPELINES_ROLE,
    "Code": {"ZipFile": b"x"},
    "Handler": "a.b",
    "Runtime": "python3.11",
}
APPROVAL = {
    "pipelineName": "k8s",
    "stageName": "Ask",
    "actionName": "Ask",
    "result": {"summary": "", "status": "Approved"},
    "token": EXECUTION,
}


def elsewhere(function: str) -> dict[str, Any]:
    return {
        "RoleArn": f"arn:aws:iam::999999999999:role/pipeline-gate-look-{function}",
        "RoleSessionName": "pipeline-gate",
    }


OWN_EVENTS = {
    "Entries": [
        {"EventBusName": "chat", "Source": "pipeline-gate", "DetailType": "x", "Detail": "{}"}
    ]
}
RETRY_STAGE = {
    "pipelineName": "k8s",
    "stageName": "Gate",
    "pipelineExecutionId": EXECUTION,
    "retryMode": "FAILED_ACTIONS",
}

ALLOWED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    GATE: [
        ("codepipeline:ListPipelineExecutions", {"pipelineName": "infra"}),
        (
            "codepipeline:GetPipelineExecution",
            {"pipelineName": "k8s", "pipelineExecutionId": EXECUTION},
        ),
        ("codepipeline:GetPipelineState", {"name": "infra"}),
        ("sts:AssumeRole", elsewhere("gate")),
        ("codepipeline:GetJobDetails", {"jobId": JOB}),
        ("codepipeline:PutJobSuccessResult", {"jobId": JOB}),
        (
            "codepipeline:PutJobFailureResult",
            {"jobId": JOB, "failureDetails": {"type": "JobFailed", "message": "x"}},
        ),
        ("events:PutRule", rule(HOLD, EventPattern='{"source": ["aws.codepipeline"]}')),
        ("events:PutTargets", targets(HOLD)),
        ("events:ListTargetsByRule", {"Rule": HOLD}),
        ("events:PutEvents", OWN_EVENTS),
        ("lambda:AddPermission", permission(RETRY)),
        ("lambda:AddPermission", permission(arn(RETRY))),
        (
            "logs:CreateLogStream",
            {"logGroupName": f"/aws/lambda/{GATE}", "logStreamName": "stream"},
        ),
        ("logs:PutLogEvents", log_lines(GATE)),
    ],
    RETRY: [
        ("codepipeline:ListPipelineExecutions", {"pipelineName": "infra"}),
        ("codepipeline:ListActionExecutions", {"pipelineName": "k8s"}),
        (
            "codepipeline:GetPipelineExecution",
            {"pipelineName": "k8s", "pipelineExecutionId": EXECUTION},
        ),
        ("codepipeline:ListRuleExecutions", {"pipelineName": "k8s"}),
        ("codepipeline:GetPipeline", {"name": "k8s"}),
        ("codepipeline:GetPipelineState", {"name": "infra"}),
        ("sts:AssumeRole", elsewhere("retry")),
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}),
        ("codepipeline:RetryStageExecution", RETRY_STAGE),
        ("events:PutEvents", OWN_EVENTS),
        ("events:ListRules", {"NamePrefix": HOLD}),
        ("events:ListRuleNamesByTarget", {"TargetArn": arn(RETRY)}),
        ("events:ListTargetsByRule", {"Rule": HOLD}),
        ("events:PutTargets", targets(HOLD)),
        ("events:RemoveTargets", {"Rule": HOLD, "Ids": ["retry"]}),
        ("events:DeleteRule", {"Name": HOLD}),
        (
            "logs:CreateLogStream",
            {"logGroupName": f"/aws/lambda/{RETRY}", "logStreamName": "stream"},
        ),
        ("logs:PutLogEvents", log_lines(RETRY)),
    ],
    BOARD: [
        ("codepipeline:ListPipelines", {}),
        ("codepipeline:GetPipeline", {"name": "k8s"}),
        ("codepipeline:ListPipelineExecutions", {"pipelineName": "infra"}),
        ("codepipeline:GetPipelineState", {"name": "infra"}),
        ("codepipeline:ListActionExecutions", {"pipelineName": "k8s"}),
        ("codepipeline:ListRuleExecutions", {"pipelineName": "k8s"}),
        ("events:ListRules", {"NamePrefix": HOLD}),
        ("events:ListTargetsByRule", {"Rule": HOLD}),
        ("logs:CreateLogGroup", {"logGroupName": f"/aws/lambda/{BOARD}"}),
        (
            "logs:CreateLogStream",
            {"logGroupName": f"/aws/lambda/{BOARD}", "logStreamName": "stream"},
        ),
        ("logs:PutLogEvents", log_lines(BOARD)),
    ],
}
"""All that each function needs."""

DENIED_TO_ALL: list[tuple[str, dict[str, Any]]] = [
    # pipelines: none of them changes, ends or approves anything
    ("codepipeline:CreatePipeline", {"pipeline": PIPELINE}),
    ("codepipeline:UpdatePipeline", {"pipeline": PIPELINE}),
    ("codepipeline:DeletePipeline", {"name": "k8s"}),
    (
        "codepipeline:StopPipelineExecution",
        {"pipelineName": "k8s", "pipelineExecutionId": EXECUTION},
    ),
    (
        "codepipeline:RollbackStage",
        {"pipelineName": "k8s", "stageName": "Gate", "targetPipelineExecutionId": EXECUTION},
    ),
    ("codepipeline:PutApprovalResult", APPROVAL),
    (
        "codepipeline:DisableStageTransition",
        {"pipelineName": "k8s", "stageName": "Gate", "transitionType": "Inbound", "reason": "x"},
    ),
    (
        "codepipeline:EnableStageTransition",
        {"pipelineName": "k8s", "stageName": "Gate", "transitionType": "Inbound"},
    ),
    (
        "codepipeline:PollForJobs",
        {
            "actionTypeId": {
                "category": "Build",
                "owner": "AWS",
                "provider": "CodeBuild",
                "version": "1",
            }
        },
    ),
    # events: rules of others, and other ways to make things happen
    ("events:PutRule", rule("others-rule")),
    ("events:PutRule", rule(f"x-{HOLD}")),
    ("events:PutRule", rule(HOLD, EventBusName="other-bus")),
    ("events:PutTargets", targets("others-rule")),
    ("events:PutTargets", targets(HOLD, OTHER)),
    ("events:RemoveTargets", {"Rule": "others-rule", "Ids": ["1"]}),
    ("events:DeleteRule", {"Name": "others-rule"}),
    ("events:DisableRule", {"Name": HOLD}),
    ("events:EnableRule", {"Name": HOLD}),
    ("events:ListTargetsByRule", {"Rule": "others-rule"}),
    ("events:PutEvents", {"Entries": [{"Source": "x", "DetailType": "x", "Detail": "{}"}]}),
    ("events:PutPermission", {"Principal": "*", "StatementId": "x", "Action": "events:PutEvents"}),
    # functions: no code, no configuration, no invocation, nobody let in
    ("lambda:Invoke", {"FunctionName": GATE}),
    ("lambda:Invoke", {"FunctionName": RETRY}),
    ("lambda:Invoke", {"FunctionName": OTHER}),
    ("lambda:AddPermission", permission(GATE)),
    ("lambda:AddPermission", permission(OTHER)),
    ("lambda:AddPermission", permission(RETRY, principal=ACCOUNT)),
    ("lambda:AddPermission", permission(RETRY, principal="*")),
    ("lambda:AddPermission", permission(RETRY, principal="sns.amazonaws.com")),
    ("lambda:RemovePermission", {"FunctionName": RETRY, "StatementId": "rules"}),
    ("lambda:UpdateFunctionCode", {"FunctionName": RETRY, "ZipFile": b"x"}),
    (
        "lambda:UpdateFunctionConfiguration",
        {"FunctionName": GATE, "Environment": {"Variables": {"A": "b"}}},
    ),
    ("lambda:CreateFunction", NEW_FUNCTION),
    ("lambda:DeleteFunction", {"FunctionName": RETRY}),
    ("lambda:CreateFunctionUrlConfig", {"FunctionName": RETRY, "AuthType": "NONE"}),
    ("lambda:GetFunction", {"FunctionName": GATE}),
    # logs: no others', and none deleted or read
    ("logs:CreateLogStream", {"logGroupName": f"/aws/lambda/{OTHER}", "logStreamName": "stream"}),
    ("logs:PutLogEvents", log_lines(OTHER)),
    ("logs:GetLogEvents", {"logGroupName": f"/aws/lambda/{GATE}", "logStreamName": "stream"}),
    ("logs:DeleteLogGroup", {"logGroupName": f"/aws/lambda/{GATE}"}),
    # identities
    ("sts:AssumeRole", {"RoleArn": PIPELINES_ROLE, "RoleSessionName": "more"}),
    ("iam:PutRolePolicy", {"RoleName": GATE, "PolicyName": "more", "PolicyDocument": "{}"}),
    (
        "iam:AttachRolePolicy",
        {"RoleName": GATE, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    ("iam:UpdateAssumeRolePolicy", {"RoleName": PIPELINES_ROLE[-9:], "PolicyDocument": "{}"}),
    ("iam:CreateAccessKey", {"UserName": "me"}),
    ("iam:ListRoles", {}),
    # data
    ("s3:ListBuckets", {}),
    ("s3:GetObject", {"Bucket": "artifacts", "Key": "source.zip"}),
    ("s3:PutObject", {"Bucket": "artifacts", "Key": "source.zip", "Body": b"x"}),
    ("secretsmanager:GetSecretValue", {"SecretId": "password"}),
    ("ssm:GetParameter", {"Name": "password"}),
    ("dynamodb:ListTables", {}),
]

DENIED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    GATE: [
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}),
        ("codepipeline:GetPipeline", {"name": "k8s"}),
        ("codepipeline:ListActionExecutions", {"pipelineName": "k8s"}),
        ("events:RemoveTargets", {"Rule": HOLD, "Ids": ["retry"]}),
        ("events:DeleteRule", {"Name": HOLD}),
        ("codepipeline:ListRuleExecutions", {"pipelineName": "k8s"}),
        ("codepipeline:RetryStageExecution", RETRY_STAGE),
        ("events:PutRule", rule(HOLD, RoleArn=PIPELINES_ROLE)),
        ("events:PutTargets", targets(HOLD, RoleArn=PIPELINES_ROLE)),
        ("codepipeline:ListPipelines", {}),
        *DENIED_TO_ALL,
    ],
    RETRY: [
        ("codepipeline:PutJobSuccessResult", {"jobId": JOB}),
        (
            "codepipeline:PutJobFailureResult",
            {"jobId": JOB, "failureDetails": {"type": "JobFailed", "message": "x"}},
        ),
        ("codepipeline:GetJobDetails", {"jobId": JOB}),
        ("events:PutRule", rule(HOLD)),
        ("events:PutTargets", targets(HOLD, RoleArn=PIPELINES_ROLE)),
        ("lambda:AddPermission", permission(RETRY)),
        ("codepipeline:ListPipelines", {}),
        *DENIED_TO_ALL,
    ],
    BOARD: [  # it only reads
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}),
        ("codepipeline:RetryStageExecution", RETRY_STAGE),
        ("codepipeline:PutJobSuccessResult", {"jobId": JOB}),
        ("codepipeline:GetJobDetails", {"jobId": JOB}),
        (
            "codepipeline:GetPipelineExecution",
            {"pipelineName": "k8s", "pipelineExecutionId": EXECUTION},
        ),
        ("events:PutRule", rule(HOLD)),
        ("events:PutTargets", targets(HOLD)),
        ("events:RemoveTargets", {"Rule": HOLD, "Ids": ["retry"]}),
        ("events:DeleteRule", {"Name": HOLD}),
        ("events:PutEvents", OWN_EVENTS),
        ("lambda:AddPermission", permission(RETRY)),
        ("sts:AssumeRole", elsewhere("gate")),
        ("logs:CreateLogGroup", {"logGroupName": f"/aws/lambda/{OTHER}"}),
        *DENIED_TO_ALL,
    ],
}
"""A table of what neither an error in the code nor somebody who took it over could do."""


class Functions:
    """A session of each function's role, with the policy that config.json names for the
    function.
    """

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._keys = {}
        create_role(BOARD, "lambda.amazonaws.com")
        for function in (GATE, RETRY, BOARD):
            name = f"pipeline-gate-look-{function.rpartition('-')[2]}"
            create_foreign_role(
                "999999999999", name, f"arn:aws:iam::{ACCOUNT}:role/{function}", {"Statement": []}
            )
            policy = json.dumps(policy_of(function))
            boto3.client("iam").put_role_policy(
                RoleName=function, PolicyName=function, PolicyDocument=policy
            )
            role = f"arn:aws:iam::{ACCOUNT}:role/{function}"
            given = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName=function)[
                "Credentials"
            ]
            self._keys[function] = (
                given["AccessKeyId"],
                given["SecretAccessKey"],
                given["SessionToken"],
            )

    def is_allowed(self, function: str, call: str, parameters: dict[str, Any]) -> bool:
        """Whether AWS does what is asked, or has another reason than a permission not to."""
        service, operation = call.split(":")
        try:
            self._client(function, service)._make_api_call(operation, parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {
                "403",
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "ExpiredTokenException",
            }:
                raise  # nobody asked the policies
            return code not in {"AccessDenied", "AccessDeniedException"}
        return True

    def _client(self, function: str, service: Any) -> Any:
        if (function, service) not in self._clients:
            key, secret, token = self._keys[function]
            self._clients[function, service] = boto3.client(
                service,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[function, service]


def policy_of(function: str) -> dict[str, Any]:
    functions = json.loads((CHALICE / "config.json").read_text())["stages"][STAGE][
        "lambda_functions"
    ]
    name = "api_handler" if function == BOARD else function.rpartition("-")[2]
    policy: dict[str, Any] = json.loads((CHALICE / functions[name]["iam_policy_file"]).read_text())
    return policy


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    with in_process(executor(), dials=Dials(start_on_create=False)):
        yield Functions()


def rows(table: dict[str, list[tuple[str, dict[str, Any]]]]) -> list[Any]:
    return [
        pytest.param(function, call, parameters, id=f"{function.rpartition('-')[2]} {call} {place}")
        for function, calls in table.items()
        for place, (call, parameters) in enumerate(calls)
    ]


@pytest.mark.parametrize(("function", "call", "parameters"), rows(ALLOWED))
def test_what_a_function_needs_is_allowed(
    functions: Functions, function: str, call: str, parameters: dict[str, Any]
) -> None:
    assert functions.is_allowed(function, call, parameters)


@pytest.mark.parametrize(("function", "call", "parameters"), rows(DENIED))
def test_what_a_function_must_not_be_able_to_do_is_denied(
    functions: Functions, function: str, call: str, parameters: dict[str, Any]
) -> None:
    assert not functions.is_allowed(function, call, parameters)


@pytest.mark.parametrize("function", [GATE, RETRY, BOARD])
def test_no_policy_names_an_action_that_nobody_needs(function: str) -> None:
    named = [
        action
        for statement in policy_of(function)["Statement"]
        for action in _listed(statement["Action"])
    ]
    assert sorted(named) == sorted({call for call, _ in ALLOWED[function]})


@pytest.mark.parametrize("stage", ["dev", "prod", "sandbox"])
def test_every_stage_has_the_same_policies(stage: str) -> None:
    stages = json.loads((CHALICE / "config.json").read_text())["stages"]
    assert stages[stage]["lambda_functions"] == stages[STAGE]["lambda_functions"]


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
