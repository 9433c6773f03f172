"""Which deployment of the gate this is, read off the ARN of one of its two functions."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Self

from chalicelib.errors import Misconfigured

APP = "pipeline-gate"
STAGE_LENGTH = 13
"""A rule's name has 64 characters (model: RuleName), of which "pipeline-gate-", "-" and an
execution's id take 51.
"""

_FUNCTION = re.compile(
    rf"arn:(?P<partition>[\w-]+):lambda:(?P<region>[\w-]+):(?P<account>\d{{12}}):function:{APP}-(?P<stage>[\w-]+)-(gate|retry)(:.+)?"
)


@dataclass(frozen=True)
class Deployment:
    """One deployment: its partition, region, account and Chalice stage. All names that the gate
    makes follow from it.
    """

    partition: str
    region: str
    account: str
    stage: str

    @classmethod
    def from_context(cls, context: object) -> Self:
        """The deployment whose function runs now: by `context.invoked_function_arn`, or where the
        context has none, as in Chalice's test client, by the environment's RETRY_FUNCTION_ARN.

        Raises Misconfigured where neither tells it, or where the stage's name is too long for a
        rule's name.
        """
        arn = getattr(context, "invoked_function_arn", None) or os.environ.get(
            "RETRY_FUNCTION_ARN", ""
        )
        match = _FUNCTION.fullmatch(arn)
        if not match:
            raise Misconfigured(
                f"The gate cannot tell its deployment: {arn!r} is no ARN of a function "
                f"{APP}-STAGE-gate or {APP}-STAGE-retry. "
                "Deploy it with Chalice, or set RETRY_FUNCTION_ARN."
            )
        refuse_long_stage(match["stage"])
        return cls(match["partition"], match["region"], match["account"], match["stage"])

    @property
    def gate_function(self) -> str:
        return name_gate_function(self.stage)

    @property
    def retry_function(self) -> str:
        return name_retry_function(self.stage)

    @property
    def retry_arn(self) -> str:
        return (
            f"arn:{self.partition}:lambda:{self.region}:{self.account}:"
            f"function:{self.retry_function}"
        )

    @property
    def all_rules_arn(self) -> str:
        """The pattern of the ARNs of all rules that the gate ever makes here."""
        return f"arn:{self.partition}:events:{self.region}:{self.account}:rule/{APP}-*"

    @property
    def rule_prefix(self) -> str:
        return f"{APP}-{self.stage}-"


def name_gate_function(stage: str) -> str:
    """Return the name of the gate function that is deployed as the Chalice stage `stage`."""
    return f"{APP}-{stage}-gate"


def name_retry_function(stage: str) -> str:
    """Return the name of the retry function that is deployed as the Chalice stage `stage`."""
    return f"{APP}-{stage}-retry"


def refuse_long_stage(stage: str) -> None:
    """Raise Misconfigured where a Chalice stage's name leaves no room for an execution's id in a
    rule's name.
    """
    if len(stage) > STAGE_LENGTH:
        raise Misconfigured(
            f"The Chalice stage {stage!r} has {len(stage)} characters; the gate's rules are named "
            "after it, and that leaves room for "
            f"{STAGE_LENGTH}. Take a shorter name."
        )
