"""As bare_boto3.py, with botocore alone, which is all that the gate imports, too."""

import json
from typing import Any

from botocore.session import get_session

codepipeline: Any = get_session().create_client("codepipeline")


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
