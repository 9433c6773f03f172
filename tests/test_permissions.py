"""What the functions can do in an AWS account with the policies that a deployment gives them, and
what they cannot do.
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


def permission(function: str, principal: str = "events.amazonaws.com") -> dict[str, str]:
    return {
        "FunctionName": function,
        "StatementId": "rules",
        "Action": "lambda:InvokeFunction",
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

LIST_EXECUTIONS = ("codepipeline:ListPipelineExecutions", {"pipelineName": "infra"})
GET_STATE = ("codepipeline:GetPipelineState", {"name": "infra"})
GET_PIPELINE = ("codepipeline:GetPipeline", {"name": "k8s"})
GET_EXECUTION = (
    "codepipeline:GetPipelineExecution",
    {"pipelineName": "k8s", "pipelineExecutionId": EXECUTION},
)
LIST_ACTIONS = ("codepipeline:ListActionExecutions", {"pipelineName": "k8s"})
LIST_CONDITIONS = ("codepipeline:ListRuleExecutions", {"pipelineName": "k8s"})
LIST_RULES = ("events:ListRules", {"NamePrefix": HOLD})
LIST_TARGETS = ("events:ListTargetsByRule", {"Rule": HOLD})


def write_logs(function: str) -> list[tuple[str, dict[str, Any]]]:
    stream = {"logGroupName": f"/aws/lambda/{function}", "logStreamName": "stream"}
    return [("logs:CreateLogStream", stream), ("logs:PutLogEvents", log_lines(function))]


ALLOWED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    GATE: [
        LIST_EXECUTIONS,
        GET_EXECUTION,
        GET_STATE,
        LIST_ACTIONS,
        LIST_CONDITIONS,
        ("sts:AssumeRole", elsewhere("gate")),
        ("codepipeline:GetJobDetails", {"jobId": JOB}),
        ("codepipeline:PutJobSuccessResult", {"jobId": JOB}),
        (
            "codepipeline:PutJobFailureResult",
            {"jobId": JOB, "failureDetails": {"type": "JobFailed", "message": "x"}},
        ),
        ("events:PutRule", rule(HOLD, EventPattern='{"source": ["aws.codepipeline"]}')),
        ("events:PutTargets", targets(HOLD)),
        LIST_TARGETS,
        ("events:PutEvents", OWN_EVENTS),
        ("lambda:AddPermission", permission(RETRY)),
        ("lambda:AddPermission", permission(arn(RETRY))),
        *write_logs(GATE),
    ],
    RETRY: [
        LIST_EXECUTIONS,
        LIST_ACTIONS,
        GET_EXECUTION,
        LIST_CONDITIONS,
        GET_PIPELINE,
        GET_STATE,
        ("sts:AssumeRole", elsewhere("retry")),
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}),
        ("codepipeline:RetryStageExecution", RETRY_STAGE),
        ("events:PutEvents", OWN_EVENTS),
        LIST_RULES,
        ("events:ListRuleNamesByTarget", {"TargetArn": arn(RETRY)}),
        LIST_TARGETS,
        ("events:PutTargets", targets(HOLD)),
        ("events:RemoveTargets", {"Rule": HOLD, "Ids": ["retry"]}),
        ("events:DeleteRule", {"Name": HOLD}),
        *write_logs(RETRY),
    ],
    BOARD: [
        ("codepipeline:ListPipelines", {}),
        GET_PIPELINE,
        LIST_EXECUTIONS,
        GET_STATE,
        LIST_ACTIONS,
        LIST_CONDITIONS,
        LIST_RULES,
        LIST_TARGETS,
        ("logs:CreateLogGroup", {"logGroupName": f"/aws/lambda/{BOARD}"}),
        *write_logs(BOARD),
    ],
}
"""All that each function needs."""

DENIED_TO_ALL: list[tuple[str, dict[str, Any]]] = [
    # rules of others, other targets, other buses, other senders
    ("events:PutRule", rule("others-rule")),
    ("events:PutRule", rule(f"x-{HOLD}")),
    ("events:PutRule", rule(HOLD, EventBusName="other-bus")),
    ("events:PutRule", rule(HOLD, RoleArn=PIPELINES_ROLE)),
    ("events:PutTargets", targets("others-rule")),
    ("events:PutTargets", targets(HOLD, OTHER)),
    ("events:PutTargets", targets(HOLD, RoleArn=PIPELINES_ROLE)),
    ("events:RemoveTargets", {"Rule": "others-rule", "Ids": ["1"]}),
    ("events:DeleteRule", {"Name": "others-rule"}),
    ("events:ListTargetsByRule", {"Rule": "others-rule"}),
    ("events:PutEvents", {"Entries": [{"Source": "x", "DetailType": "x", "Detail": "{}"}]}),
    # other functions, and others that could invoke the retry
    ("lambda:AddPermission", permission(GATE)),
    ("lambda:AddPermission", permission(OTHER)),
    ("lambda:AddPermission", permission(RETRY, principal=ACCOUNT)),
    ("lambda:AddPermission", permission(RETRY, principal="*")),
    ("lambda:AddPermission", permission(RETRY, principal="sns.amazonaws.com")),
    # logs of others, and roles that are not made for the gate
    ("logs:CreateLogGroup", {"logGroupName": f"/aws/lambda/{OTHER}"}),
    ("logs:CreateLogStream", {"logGroupName": f"/aws/lambda/{OTHER}", "logStreamName": "stream"}),
    ("logs:PutLogEvents", log_lines(OTHER)),
    ("sts:AssumeRole", {"RoleArn": PIPELINES_ROLE, "RoleSessionName": "more"}),
    # what no policy names: examples, the exact list is compared below
    ("codepipeline:StopPipelineExecution", {"pipelineName": "k8s", "pipelineExecutionId": "x"}),
    ("lambda:Invoke", {"FunctionName": RETRY}),
    ("s3:ListBuckets", {}),
]
DENIED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    GATE: [
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}),
        *write_logs(RETRY),
        *write_logs(BOARD),
        *DENIED_TO_ALL,
    ],
    RETRY: [
        ("events:PutRule", rule(HOLD)),
        *write_logs(GATE),
        *write_logs(BOARD),
        *DENIED_TO_ALL,
    ],
    BOARD: [
        ("events:PutRule", rule(HOLD)),
        *write_logs(GATE),
        *write_logs(RETRY),
        ("logs:CreateLogGroup", {"logGroupName": f"/aws/lambda/{GATE}"}),
        *DENIED_TO_ALL,
    ],
}
"""What neither a bug nor an attacker in control of the function can do: above all, an action that a
policy names, with another resource or under other conditions. The test at the end checks that a
policy names no further action.
"""


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
        """Whether AWS allows a call, or refuses it for another reason than a missing permission."""
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
                raise  # the policies were not evaluated
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
    functions = json.loads((CHALICE / "config.json").read_text())["lambda_functions"]
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
def test_every_action_that_a_policy_names_is_needed(function: str) -> None:
    named = [
        action
        for statement in policy_of(function)["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
    ]
    assert sorted(named) == sorted({call for call, _ in ALLOWED[function]})


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
