"""Lambda actions and rules: the job that the function gets as its event, and the result that it has
to send (guide: action-reference-Lambda).

The own return value or error of an action's function means nothing: only PutJobSuccessResult and
PutJobFailureResult count. AWS documents neither the event of a LambdaInvoke rule nor how the rule
is judged (guide: rule-reference-LambdaInvoke). Here its event and time limits are the same as for
an action, and Dials.rule_judged_by says how it is judged.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sandbox.clock import PlannedCall, utcnow
from sandbox.codepipeline import actions, outside
from sandbox.codepipeline.exceptions import (
    InvalidJobStateException,
    OutputVariablesSizeExceededException,
    ValidationException,
)
from sandbox.codepipeline.execution import (
    ActionExecution,
    ActionJob,
    Declaration,
    RuleExecution,
)
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.executor import RunOutcome
from sandbox.world import current_world

REPLY_TIMEOUT_MINUTES = 20
"""An action fails if its function has not replied for this long (guide: limits)."""
TOTAL_TIMEOUT_HOURS = 24
"""An action fails if it takes longer than this, however often its function replies (guide: limits).
"""
MAX_OUTPUT_VARIABLES_BYTES = 122_880
"""All output variables of one action together (guide: limits)."""

ARTIFACT_CREDENTIALS = {
    "accessKeyId": "ASIASANDBOXARTIFACTS",
    "secretAccessKey": "sandbox-artifact-secret-never-to-be-logged",
    "sessionToken": "sandbox-artifact-session-never-to-be-logged",
}
"""Stand-ins for the live credentials of the artifact bucket. A test can look for these words in a
log.
"""


def start(pipeline: Pipeline, action: ActionExecution) -> None:
    """Give the action's function its first job."""
    action.timers.append(
        pipeline.call_later(
            TOTAL_TIMEOUT_HOURS * 3600,
            lambda: actions.fail(
                pipeline,
                action,
                "JobFailed",
                f"The {action.kind} did not end within {TOTAL_TIMEOUT_HOURS} hours",
            ),
            f"{action.name} longer than {TOTAL_TIMEOUT_HOURS} h",
        )
    )
    overdue = _expect_reply(pipeline, action)
    _send_job(pipeline, ActionJob(action, overdue=overdue))


def succeed(pipeline: Pipeline, job: ActionJob, request: dict[str, Any]) -> None:
    """PutJobSuccessResult: the action succeeded or, with a continuation token, stays in progress
    (model).
    """
    token, output = request.get("continuationToken"), request.get("outputVariables") or {}
    if token and output:
        raise ValidationException(
            "outputVariables can be included only when there is no continuation token on the "
            "request"
        )
    for key in output:
        if not re.fullmatch(r"[A-Za-z0-9@\-_]+", key):
            raise ValidationException(
                f"The output variable name '{key}' does not match [A-Za-z0-9@\\-_]+"
            )
    if (
        sum(len(f"{key}{value}".encode()) for key, value in output.items())
        > MAX_OUTPUT_VARIABLES_BYTES
    ):
        raise OutputVariablesSizeExceededException(
            f"The output variables are larger than {MAX_OUTPUT_VARIABLES_BYTES} bytes together"
        )
    _mark_answered(job)
    if not _is_judged_by_job(job.action):
        return
    details, action = request.get("executionDetails") or {}, job.action
    action.summary = details.get("summary", action.summary)
    action.external_id = details.get("externalExecutionId", action.external_id)
    action.percent = details.get("percentComplete", action.percent)
    if not token:
        action.output_variables = output
        actions.succeed(pipeline, action)
        return
    action.updated = action.execution.updated = utcnow()
    if job.overdue is not None:
        job.overdue.cancel()
    following = ActionJob(action, continuation_token=token, overdue=_expect_reply(pipeline, action))
    action.timers.append(
        pipeline.call_later(
            current_world().dials.continuation_seconds,
            lambda: _send_job(pipeline, following),
            f"{action.name} asked again with its token",
        )
    )


def fail(pipeline: Pipeline, job: ActionJob, request: dict[str, Any]) -> None:
    """PutJobFailureResult (model)."""
    _mark_answered(job)
    if not _is_judged_by_job(job.action):
        return
    details = request["failureDetails"]
    job.action.external_id = details.get("externalExecutionId", job.action.external_id)
    actions.fail(pipeline, job.action, details["type"], details["message"])


def build_event(pipeline: Pipeline, job: ActionJob) -> dict[str, Any]:
    """The function's event, with exactly the documented keys (guide: action-reference-Lambda, "JSON
    event").

    It names neither pipeline nor execution, whatever GetJobDetails may say.
    """
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": dict(job.action.configuration)},
        "inputArtifacts": _list_artifacts(pipeline, job.action.declaration, "inputArtifacts"),
        "outputArtifacts": _list_artifacts(pipeline, job.action.declaration, "outputArtifacts"),
        "artifactCredentials": dict(ARTIFACT_CREDENTIALS),
    }
    if job.continuation_token is not None:
        data["continuationToken"] = job.continuation_token
    return {"CodePipeline.job": {"id": job.id, "accountId": pipeline.account_id, "data": data}}


def describe_job(pipeline: Pipeline, job: ActionJob) -> dict[str, Any]:
    """The answer of GetJobDetails (model: JobDetails). What pipelineContext has for a Lambda action
    is not documented: see Dials.job_details.
    """
    answer: dict[str, Any] = build_event(pipeline, job)["CodePipeline.job"]
    action, dial = job.action, current_world().dials.job_details
    if (
        action.type["category"] != "Rule"
    ):  # no action type has this category (model: ActionCategory)
        answer["data"]["actionTypeId"] = action.type
    if dial == "nothing":
        return answer
    context: dict[str, Any] = {
        "pipelineName": pipeline.name,
        "stage": {"name": action.stage.name},
        "action": {"name": action.name},
    }
    if dial == "execution":
        context |= {"pipelineArn": pipeline.arn, "pipelineExecutionId": action.execution.id}
        context["action"]["actionExecutionId"] = action.id
    answer["data"]["pipelineContext"] = context
    return answer


def _send_job(pipeline: Pipeline, job: ActionJob) -> None:
    """Register the job and invoke its function, with the action's own role or else the pipeline's
    (model: ActionDeclaration, roleArn). The action fails if the role may not invoke the function or
    there is no such function.
    """
    action = job.action
    pipeline.jobs[job.id] = job
    function = action.configuration.get("FunctionName", "")
    region = action.declaration.get("region", pipeline.region)
    role = action.declaration.get("roleArn") or pipeline.pipeline["roleArn"]
    if not outside.may_invoke(role, pipeline.account_id, region, function):
        denied = f"The role {role} is not authorized to perform lambda:InvokeFunction on {function}"
        action.timers.append(
            pipeline.call_later(
                0,
                lambda: actions.fail(pipeline, action, "PermissionError", denied),
                "may not invoke",
            )
        )
        return
    try:
        outside.invoke_function(
            pipeline.account_id,
            region,
            function,
            json.dumps(build_event(pipeline, job)),
            on_end=lambda outcome: _judge_run(pipeline, action, outcome),
        )
    except LookupError:
        message = f"The AWS Lambda function {function} does not exist in {region}"
        action.timers.append(
            pipeline.call_later(
                0,
                lambda: actions.fail(pipeline, action, "ConfigurationError", message),
                "no such function",
            )
        )


def _is_judged_by_job(action: ActionExecution) -> bool:
    return not isinstance(action, RuleExecution) or current_world().dials.rule_judged_by == "job"


def _judge_run(pipeline: Pipeline, action: ActionExecution, outcome: RunOutcome) -> None:
    """End a rule that is judged by its function's run (Dials.rule_judged_by)."""
    if _is_judged_by_job(action):
        return
    by_return_value = current_world().dials.rule_judged_by == "return value"
    answer = json.loads(outcome.payload)

    def end() -> None:
        if outcome.error:
            actions.fail(pipeline, action, "JobFailed", answer["errorMessage"])
        elif by_return_value and not answer:
            actions.fail(pipeline, action, "JobFailed", "The function returned nothing")
        else:
            actions.succeed(pipeline, action)

    pipeline.call_later(0, end, f"{action.name} judged by its function's run")


def _expect_reply(pipeline: Pipeline, action: ActionExecution) -> PlannedCall:
    function = action.configuration.get("FunctionName", "")
    message = (
        f"The AWS Lambda function {function} failed to return a result within "
        f"{REPLY_TIMEOUT_MINUTES} minutes: check that it calls PutJobSuccessResult or "
        "PutJobFailureResult, and that it may"
    )
    call = pipeline.call_later(
        REPLY_TIMEOUT_MINUTES * 60,
        lambda: actions.fail(pipeline, action, "JobFailed", message),
        f"{action.name} without a reply",
    )
    action.timers.append(call)
    return call


def _mark_answered(job: ActionJob) -> None:
    if job.answered or job.action.status != "InProgress":
        raise InvalidJobStateException(
            f"Job {job.id} is not in progress: it has its result, or its action has ended"
        )
    job.answered = True


def _list_artifacts(
    pipeline: Pipeline, declaration: Declaration, member: str
) -> list[dict[str, Any]]:
    store = (
        pipeline.pipeline.get("artifactStore")
        or (pipeline.pipeline.get("artifactStores") or {}).get(pipeline.region)
        or {}
    )
    return [
        {
            "name": artifact["name"],
            "revision": None,
            "location": {
                "type": "S3",
                "s3Location": {
                    "bucketName": store.get("location", ""),
                    "objectKey": f"{pipeline.name[:20]}/{artifact['name'][:10]}/sandbox.zip",
                },
            },
        }
        for artifact in declaration.get(member) or []
    ]
