"""The AWS services that the gate uses. Each client is made when it is first needed.

The clients are botocore's, the same as boto3's. Importing boto3 takes longer, because it also loads
what it needs for S3 (docs/performance.md).
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session
from botocore.utils import parse_timestamp

from chalicelib.aws.codepipeline import CodePipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.aws.eventbridge import EventBridge
    from chalicelib.aws.lambda_permission import LambdaPermissions
    from chalicelib.aws.other_accounts import OtherAccounts
    from chalicelib.pipelines.dependency import Dependency


class Aws:
    """The AWS services, with one client per service for the life of a Lambda runtime.

    `make`: makes the clients instead of `make_client`, for example with other credentials.
    """

    def __init__(self, make: Callable[..., Any] | None = None) -> None:
        self._make_client = make or make_client

    @cached_property
    def codepipeline(self) -> CodePipeline:
        return CodePipeline(self._make_client("codepipeline"))

    @cached_property
    def eventbridge(self) -> EventBridge:
        from chalicelib.aws.eventbridge import EventBridge  # noqa: PLC0415

        return EventBridge(self._make_client("events"))

    @cached_property
    def lambda_permissions(self) -> LambdaPermissions:
        from chalicelib.aws.lambda_permission import LambdaPermissions  # noqa: PLC0415

        return LambdaPermissions(self._make_client("lambda"))

    def codepipeline_for(self, entry: Dependency) -> CodePipeline:
        """Return CodePipeline in the upstream's region and account.

        Raises NoSuchRegion, and NotPermitted or NoAnswer if its role cannot be assumed.
        """
        is_local = entry.role_arn is None and entry.region in (None, self.codepipeline.region)
        return self.codepipeline if is_local else self._other_accounts.connect(entry)

    @cached_property
    def _other_accounts(self) -> OtherAccounts:
        from chalicelib.aws.other_accounts import OtherAccounts  # noqa: PLC0415

        return OtherAccounts(self._make_client, _load_session(), self.codepipeline.partition)


_session_lock = threading.Lock()
"""Upstreams are read on several threads, but a session may only make clients on one at a time
(guide: boto3, "Session", multithreading).
"""


def make_client(service: str, **settings: Any) -> Any:
    """Return a botocore client of a service such as "codepipeline".

    `settings`: a region and credentials, if they are not those of the environment.
    """
    with _session_lock:
        return _load_session().create_client(service, config=_build_config(), **settings)


@cache
def _load_session() -> Session:
    return make_session()


def make_session(profile: str | None = None) -> Session:
    """Return a session of botocore whose clients read the times in answers with `_parse_time`."""
    session = Session(profile=profile)
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_parse_time)  # (practice: as the AWS CLI does)
    return session


def _parse_time(value: Any) -> datetime | None:
    """Return a time in an answer as an aware datetime; None if it is not a time: botocore would
    raise ValueError, and the rest of the answer would be lost.

    Most are numbers of seconds (model: json protocol). botocore converts those to local time, which
    takes five sixths of the time needed to parse a page of a hundred executions.
    """
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        return parse_timestamp(value)
    except (ValueError, OverflowError, OSError):
        return None


def _build_config() -> Config:
    """Return how long to wait for an answer and how often to repeat a call.

    In the mode "standard", botocore pauses for a random time of up to 1, 2, 4, 8, 16 and then 20
    seconds while AWS throttles, so twenty attempts take three minutes on average. That is enough
    for 300 holds that end at the same time, and no gate treats an upstream as unanswered because of
    the crowd. With sixteen attempts some give up, and Lambda repeats them minutes later, so that
    all of them take longer (`python -m benchmarks --only release`).

    The timeouts are short so that one call that hangs leaves time for the others. Up to fifty
    upstreams are read at the same time, so there are fifty connections.
    """
    return Config(
        connect_timeout=3,
        read_timeout=10,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 20},
    )
