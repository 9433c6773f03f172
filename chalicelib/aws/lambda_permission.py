"""Lambda: the permission to invoke the retry function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, read_error_code, read_error_message, translate_error

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

STATEMENT = "pipeline-gate-rules"
"""The id of the statement in the retry function's resource policy."""
CONFLICT = "ResourceConflictException"
MAX_ATTEMPTS = 4
PAUSE_SECONDS = 5
"""An update of a function takes some seconds (practice). If it takes longer, Lambda invokes the
gate again about a minute later.
"""


class LambdaPermissions:
    """The resource policies of Lambda functions.

    Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer.
    """

    def __init__(self, client: LambdaClient) -> None:
        self._client = client
        self.allowed: set[tuple[str, str]] = set()
        """The functions and rules of `allow_rules`. A Lambda runtime does not repeat the call,
        because the account's functions share a quota of 15 such calls per second (guide:
        gettingstarted-limits).
        """

    def allow_rules(self, function: str, rules: str) -> None:
        """Allow EventBridge rules to invoke a function, unless they already may.

        `rules`: a pattern that the ARN of a rule has to match. One statement is enough for every
        rule made later, because SourceArn is compared with StringLike (model: AddPermission).
        """
        if (function, rules) in self.allowed:
            return
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS)
            if self._add_statement(function, rules):
                self.allowed.add((function, rules))
                return
        raise NoAnswer(f"lambda:AddPermission was not answered ({CONFLICT})")

    def _add_statement(self, function: str, rules: str) -> bool:
        """Return whether the function has the statement now. If not, AWS is changing the function.

        AWS answers with CONFLICT if the function already has the statement, and if another
        operation is in progress (model: AddPermission). Only the message tells which (practice).
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
            if not isinstance(error, ClientError) or read_error_code(error) != CONFLICT:
                raise translate_error(error, "lambda:AddPermission") from error
            return "exist" in read_error_message(error)
        return True
