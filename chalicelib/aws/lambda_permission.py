"""Lambda, in the gate's own words: who may invoke the retry function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import error_code, translate_error

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

STATEMENT = "pipeline-gate-rules"


class LambdaPermissions:
    """Every method raises NotPermitted or NoAnswer where AWS denies or does not answer its call."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def allow_rules(self, function: str, rules: str) -> None:
        """Let EventBridge rules whose ARN matches the pattern `rules` invoke `function`, if they
        may not yet.

        EventBridge compares SourceArn with StringLike, so one statement covers every rule made
        later (model: AddPermission).
        """
        try:
            self._client.add_permission(
                FunctionName=function,
                StatementId=STATEMENT,
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=rules,
            )
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "ResourceConflictException":
                return  # the statement is there already (model: AddPermission)
            raise translate_error(error, "lambda:AddPermission") from error
