"""The two ways out of CodePipeline: an event on the default bus, a Lambda function invoked."""

from __future__ import annotations

from typing import Any

from sandbox import awslambda, eventbridge, iam
from sandbox.world import current_world


def send_event(
    account_id: str, region: str, *, detail_type: str, detail: dict[str, Any], pipeline_arn: str
) -> None:
    """Send one of CodePipeline's own events to the account's default bus."""
    eventbridge.send_event(
        account_id,
        region,
        source="aws.codepipeline",
        detail_type=detail_type,
        detail=detail,
        resources=[pipeline_arn],
    )


def invoke_function(account_id: str, region: str, function: str, payload: str) -> None:
    """Invoke a Lambda function asynchronously with `payload` (JSON text). LookupError if it does
    not exist.
    """
    awslambda.invoke_async(
        account_id, region, function, payload, service="codepipeline.amazonaws.com"
    )


def may_invoke(role: str, account_id: str, region: str, function: str) -> bool:
    """Whether `role` (an ARN) may invoke a function (a name or an ARN). CodePipeline acts with this
    role (guide: action-reference-Lambda).
    """
    arn = (
        function
        if function.startswith("arn:")
        else f"arn:{role.split(':')[1]}:lambda:{region}:{account_id}:function:{function}"
    )
    return not current_world().dials.enforce_iam or iam.role_allows(
        role, "lambda:InvokeFunction", arn
    )
