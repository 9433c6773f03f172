"""CodePipeline in other regions, and in other accounts with a role that the gate assumes there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.aws.regions import has_codepipeline
from chalicelib.errors import NoSuchRegion, translate_errors

if TYPE_CHECKING:
    from botocore.session import Session

    from chalicelib.pipelines.dependency import Dependency

SESSION_NAME = "pipeline-gate"
"""The name of the gate's session in the other account's CloudTrail."""
SESSION_SECONDS = 900
"""The shortest session that AWS allows (model: AssumeRole, DurationSeconds), so that a change of
the role soon takes effect.
"""
RENEW_BEFORE = timedelta(minutes=5)
"""A session with less time left than this is replaced."""


class OtherAccounts:
    """The clients of CodePipeline elsewhere, kept for a Lambda runtime's or a session's life.

    `make_client`: makes a botocore client of a service, like clients.make_client.
    `session`: has botocore's endpoint data.
    `partition`: the gate's. No credentials are valid in two partitions (guide: reference-arns).
    """

    def __init__(self, make_client: Callable[..., Any], session: Session, partition: str) -> None:
        self._make_client = make_client
        self._session = session
        self._partition = partition
        self._clients: dict[tuple[str | None, ...], tuple[CodePipeline, datetime]] = {}

    def connect(self, entry: Dependency) -> CodePipeline:
        """Return CodePipeline in the upstream's region and account.

        Raises NoSuchRegion if it can be in no such region, and NotPermitted or NoAnswer if its role
        cannot be assumed.
        """
        key = (entry.region, entry.role_arn, entry.external_id)
        codepipeline, ends = self._clients.get(key, (None, datetime.min.replace(tzinfo=UTC)))
        if codepipeline is None or ends - RENEW_BEFORE < datetime.now(UTC):
            self._refuse_missing_region(entry)
            credentials, ends = self._assume_role(entry)
            client = self._make_client("codepipeline", region_name=entry.region, **credentials)
            codepipeline = CodePipeline(client)
            self._clients[key] = codepipeline, ends
        return codepipeline

    def _refuse_missing_region(self, entry: Dependency) -> None:
        client = self._make_client("codepipeline", region_name=entry.region)
        if entry.partition != self._partition or not has_codepipeline(
            self._session, client, self._partition
        ):
            raise NoSuchRegion(entry.region)

    def _assume_role(self, entry: Dependency) -> tuple[dict[str, str], datetime]:
        """Return a client's credentials for the upstream's role, and when they end (aware UTC).

        Without a role they are empty, and do not end.
        """
        if entry.role_arn is None:
            return {}, datetime.max.replace(tzinfo=UTC)
        external_id = {"ExternalId": entry.external_id} if entry.external_id else {}
        with translate_errors("sts:AssumeRole"):
            answer = self._make_client("sts").assume_role(
                RoleArn=entry.role_arn,
                RoleSessionName=SESSION_NAME,
                DurationSeconds=SESSION_SECONDS,
                **external_id,
            )
        session = answer["Credentials"]
        credentials = {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }
        return credentials, session["Expiration"].astimezone(UTC)
