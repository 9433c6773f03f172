"""The two ways out of CodePipeline: an event on the default bus, a Lambda function invoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import awslambda, eventbridge, iam
from sandbox.executor import RunOutcome
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


def invoke_function(
    account_id: str,
    region: str,
    function: str,
    payload: str,
    on_end: Callable[[RunOutcome], None],
) -> None:
    """Invoke a Lambda function asynchronously with `payload` (JSON text). LookupError if it does
    not exist. `on_end` is called after each of its runs.
    """
    awslambda.invoke_async(
        account_id,
        region,
        function,
        payload,
        service="codepipeline.amazonaws.com",
        on_end=lambda run: on_end(run.outcome),
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
