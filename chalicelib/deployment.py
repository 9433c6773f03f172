"""One deployment of the gate, and the names of its functions and rules."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Self

from chalicelib.errors import Misconfigured

APP = "pipeline-gate"
STAGE_LENGTH = 13
"""The most characters in a stage's name. A rule's name has at most 64 (model: RuleName), and
"pipeline-gate-", "-" and an execution id take 51 of them.
"""

_FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):lambda:(?P<region>[\w-]+):(?P<account>\d{12}):"
    rf"function:{APP}-(?P<stage>[\w-]+)-(gate|retry)(:.+)?",
    re.ASCII,
)


@dataclass(frozen=True)
class Deployment:
    """One deployment of the gate: where it runs, and its Chalice stage."""

    partition: str
    region: str
    account: str
    stage: str

    @classmethod
    def from_context(cls, context: object) -> Self:
        """Return the deployment that the running Lambda function belongs to.

        It is read from `context.invoked_function_arn`. If the context has none, as in Chalice's
        test client, it is read from the environment variable RETRY_FUNCTION_ARN.
        Raises Misconfigured if neither is the ARN of one of the gate's functions, or if the
        stage's name is too long for a rule's name.
        """
        arn = getattr(context, "invoked_function_arn", None) or os.environ.get(
            "RETRY_FUNCTION_ARN", ""
        )
        match = _FUNCTION_ARN.fullmatch(arn)
        if not match:
            raise Misconfigured(
                f"The gate does not know which deployment it belongs to: {arn!r} is not the ARN of "
                f"a function named {APP}-STAGE-gate or {APP}-STAGE-retry. "
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
        """A pattern that matches the ARN of every rule the gate makes in this region."""
        return f"arn:{self.partition}:events:{self.region}:{self.account}:rule/{APP}-*"

    @property
    def rule_prefix(self) -> str:
        return f"{APP}-{self.stage}-"


def name_gate_function(stage: str) -> str:
    """Return the name of the gate function in the Chalice stage `stage`."""
    return f"{APP}-{stage}-gate"


def name_retry_function(stage: str) -> str:
    """Return the name of the retry function in the Chalice stage `stage`."""
    return f"{APP}-{stage}-retry"


def refuse_long_stage(stage: str) -> None:
    """Raise Misconfigured if a Chalice stage's name is too long to be part of a rule's name."""
    if len(stage) > STAGE_LENGTH:
        raise Misconfigured(
            f"The name of the Chalice stage {stage!r} has {len(stage)} characters. The gate's "
            f"rules are named after the stage, so it can have at most {STAGE_LENGTH}. Choose a "
            "shorter name."
        )
