"""CodePipeline in other regions and accounts: a client of that region, in another account under a
role that the gate may assume.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import translate_error

if TYPE_CHECKING:
    from chalicelib.pipelines.dependency import Dependency

SESSION_NAME = "pipeline-gate"
"""How the other account's CloudTrail names who looked."""
SESSION_SECONDS = 900
"""The shortest that AWS gives (model: AssumeRole, DurationSeconds): whoever changes the role or
revokes its sessions waits no longer.
"""
RENEW_BEFORE = timedelta(minutes=5)
"""A session that ends so soon is replaced."""


class OtherAccounts:
    """`client` makes a botocore client of a service. Clients are kept for the life of a Lambda
    runtime, or of their session.
    """

    def __init__(self, client: Callable[..., Any]) -> None:
        self._client = client
        self._made: dict[tuple[str | None, ...], tuple[CodePipeline, datetime]] = {}

    def connect(self, entry: Dependency) -> CodePipeline:
        """CodePipeline in the upstream's region and account. Raises NotPermitted or NoAnswer where
        its role cannot be assumed.
        """
        key = (entry.region, entry.role_arn, entry.external_id)
        codepipeline, ends = self._made.get(key, (None, datetime.min.replace(tzinfo=UTC)))
        if codepipeline is None or ends - RENEW_BEFORE < datetime.now(UTC):
            session, ends = self._session(entry)
            codepipeline = CodePipeline(
                self._client("codepipeline", region_name=entry.region, **session)
            )
            self._made[key] = codepipeline, ends
        return codepipeline

    def _session(self, entry: Dependency) -> tuple[dict[str, str], datetime]:
        """What a client needs to act under the upstream's role, if it has one, and until when."""
        if entry.role_arn is None:
            return {}, datetime.max.replace(tzinfo=UTC)
        external = {"ExternalId": entry.external_id} if entry.external_id else {}
        try:
            answer = self._client("sts").assume_role(
                RoleArn=entry.role_arn,
                RoleSessionName=SESSION_NAME,
                DurationSeconds=SESSION_SECONDS,
                **external,
            )
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "sts:AssumeRole") from error
        credentials = answer["Credentials"]
        session = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
        return session, credentials["Expiration"].astimezone(UTC)
