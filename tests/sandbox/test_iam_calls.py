"""Which action on which resource an API call is: examples, and a comparison with AWS's own list."""

from __future__ import annotations

import importlib
import re
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from sandbox.iam.calls import ACTIONS, RESOURCES, CallLocation, list_requests

PLACE = CallLocation("aws", "eu-central-1", "123456789012")
HERE = "eu-central-1:123456789012"
FUNCTION = f"arn:aws:lambda:{HERE}:function:gate"
ROLE = "arn:aws:iam::123456789012:role/pipelines"


def list_needed(call: str, **parameters: Any) -> list[tuple[str, str]]:
    service, operation = call.split(":")
    return [
        (request.action, request.resource)
        for request in list_requests(service, operation, parameters, PLACE)
    ]


OWN_BUS = f"arn:aws:events:{HERE}:event-bus/own"
STAGE = {"pipelineName": "k8s", "stageName": "Gate"}


@pytest.mark.parametrize(
    ("call", "parameters", "resource"),
    [
        ("codepipeline:StartPipelineExecution", {"name": "k8s"}, "k8s"),
        ("codepipeline:ListPipelineExecutions", {"pipelineName": "k8s"}, "k8s"),
        ("codepipeline:UpdatePipeline", {"pipeline": {"name": "k8s"}}, "k8s"),
        ("codepipeline:RetryStageExecution", STAGE, "k8s/Gate"),
        ("codepipeline:PutApprovalResult", {**STAGE, "actionName": "Ask"}, "k8s/Gate/Ask"),
        ("codepipeline:PutJobSuccessResult", {"jobId": "1"}, "*"),
        ("codepipeline:ListPipelines", {}, "*"),
        ("events:PutRule", {"Name": "hold"}, "rule/hold"),
        ("events:PutRule", {"Name": "hold", "EventBusName": "default"}, "rule/hold"),
        ("events:PutRule", {"Name": "hold", "EventBusName": "own"}, "rule/own/hold"),
        ("events:PutTargets", {"Rule": "hold", "EventBusName": OWN_BUS}, "rule/own/hold"),
        ("events:ListTargetsByRule", {"Rule": "hold"}, "rule/hold"),
        ("events:ListRules", {"NamePrefix": "hold"}, "*"),
        ("events:DescribeEventBus", {}, "event-bus/default"),
        ("lambda:AddPermission", {"FunctionName": "gate"}, "function:gate"),
        ("lambda:AddPermission", {"FunctionName": "gate", "Qualifier": "a"}, "function:gate:a"),
        ("lambda:AddPermission", {"FunctionName": "gate:live"}, "function:gate:live"),
        ("lambda:GetPolicy", {"FunctionName": FUNCTION}, "function:gate"),
        ("lambda:GetPolicy", {"FunctionName": "123456789012:function:gate"}, "function:gate"),
        ("lambda:ListFunctions", {}, "*"),
        (
            "logs:PutLogEvents",
            {"logGroupName": "/a", "logStreamName": "s"},
            "log-group:/a:log-stream:s",
        ),
        ("logs:CreateLogGroup", {"logGroupName": "/a"}, "log-group:/a:log-stream:"),
        ("sts:AssumeRole", {"RoleArn": ROLE}, ROLE),
        ("dynamodb:GetItem", {"TableName": "t"}, "*"),
    ],
)
def test_the_resource_of_a_call(call: str, parameters: dict[str, Any], resource: str) -> None:
    """`resource` is an ARN from its service's own part on."""
    prefix = "" if resource in ("*", ROLE) else f"arn:aws:{call.partition(':')[0]}:{HERE}:"
    assert list_needed(call, **parameters) == [(call, prefix + resource)]


def test_invoke_is_the_action_invoke_function() -> None:
    assert list_needed("lambda:Invoke", FunctionName="gate") == [
        ("lambda:InvokeFunction", FUNCTION)
    ]


def test_put_events_asks_for_each_bus_once() -> None:
    entries = [
        {"Source": "a"},
        {"Source": "b", "EventBusName": "own"},
        {"Source": "c", "EventBusName": "default"},
    ]
    buses = [f"arn:aws:events:{HERE}:event-bus/{name}" for name in ("default", "own")]
    assert list_needed("events:PutEvents", Entries=entries) == [
        ("events:PutEvents", bus) for bus in buses
    ]


def test_get_caller_identity_needs_nothing() -> None:
    assert list_needed("sts:GetCallerIdentity") == []


TARGET = {"Id": "1", "Arn": FUNCTION}
GATED = {"actions": [{"name": "a"}, {"roleArn": ROLE}]}


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("codepipeline:CreatePipeline", {"pipeline": {"name": "k8s", "roleArn": ROLE}}),
        ("codepipeline:UpdatePipeline", {"pipeline": {"name": "k8s", "stages": [GATED]}}),
        ("lambda:CreateFunction", {"FunctionName": "gate", "Role": ROLE}),
        ("lambda:UpdateFunctionConfiguration", {"FunctionName": "gate", "Role": ROLE}),
        ("events:PutRule", {"Name": "hold", "RoleArn": ROLE}),
        ("events:PutTargets", {"Rule": "hold", "Targets": [TARGET, {**TARGET, "RoleArn": ROLE}]}),
    ],
)
def test_handing_a_role_to_a_service_needs_pass_role(call: str, parameters: dict[str, Any]) -> None:
    service, operation = call.split(":")
    request, passed = list_requests(service, operation, parameters, PLACE)
    assert request.action == call
    assert (passed.action, passed.resource) == ("iam:PassRole", ROLE)
    assert passed.context == {"iam:passedtoservice": (f"{service}.amazonaws.com",)}


@pytest.mark.parametrize(
    ("call", "parameters", "context"),
    [
        (
            "lambda:AddPermission",
            {"FunctionName": "gate", "Principal": "*", "FunctionUrlAuthType": "NONE"},
            {"lambda:principal": ("*",), "lambda:functionurlauthtype": ("NONE",)},
        ),
        (
            "events:PutTargets",
            {"Rule": "hold", "Targets": [{"Arn": "a"}, {"Arn": "b"}]},
            {"events:targetarn": ("a", "b")},
        ),
        (
            "events:PutRule",
            {"Name": "hold", "EventPattern": '{"source": ["aws.codepipeline", {"prefix": "x"}]}'},
            {"events:source": ("aws.codepipeline",), "events:detail-type": ()},
        ),
        (
            "sts:AssumeRole",
            {"RoleArn": ROLE, "RoleSessionName": "me", "ExternalId": "7"},
            {"sts:rolesessionname": ("me",), "sts:externalid": ("7",)},
        ),
    ],
)
def test_condition_keys_of_a_call(
    call: str, parameters: dict[str, Any], context: dict[str, tuple[str, ...]]
) -> None:
    service, operation = call.split(":")
    assert list_requests(service, operation, parameters, PLACE)[0].context == context


# The service authorization reference, as the policy linter brings it along.
REFERENCE = {
    service["prefix"]: service
    for service in importlib.import_module("parliament").iam_definition
    if service["prefix"] in RESOURCES and service["privileges"]
}
MODELS = {
    service: botocore.session.get_session().get_service_model(service) for service in REFERENCE
}
KINDS = {
    "codepipeline": {"pipeline", "stage", "action"},
    "events": {"rule-on-default-event-bus", "rule-on-custom-event-bus", "event-bus"},
    "iam": {"role"},
    "lambda": {"function", "function alias", "function version"},
    "logs": {"log-group", "log-stream"},
    "sts": {"role"},
}
"""The kinds of resource that the sandbox knows."""
UNKNOWN = {
    "codepipeline:PutWebhook",
    "events:CreateArchive",
    "events:StartReplay",
    "events:UpdateEventBus",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    *(
        f"{service}:{operation}"
        for service in ("iam", "logs")
        for operation in MODELS[service].operation_names
        if operation not in RESOURCES[service]
    ),
}
"""Calls on such resources that the sandbox does not narrow: they require "*", so only a policy for
every resource allows them.
"""
BY_ARN = {"TagResource", "UntagResource", "ListTagsForResource", "ListTags"}
"""These name their resource, of whatever kind, by its ARN."""


def _operations() -> list[tuple[str, str, set[str]]]:
    """Service, operation, and the formats of its resource's ARN, of the known kinds, by the
    reference.
    """
    operations = []
    for service, reference in REFERENCE.items():
        formats = {kind["resource"].lower(): kind["arn"] for kind in reference["resources"]}
        kinds = {
            privilege["privilege"]: {
                kind["resource_type"].rstrip("*").lower() for kind in privilege["resource_types"]
            }
            for privilege in reference["privileges"]
        }
        for operation in MODELS[service].operation_names:
            action = ACTIONS.get((service, operation), f"{service}:{operation}").partition(":")[2]
            if action in kinds:
                operations.append(
                    (service, operation, {formats[kind] for kind in kinds[action] & KINDS[service]})
                )
    return operations


OPERATIONS = _operations()


@pytest.mark.parametrize(
    ("service", "operation", "formats"),
    [row for row in OPERATIONS if row[1] not in BY_ARN and f"{row[0]}:{row[1]}" not in UNKNOWN],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_call_asks_for_a_resource_of_the_kind_that_the_reference_names(
    service: str, operation: str, formats: set[str]
) -> None:
    shape = MODELS[service].operation_model(operation).input_shape
    request = next(
        iter(list_requests(service, operation, _filled(shape) if shape else {}, PLACE)), None
    )
    resource = request.resource if request else "*"
    assert (
        resource == "*"
        if not formats
        else any(re.fullmatch(_pattern(arn_format), resource) for arn_format in formats)
    ), (resource, formats)


def test_the_reference_was_read() -> None:
    assert (
        {service for service, _, formats in OPERATIONS if formats} == set(KINDS) == set(RESOURCES)
    )


def test_every_call_in_the_table_exists() -> None:
    checked = {(service, operation) for service, operation, _ in OPERATIONS}
    assert {
        (service, operation)
        for service, operations in RESOURCES.items()
        for operation in operations
    } <= checked


def _pattern(arn_format: str) -> str:
    """The ARN that the names of parameters make, with what a function's or a log group's may have
    behind it.
    """
    return re.sub(r"\$\{\w+\}", "[^/:]+", arn_format) + "(:Qualifier|:log-stream:)?"


def _filled(shape: Shape, name: str = "") -> Any:
    """Parameters in which every text is its own name, but for those that have to be more."""
    if isinstance(shape, StructureShape):
        return {member: _filled(inner, member) for member, inner in shape.members.items()}
    if isinstance(shape, ListShape):
        return [_filled(shape.member, name)]
    if isinstance(shape, MapShape):
        return {}
    return (
        {"EventPattern": "{}", "RoleArn": ROLE}.get(name, name)
        if shape.type_name == "string"
        else 1
    )
