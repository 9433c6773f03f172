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

from sandbox.iam.policy import PolicyRequest
from sandbox.iam.wildcards import Context

Parameters = Mapping[str, Any]
"""The call's parameters by their names in the service's model."""

_RULE, _RULE_OF_TARGETS = "rule/{bus/}{Name}", "rule/{bus/}{Rule}"
_GROUP = "log-group:{logGroupName}:log-stream:"
# (practice: "... on resource: arn:aws:logs:...:log-group:NAME:log-stream:")
_STREAM = "log-group:{logGroupName}:log-stream:{logStreamName}"
_ROLE = "role/{RoleName}"

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
    "iam": {
        "CreateRole": _ROLE,
        "GetRole": _ROLE,
        "DeleteRole": _ROLE,
        "PutRolePolicy": _ROLE,
        "GetRolePolicy": _ROLE,
        "ListRolePolicies": _ROLE,
        "DeleteRolePolicy": _ROLE,
    },
    "lambda": {
        "ListTags": "{Resource}",
        "TagResource": "{Resource}",
        "UntagResource": "{Resource}",
    },
    "sts": {"AssumeRole": "{RoleArn}"},
}
"""The part of the ARN after the account, or the whole ARN. {x.y} is a parameter of the call; {bus/}
is empty for the default event bus.
"""

CALLS_WITHOUT_FUNCTION = {
    "CreateEventSourceMapping",
    "UpdateEventSourceMapping",
    "ListEventSourceMappings",
}
"""Lambda's calls that have a FunctionName but no function as their resource. All others with a
FunctionName ask for that function.
"""

ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "lambda:GetLayerVersion",
}
"""Calls whose action is not named like the operation."""

UNPROTECTED_CALLS = {("sts", "GetCallerIdentity")}
"""Calls that need no permission and that no policy can deny (model: GetCallerIdentity)."""


@dataclass(frozen=True)
class CallLocation:
    """The place in which a call is made."""

    partition: str
    region: str
    account: str

    def build_arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this place. "*" and what is an ARN already stay as they are."""
        if resource == "*" or resource.startswith("arn:"):
            return resource
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


def list_requests(
    service: str, operation: str, parameters: Parameters, location: CallLocation
) -> list[PolicyRequest]:
    """Every permission that a call needs. `service` is the name in the signature, which is also the
    prefix of its actions.
    """
    if (service, operation) in UNPROTECTED_CALLS:
        return []
    action = ACTIONS.get((service, operation), f"{service}:{operation}")
    context = dict(_build_context(service, operation, parameters))
    requests = [
        PolicyRequest(action, location.build_arn(service, resource), context)
        for resource in _list_resources(service, operation, parameters)
    ]
    passed = {"iam:passedtoservice": (f"{service}.amazonaws.com",)}
    return requests + [
        PolicyRequest("iam:PassRole", role, passed)
        for role in _list_passed_roles(service, operation, parameters)
    ]


def _list_resources(service: str, operation: str, parameters: Parameters) -> list[str]:
    if (service, operation) == ("events", "PutEvents"):
        return sorted(
            {
                f"event-bus/{_find_bus(entry) or 'default'}"
                for entry in parameters.get("Entries", ())
            }
        )
    if (service, operation) == ("events", "DescribeEventBus"):
        return [f"event-bus/{_strip_arn(parameters.get('Name', 'default'))}"]
    if (
        service == "lambda"
        and parameters.get("FunctionName")
        and operation not in CALLS_WITHOUT_FUNCTION
    ):
        return [_name_function(parameters)]
    template = RESOURCES.get(service, {}).get(operation, "*")
    return [
        re.sub(r"\{([\w./]+)\}", lambda match: _fill_placeholder(match[1], parameters), template)
    ]


def _fill_placeholder(path: str, parameters: Parameters) -> str:
    if path == "bus/":
        bus = _find_bus(parameters)
        return f"{bus}/" if bus else ""
    value: Any = parameters
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, Mapping) else ""
    return str(value)


def _find_bus(parameters: Parameters) -> str:
    """The event bus's name, "" for the default one (also if the call gives its ARN)."""
    name = _strip_arn(parameters.get("EventBusName") or "default")
    return "" if name == "default" else name


def _strip_arn(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _name_function(parameters: Parameters) -> str:
    """function:NAME, or function:NAME:QUALIFIER; FunctionName may be a name, ACCOUNT:function:NAME
    or an ARN (model: FunctionName).
    """
    name_or_arn = str(parameters["FunctionName"])
    qualifier = f":{parameters['Qualifier']}" if parameters.get("Qualifier") else ""
    if name_or_arn.startswith("arn:"):
        return name_or_arn + qualifier
    return f"function:{name_or_arn.rpartition('function:')[2]}{qualifier}"


def _list_passed_roles(service: str, operation: str, parameters: Parameters) -> list[str]:
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


def _build_context(
    service: str, operation: str, parameters: Parameters
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The service's own condition keys, in small letters."""
    match service, operation:
        case "lambda", "AddPermission":
            yield from _read_context(
                {
                    "lambda:principal": "Principal",
                    "lambda:functionurlauthtype": "FunctionUrlAuthType",
                },
                parameters,
            )
        case "sts", "AssumeRole":
            yield from _read_context(
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


def _read_context(
    keys: Mapping[str, str], parameters: Parameters
) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((key, (str(parameters[name]),)) for key, name in keys.items() if parameters.get(name))


def build_caller_context(location: CallLocation, role_arn: str, user_id: str) -> Context:
    """The global condition keys of a call by a role's session (guide:
    reference_policies_condition-keys).
    """
    return {
        "aws:principalarn": (role_arn,),
        "aws:principalaccount": (location.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:userid": (user_id,),
        "aws:requestedregion": (location.region,),
        "aws:securetransport": ("true",),  # as it is on AWS, whatever the sandbox's endpoint
    }
