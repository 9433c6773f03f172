"""The smallest handler that answers a job, with boto3 and nothing else. The gate's cold start is
compared with it.
"""

import json
from typing import Any

import boto3

codepipeline = boto3.client("codepipeline")


def gate(event: Any, context: Any) -> None:
    job = event["CodePipeline.job"]
    (upstream,) = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])[
        "depends_on"
    ]
    executions = codepipeline.list_pipeline_executions(pipelineName=upstream)[
        "pipelineExecutionSummaries"
    ]
    if any(execution["status"] in ("InProgress", "Stopping") for execution in executions):
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": "It runs"}
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"])
