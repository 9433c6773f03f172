"""The AWS services that the gate talks to, each made when it is first needed: the open path never pays for the others."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.codepipeline import CodePipeline

if TYPE_CHECKING:
    from botocore.config import Config

    from chalicelib.awslambda import AwsLambda
    from chalicelib.eventbridge import EventBridge


class Aws:
    """One client a service, for the life of a Lambda runtime."""

    @cached_property
    def codepipeline(self) -> CodePipeline:
        import boto3  # noqa: PLC0415

        return CodePipeline(boto3.client("codepipeline", config=_config()))

    @cached_property
    def eventbridge(self) -> EventBridge:
        import boto3  # noqa: PLC0415

        from chalicelib.eventbridge import EventBridge  # noqa: PLC0415

        return EventBridge(boto3.client("events", config=_config()))

    @cached_property
    def awslambda(self) -> AwsLambda:
        import boto3  # noqa: PLC0415

        from chalicelib.awslambda import AwsLambda  # noqa: PLC0415

        return AwsLambda(boto3.client("lambda", config=_config()))


def _config() -> Config:
    """How long to wait for AWS and how often to ask again.

    Mode "standard" pauses at random for up to 1, 2, 4, 8, 16, then 20 s where AWS throttles: sixteen attempts go on for two minutes on
    average. So 300 holds that end together get through in turn, and no gate takes an upstream for unanswered because of the crowd. At
    twelve some give up, and Lambda's own repeats, minutes later, treble the whole (`python -m benchmarks.release_of_many`). More
    changes nothing for 300, and a client's retry quota is used up after a hundred throttled answers anyway. The time-outs are short, for
    one hanging call must leave time for the others.
    """
    from botocore.config import Config  # noqa: PLC0415

    return Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 16})
