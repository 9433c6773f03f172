"""The two ways out of CodePipeline: an event on the default bus, a Lambda function invoked.
Imported late: those services know this one.
"""

from __future__ import annotations

from typing import Any

from sandbox.world import current


def send_event(
    account_id: str, region: str, *, detail_type: str, detail: dict[str, Any], pipeline_arn: str
) -> None:
    """Send one of CodePipeline's own events to the account's default bus."""
    from sandbox import eventbridge  # noqa: PLC0415

    eventbridge.send(
        account_id,
        region,
        source="aws.codepipeline",
        detail_type=detail_type,
        detail=detail,
        resources=[pipeline_arn],
    )


def invoke_function(account_id: str, region: str, function: str, payload: str) -> None:
    """Invoke a Lambda function asynchronously with `payload` (JSON text). LookupError where it does
    not exist.
    """
    from sandbox import awslambda  # noqa: PLC0415

    awslambda.invoke_async(
        account_id, region, function, payload, service="codepipeline.amazonaws.com"
    )


def may_invoke(role: str, account_id: str, region: str, function: str) -> bool:
    """Whether `role` (an ARN) may invoke a function, named or by its ARN: CodePipeline acts with it
    (guide: action-reference-Lambda).
    """
    from sandbox import iam  # noqa: PLC0415

    arn = (
        function
        if function.startswith("arn:")
        else f"arn:{role.split(':')[1]}:lambda:{region}:{account_id}:function:{function}"
    )
    return not current().dials.enforce_iam or iam.role_allows(role, "lambda:InvokeFunction", arn)
