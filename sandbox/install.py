"""Puts the sandbox's services into moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox import awslambda, cloudformation, codepipeline, eventbridge, iam, throttle


@contextmanager
def install_services() -> Iterator[None]:
    """Use the sandbox's CodePipeline, EventBridge, Lambda, IAM and throttling in place of moto's
    until the block ends, and add pipelines to moto's CloudFormation.
    """
    with (
        codepipeline.install(),
        eventbridge.install(),
        awslambda.install(),
        iam.install(),
        cloudformation.install(),
        throttle.install(),
    ):
        yield
