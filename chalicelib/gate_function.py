"""The Lambda function `gate`, as Lambda loads it.

It imports only the modules that an open gate needs, because a cold start compiles each of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib import runtime
from chalicelib.errors import ClosedCondition
from chalicelib.gate import answer_job, keeps_condition_closed
from chalicelib.wording.refusals import describe_closed_condition


def gate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the gate action of a dependent pipeline, which invokes this function.

    Raises ClosedCondition if the gate is a stage's condition and does not let the stage begin. Then
    Lambda repeats the invocation twice, which changes nothing because the job has its result.
    """
    record = answer_job(event, context, runtime.aws, datetime.now(UTC))
    if keeps_condition_closed(event, record):
        raise ClosedCondition(describe_closed_condition(record["decision"]))
    return record
