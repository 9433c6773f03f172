"""The AWS services that the gate talks to, each made when it is first needed: the open path never
pays for the others.

Clients are botocore's: the same as boto3 makes, without the import of boto3 and of what it brings
for S3 (docs/performance.md).
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session, get_session
from botocore.utils import parse_timestamp

from chalicelib.aws.codepipeline import CodePipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.aws.eventbridge import EventBridge
    from chalicelib.aws.lambda_permission import LambdaPermissions
    from chalicelib.aws.other_accounts import OtherAccounts
    from chalicelib.pipelines.dependency import Dependency


class Aws:
    """One client a service, for the life of a Lambda runtime. `make` makes a client as `client`
    does; whoever asks as somebody else has another.
    """

    def __init__(self, make: Callable[..., Any] | None = None) -> None:
        self._make = make or make_client

    @cached_property
    def codepipeline(self) -> CodePipeline:
        return CodePipeline(self._make("codepipeline"))

    @cached_property
    def eventbridge(self) -> EventBridge:
        from chalicelib.aws.eventbridge import EventBridge  # noqa: PLC0415

        return EventBridge(self._make("events"))

    @cached_property
    def lambda_permissions(self) -> LambdaPermissions:
        from chalicelib.aws.lambda_permission import LambdaPermissions  # noqa: PLC0415

        return LambdaPermissions(self._make("lambda"))

    def codepipeline_for(self, entry: Dependency) -> CodePipeline:
        """CodePipeline where that upstream lives. Raises NotPermitted or NoAnswer where its role
        cannot be assumed.
        """
        here = entry.role_arn is None and entry.region in (None, self.codepipeline.region)
        return self.codepipeline if here else self._other_accounts.connect(entry)

    @cached_property
    def _other_accounts(self) -> OtherAccounts:
        from chalicelib.aws.other_accounts import OtherAccounts  # noqa: PLC0415

        return OtherAccounts(self._make)


_one_at_a_time = threading.Lock()
"""Upstreams are asked on threads, and a session does not make clients on several at once (guide:
boto3, "Session", multithreading).
"""


def make_client(service: str, **settings: Any) -> Any:
    """A botocore client of "codepipeline" or the like; `more`: its region and credentials, where
    they are not the environment's.
    """
    with _one_at_a_time:
        return _session().create_client(service, config=_config(), **settings)


@cache
def _session() -> Session:
    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(
        timestamp_parser=_time
    )  # (practice: as the AWS CLI does)
    return session


def _time(value: Any) -> datetime:
    """A time in an answer, aware. Most are seconds (model: json protocol); botocore reads them in
    local time, which takes five sixths of what a page of a hundred executions takes.
    """
    return (
        datetime.fromtimestamp(value, UTC)
        if isinstance(value, (int, float))
        else parse_timestamp(value)
    )


def _config() -> Config:
    """How long to wait for AWS and how often to ask again.

    Mode "standard" pauses at random for up to 1, 2, 4, 8, 16, then 20 s where AWS throttles:
    sixteen attempts go on for two minutes on average. So 300 holds that end together get through in
    turn, and no gate takes an upstream for unanswered because of the crowd. At twelve some give up,
    and Lambda's own repeats, minutes later, treble the whole (`python -m
    benchmarks.release_of_many`). More changes nothing for 300, and a client's retry quota is used
    up after a hundred throttled answers anyway. The time-outs are short, for one hanging call must
    leave time for the others. Fifty connections: as many upstreams are asked at once.
    """
    return Config(
        connect_timeout=3,
        read_timeout=10,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 16},
    )
