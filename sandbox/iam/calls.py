"""Which action on which resource an API call is, and the condition keys that it brings.

SOURCE of every line: the service authorization reference (guide:
reference_policies_actions-resources-contextkeys), with its ARN formats; "(practice)" marks what
only AWS's own error messages show. A call that is not here asks for its action on "*".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.iam.policy import Request
from sandbox.iam.wildcards import Context

Parameters = Mapping[str, Any]
"""The call's parameters by their names in the service's model."""

_RULE, _RULE_OF_TARGETS = "rule/{bus/}{Name}", "rule/{bus/}{Rule}"
_GROUP = "log-group:{logGroupName}:log-stream:"  # (practice: "... on resource: arn:aws:logs:...:log-group:NAME:log-stream:")
_STREAM = "log-group:{logGroupName}:log-stream:{logStreamName}"

RESOURCES: Mapping[str, Mapping[str, str]] = {
    "codepipeline": {
        "CreatePipeline": "{pipeline.name}",
        "UpdatePipeline": "{pipeline.name}",
        "GetPipeline": "{name}",
        "GetPipelineState": "{name}",
        "DeletePipeline": "{name}",
        "StartPipelineExecution": "{name}",
        "StopPipelineExecution": "{pipelineName}",
        "GetPipelineExecution": "{pipelineName}",
        "ListPipelineExecutions": "{pipelineName}",
        "ListActionExecutions": "{pipelineName}",
        "ListRuleExecutions": "{pipelineName}",
        "ListDeployActionExecutionTargets": "{pipelineName}",
        "RetryStageExecution": "{pipelineName}/{stageName}",
        "RollbackStage": "{pipelineName}/{stageName}",
        "OverrideStageCondition": "{pipelineName}/{stageName}",
        "DisableStageTransition": "{pipelineName}/{stageName}",
        "EnableStageTransition": "{pipelineName}/{stageName}",
        "PutApprovalResult": "{pipelineName}/{stageName}/{actionName}",
        "PutActionRevision": "{pipelineName}/{stageName}/{actionName}",
        "ListTagsForResource": "{resourceArn}",
        "TagResource": "{resourceArn}",
        "UntagResource": "{resourceArn}",
    },
    "events": {
        "PutRule": _RULE,
        "DeleteRule": _RULE,
        "DescribeRule": _RULE,
        "EnableRule": _RULE,
        "DisableRule": _RULE,
        "PutTargets": _RULE_OF_TARGETS,
        "RemoveTargets": _RULE_OF_TARGETS,
        "ListTargetsByRule": _RULE_OF_TARGETS,
        "CreateEventBus": "event-bus/{Name}",
        "DeleteEventBus": "event-bus/{Name}",
        "ListTagsForResource": "{ResourceARN}",
        "TagResource": "{ResourceARN}",
        "UntagResource": "{ResourceARN}",
    },
    "logs": {
        "CreateLogGroup": _GROUP,
        "DeleteLogGroup": _GROUP,
        "DescribeLogStreams": _GROUP,
        "FilterLogEvents": _GROUP,
        "StartQuery": _GROUP,
        "PutRetentionPolicy": _GROUP,
        "DeleteRetentionPolicy": _GROUP,
        "PutSubscriptionFilter": _GROUP,
        "DeleteSubscriptionFilter": _GROUP,
        "CreateLogStream": _STREAM,
        "DeleteLogStream": _STREAM,
        "PutLogEvents": _STREAM,
        "GetLogEvents": _STREAM,
    },
    "lambda": {
        "ListTags": "{Resource}",
        "TagResource": "{Resource}",
        "UntagResource": "{Resource}",
    },
    "sts": {"AssumeRole": "{RoleArn}"},
}
"""The part of the ARN after the account, or the whole ARN; {x.y} is the call's parameter, {bus/}
nothing on the default event bus.
"""

NO_FUNCTION = {"CreateEventSourceMapping", "UpdateEventSourceMapping", "ListEventSourceMappings"}
"""Lambda's calls that have a FunctionName and yet no function as their resource; all others that
have one ask for that function.
"""

ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "lambda:GetLayerVersion",
}
"""Calls whose action has another name than the operation."""

FREE = {("sts", "GetCallerIdentity")}
"""Needs no permission, and no policy can deny it (model: GetCallerIdentity)."""


@dataclass(frozen=True)
class Place:
    """Where a call is made."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        return (
            resource
            if resource.startswith("arn:")
            else f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"
        )


def requests_of(
    service: str, operation: str, parameters: Parameters, place: Place
) -> list[Request]:
    """All that a call needs to be allowed. `service` is the name in the signature, which is the
    prefix of its actions too.
    """
    if (service, operation) in FREE:
        return []
    action = ACTIONS.get((service, operation), f"{service}:{operation}")
    context = dict(_context(service, operation, parameters))
    asked = [Request(action, place.arn(service, resource) if resource != "*" else "*", context)
             for resource in _resources(service, operation, parameters)]  # fmt: skip
    passed = {"iam:passedtoservice": (f"{service}.amazonaws.com",)}
    return asked + [
        Request("iam:PassRole", role, passed)
        for role in _passed_roles(service, operation, parameters)
    ]


def _resources(service: str, operation: str, parameters: Parameters) -> list[str]:
    if (service, operation) == ("events", "PutEvents"):
        return sorted(
            {f"event-bus/{_bus(entry) or 'default'}" for entry in parameters.get("Entries", ())}
        )
    if (service, operation) == ("events", "DescribeEventBus"):
        return [f"event-bus/{_name(parameters.get('Name', 'default'))}"]
    if service == "lambda" and parameters.get("FunctionName") and operation not in NO_FUNCTION:
        return [_function(parameters)]
    template = RESOURCES.get(service, {}).get(operation, "*")
    return [re.sub(r"\{([\w./]+)\}", lambda match: _filled(match[1], parameters), template)]


def _filled(path: str, parameters: Parameters) -> str:
    if path == "bus/":
        bus = _bus(parameters)
        return f"{bus}/" if bus else ""
    value: Any = parameters
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, Mapping) else ""
    return str(value)


def _bus(parameters: Parameters) -> str:
    """The event bus's name, "" for the default one (also where it is given by its ARN)."""
    name = _name(parameters.get("EventBusName") or "default")
    return "" if name == "default" else name


def _name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _function(parameters: Parameters) -> str:
    """function:NAME, or function:NAME:QUALIFIER; FunctionName may be a name, ACCOUNT:function:NAME
    or an ARN (model: FunctionName).
    """
    given = str(parameters["FunctionName"])
    qualifier = f":{parameters['Qualifier']}" if parameters.get("Qualifier") else ""
    if given.startswith("arn:"):
        return given + qualifier
    return f"function:{given.rpartition('function:')[2]}{qualifier}"


def _passed_roles(service: str, operation: str, parameters: Parameters) -> list[str]:
    """The roles that the call hands to the service, each of which needs iam:PassRole (guide:
    id_roles_use_passrole).
    """
    match service, operation:
        case "codepipeline", "CreatePipeline" | "UpdatePipeline":
            pipeline = parameters.get("pipeline", {})
            actions = [
                action
                for stage in pipeline.get("stages", ())
                for action in stage.get("actions", ())
            ]
            roles = [pipeline.get("roleArn"), *(action.get("roleArn") for action in actions)]
        case "lambda", "CreateFunction" | "UpdateFunctionConfiguration":
            roles = [parameters.get("Role")]
        case "events", "PutRule":
            roles = [parameters.get("RoleArn")]
        case "events", "PutTargets":
            roles = [target.get("RoleArn") for target in parameters.get("Targets", ())]
        case _:
            roles = []
    return [role for role in roles if role]


def _context(
    service: str, operation: str, parameters: Parameters
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The service's own condition keys, in small letters."""
    match service, operation:
        case "lambda", "AddPermission":
            yield from _given(
                {
                    "lambda:principal": "Principal",
                    "lambda:functionurlauthtype": "FunctionUrlAuthType",
                },
                parameters,
            )
        case "sts", "AssumeRole":
            yield from _given(
                {"sts:rolesessionname": "RoleSessionName", "sts:externalid": "ExternalId"},
                parameters,
            )
        case "events", "PutTargets":
            yield (
                "events:targetarn",
                tuple(target.get("Arn", "") for target in parameters.get("Targets", ())),
            )
        case "events", "PutEvents":
            entries = parameters.get("Entries", ())
            yield "events:source", tuple(sorted({entry.get("Source", "") for entry in entries}))
            yield (
                "events:detail-type",
                tuple(sorted({entry.get("DetailType", "") for entry in entries})),
            )
        case "events", "PutRule":
            pattern = json.loads(parameters.get("EventPattern") or "{}")
            for field in ("source", "detail-type"):
                values = pattern.get(field, ())
                yield f"events:{field}", tuple(value for value in values if isinstance(value, str))


def _given(
    keys: Mapping[str, str], parameters: Parameters
) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((key, (str(parameters[name]),)) for key, name in keys.items() if parameters.get(name))


def caller_context(place: Place, role_arn: str, user_id: str) -> Context:
    """The global condition keys of a call by a role's session (guide:
    reference_policies_condition-keys).
    """
    return {
        "aws:principalarn": (role_arn,),
        "aws:principalaccount": (place.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:userid": (user_id,),
        "aws:requestedregion": (place.region,),
        "aws:securetransport": ("true",),  # as it is on AWS, whatever the sandbox's endpoint
    }
