"""Puts the sandbox's services into moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def installed() -> Iterator[None]:
    """moto's CodePipeline, EventBridge, Lambda, IAM and throttling are the sandbox's own inside
    this block, and moto's again after it. CloudFormation is moto's, and knows pipelines.
    """
    from sandbox import awslambda, cloudformation, codepipeline, eventbridge, iam, throttle  # noqa: PLC0415 - moto, when it is needed

    with (
        codepipeline.install(),
        eventbridge.install(),
        awslambda.install(),
        iam.install(),
        cloudformation.install(),
        throttle.install(),
    ):
        yield
