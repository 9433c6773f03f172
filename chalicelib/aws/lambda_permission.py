"""Lambda: the permission to invoke the retry function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import is_aws_error, translate_error

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

STATEMENT = "pipeline-gate-rules"
"""The id of the statement in the retry function's resource policy."""


class LambdaPermissions:
    """The resource policies of Lambda functions.

    Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer.
    """

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def allow_rules(self, function: str, rules: str) -> None:
        """Allow EventBridge rules to invoke a function, unless they already may.

        `rules`: a pattern that the ARN of a rule has to match. One statement is enough for every
        rule made later, because SourceArn is compared with StringLike (model: AddPermission).
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
            if is_aws_error(error, "ResourceConflictException"):
                return  # the function already has the statement (model: AddPermission)
            raise translate_error(error, "lambda:AddPermission") from error
