"""The plain design of the article (README, "Where this goes beyond the article"): two handlers.

The gate fails the waiting action and makes a rule that fires once, five minutes later. The retry
removes that rule and starts the pipeline, whose gate then asks again. What the article leaves open
is decided in its favor: the gate lists the main pipeline's executions only once, the clients are
kept, and the rule's permission was given once.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from chalice import Chalice

app = Chalice(app_name="article", configure_logs=False)
MAIN, DEPENDENT = "infra", "k8s"
RULE = f"start-{DEPENDENT}"
RETRY_DELAY = timedelta(minutes=5)


@app.lambda_function(name="gate")
def gate(event: dict[str, Any], context: Any) -> None:
    """The article's "main Lambda", an action of the dependent pipeline."""
    job = event["CodePipeline.job"]["id"]
    executions = _codepipeline().list_pipeline_executions(pipelineName=MAIN)[
        "pipelineExecutionSummaries"
    ]
    if not any(execution["status"] == "InProgress" for execution in executions):
        _codepipeline().put_job_success_result(jobId=job)
        return
    at = datetime.now(UTC) + RETRY_DELAY
    _events().put_rule(
        Name=RULE, ScheduleExpression=f"cron({at.minute} {at.hour} {at.day} {at.month} ? {at.year})"
    )
    _events().put_targets(
        Rule=RULE, Targets=[{"Id": "retry", "Arn": os.environ["RETRY_FUNCTION_ARN"]}]
    )
    _codepipeline().put_job_failure_result(
        jobId=job, failureDetails={"type": "JobFailed", "message": f"{MAIN} runs"}
    )


@app.lambda_function(name="retry")
def retry(event: dict[str, Any], context: Any) -> None:
    """The article's "K8s Lambda", the target of the rule."""
    _events().remove_targets(Rule=RULE, Ids=["retry"])
    _events().delete_rule(Name=RULE)
    _codepipeline().start_pipeline_execution(name=DEPENDENT)


@cache
def _codepipeline() -> Any:
    return boto3.client("codepipeline")


@cache
def _events() -> Any:
    return boto3.client("events")
