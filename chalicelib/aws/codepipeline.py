"""CodePipeline, in the gate's own words: what a pipeline's executions do, a job's result, starting
a pipeline, retrying a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import (
    FailureType,
    NotRetryable,
    PipelineNotFound,
    TakenOver,
    error_code,
    translate_error,
)
from chalicelib.pipelines.execution import Attempt, Execution, Revision

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import (
        ExecutionDetailsTypeDef,
        StartPipelineExecutionInputTypeDef,
    )

    from chalicelib.pipelines.state import PipelineState

MAX_PAGE = 100
"""Executions in one answer (model: MaxResults of ListPipelineExecutions)."""
REVISION_TYPES: Mapping[str, Literal["IMAGE_DIGEST", "S3_OBJECT_VERSION_ID"]] = {
    "ECR": "IMAGE_DIGEST",
    "S3": "S3_OBJECT_VERSION_ID",
}
"""How a source's provider names its revisions; every other one is a repository: COMMIT_ID (model:
SourceRevisionOverride).
"""


class CodePipeline:
    """Every method raises NotPermitted or NoAnswer where AWS denies or does not answer its call."""

    def __init__(self, client: CodePipelineClient) -> None:
        self._client = client

    @property
    def region(self) -> str:
        return self._client.meta.region_name

    def list_executions(
        self, pipeline: str, since: datetime, until: str | None = None, finished: bool = False
    ) -> tuple[Execution, ...]:
        """The executions of `pipeline`, newest first, page by page until one began before `since`
        (aware UTC), or has the id `until`; with `finished` also until one of them has finished.

        All that was read is returned, so an older one that shares the last page counts too. Raises
        PipelineNotFound.
        """
        executions: list[Execution] = []
        for page in self._pages_of_executions(pipeline):
            executions += page
            far_enough = any(
                execution.started < since or execution.id == until for execution in page
            )
            if far_enough and not (
                finished and not any(execution.finished for execution in executions)
            ):
                break
        # AWS lists them so in practice, but the model promises no order; the sort keeps AWS's among
        # those that began together.
        return tuple(sorted(executions, key=lambda execution: execution.started, reverse=True))

    def list_newest_executions(self, pipeline: str) -> tuple[Execution, ...]:
        """Return the newest executions of `pipeline`, newest first: MAX_PAGE at most, in one call.
        Raises PipelineNotFound.
        """
        page = next(self._pages_of_executions(pipeline))
        return tuple(sorted(page, key=lambda execution: execution.started, reverse=True))

    def list_pipelines(self) -> dict[str, tuple[int | None, datetime | None]]:
        """Return the version of every pipeline's structure and when it was edited (aware UTC), by
        the pipeline's name (model: ListPipelines).
        """
        try:
            pages = self._client.get_paginator("list_pipelines").paginate()
            return {
                summary["name"]: (summary.get("version"), summary.get("updated"))
                for page in pages
                for summary in page["pipelines"]
            }
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "codepipeline:ListPipelines") from error

    def read_declaration(self, pipeline: str) -> tuple[dict[str, Any], datetime | None]:
        """Return the structure of `pipeline` (model: PipelineDeclaration), and when it was edited
        (aware UTC). Raises PipelineNotFound.
        """
        try:
            answer: Any = self._client.get_pipeline(name=pipeline)
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(error, "codepipeline:GetPipeline", pipeline) from error
        return answer["pipeline"], answer.get("metadata", {}).get("updated")

    def read_state(self, pipeline: str) -> PipelineState:
        """Where its executions stand (model: GetPipelineState). Raises PipelineNotFound."""
        from chalicelib.aws import parsing as shapes  # noqa: PLC0415 - the open path asks for none of these

        try:
            return shapes.parse_state(self._client.get_pipeline_state(name=pipeline))
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(error, "codepipeline:GetPipelineState", pipeline) from error

    def read_variables(self, pipeline: str, execution: str) -> dict[str, str]:
        """The pipeline variables of `execution`, by name, as resolved when it started (model:
        GetPipelineExecution).

        Raises PipelineNotFound where there is no such execution.
        """
        try:
            answer = self._client.get_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=execution
            )
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(error, "codepipeline:GetPipelineExecution", pipeline) from error
        return {
            variable["name"]: variable["resolvedValue"]
            for variable in answer["pipelineExecution"].get("variables", [])
        }

    def list_attempts(self, pipeline: str, execution: str) -> tuple[Attempt, ...]:
        """Every attempt of every action of `execution` (model: ListActionExecutions). Raises
        PipelineNotFound.
        """
        from chalicelib.aws import parsing as shapes  # noqa: PLC0415

        try:
            pages = self._client.get_paginator("list_action_executions").paginate(
                pipelineName=pipeline, filter={"pipelineExecutionId": execution}
            )
            return tuple(
                shapes.parse_attempt(detail)
                for page in pages
                for detail in page["actionExecutionDetails"]
            )
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(error, "codepipeline:ListActionExecutions", pipeline) from error

    def list_condition_attempts(self, pipeline: str, execution: str) -> tuple[Attempt, ...]:
        """Every run of every rule of its stages' conditions (model: ListRuleExecutions). Raises
        PipelineNotFound.
        """
        from chalicelib.aws import parsing as shapes  # noqa: PLC0415

        try:
            pages = self._client.get_paginator("list_rule_executions").paginate(
                pipelineName=pipeline, filter={"pipelineExecutionId": execution}
            )
            return tuple(
                shapes.parse_condition_attempt(detail)
                for page in pages
                for detail in page["ruleExecutionDetails"]
            )
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(error, "codepipeline:ListRuleExecutions", pipeline) from error

    def read_job_owner(self, job: str) -> tuple[str | None, str | None]:
        """The pipeline and the execution that `job` belongs to, each None where AWS does not say:
        it promises to for custom actions only (model: GetJobDetails). The answer also holds
        credentials; nothing else of it is kept.
        """
        try:
            data = self._client.get_job_details(jobId=job)["jobDetails"]["data"]
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, "codepipeline:GetJobDetails") from error
        context = data.get("pipelineContext", {})
        return context.get("pipelineName"), context.get("pipelineExecutionId")

    def succeed_job(self, job: str, summary: str, variables: Mapping[str, str]) -> bool:
        """Let the action of `job` pass, with these output variables. False where the job has its
        result already, or is gone: then nothing happened.
        """
        return self._put_success(
            jobId=job,
            executionDetails={"summary": summary, "percentComplete": 100},
            outputVariables=variables,
        )

    def keep_job_open(
        self,
        job: str,
        token: str,
        summary: str,
        percent: int | None = None,
        mark: str | None = None,
    ) -> bool:
        """Leave the action of `job` in progress: CodePipeline asks again, with a new job and
        `token` (model: PutJobSuccessResult, continuationToken). `mark`: an external execution id to
        show at the action.

        False where the job has its result already, or is gone: then nothing happened.
        """
        details: ExecutionDetailsTypeDef = {"summary": summary}
        if percent is not None:
            details["percentComplete"] = percent
        if mark is not None:
            details["externalExecutionId"] = mark
        return self._put_success(jobId=job, continuationToken=token, executionDetails=details)

    def _put_success(self, **result: Any) -> bool:
        try:
            self._client.put_job_success_result(**result)
        except (ClientError, BotoCoreError) as error:
            return _had_result(error, "codepipeline:PutJobSuccessResult")
        return True

    def fail_job(self, job: str, kind: FailureType, message: str) -> bool:
        """Fail the action of `job`. False where the job has its result already, or is gone: then
        nothing happened.
        """
        try:
            self._client.put_job_failure_result(
                jobId=job, failureDetails={"type": kind, "message": message}
            )
        except (ClientError, BotoCoreError) as error:
            return _had_result(error, "codepipeline:PutJobFailureResult")
        return True

    def start_pipeline(
        self, pipeline: str, token: str, variables: Mapping[str, str], revisions: Sequence[Revision]
    ) -> str:
        """Start `pipeline` with these variables and source revisions, and return the new
        execution's id; the same one when AWS knows `token` already. Where the pipeline was edited
        meanwhile, what it does not declare any more is left out. Raises PipelineNotFound.
        """
        request: StartPipelineExecutionInputTypeDef = {
            "name": pipeline,
            "clientRequestToken": token,
            # A value may be anything but an empty string (model: PipelineVariableValue).
            "variables": [
                {"name": name, "value": value} for name, value in variables.items() if value
            ],
            "sourceRevisions": [
                {
                    "actionName": revision.action,
                    "revisionType": REVISION_TYPES.get(revision.provider, "COMMIT_ID"),
                    "revisionValue": revision.id,
                }
                for revision in revisions
            ],
        }
        try:
            try:
                return self._start(request)
            except ClientError as error:
                if not _is(error, "ValidationException"):
                    raise
                return self._start(self._still_declared(request))
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(
                error, "codepipeline:StartPipelineExecution", pipeline
            ) from error

    def retry_stage(self, pipeline: str, stage: str, execution: str) -> None:
        """Run the failed actions of `stage` again, in the same execution (model:
        RetryStageExecution).

        Raises NotRetryable, TakenOver or PipelineNotFound.
        """
        try:
            self._client.retry_stage_execution(
                pipelineName=pipeline,
                stageName=stage,
                pipelineExecutionId=execution,
                retryMode="FAILED_ACTIONS",
            )
        except (ClientError, BotoCoreError) as error:
            if _is(error, "StageNotRetryableException", "StageNotFoundException"):
                raise NotRetryable(stage) from error
            if _is(error, "NotLatestPipelineExecutionException"):
                raise TakenOver(stage) from error
            raise _translate_error(error, "codepipeline:RetryStageExecution", pipeline) from error

    def _start(self, request: StartPipelineExecutionInputTypeDef) -> str:
        filled: Any = {
            key: value for key, value in request.items() if value
        }  # an empty list of variables is refused (model)
        return self._client.start_pipeline_execution(**filled)["pipelineExecutionId"]

    def _still_declared(
        self, request: StartPipelineExecutionInputTypeDef
    ) -> StartPipelineExecutionInputTypeDef:
        pipeline = self._client.get_pipeline(name=request["name"])["pipeline"]
        variables = {variable["name"] for variable in pipeline.get("variables", [])}
        actions = {action["name"] for stage in pipeline["stages"] for action in stage["actions"]}
        return {
            **request,
            "variables": [
                variable
                for variable in request.get("variables", ())
                if variable["name"] in variables
            ],
            "sourceRevisions": [
                revision
                for revision in request.get("sourceRevisions", ())
                if revision["actionName"] in actions
            ],
        }

    def _pages_of_executions(self, pipeline: str) -> Iterator[tuple[Execution, ...]]:
        position: dict[str, Any] = {}
        try:
            while True:  # botocore's paginator would read its own data first: a dozen milliseconds of a cold start
                page = self._client.list_pipeline_executions(pipelineName=pipeline, **position)
                yield tuple(map(Execution.parse, page["pipelineExecutionSummaries"]))
                if not page.get("nextToken"):
                    return
                position = {"nextToken": page["nextToken"]}
        except (ClientError, BotoCoreError) as error:
            raise _translate_error(
                error, "codepipeline:ListPipelineExecutions", pipeline
            ) from error


def _is(error: Exception, *codes: str) -> bool:
    return isinstance(error, ClientError) and error_code(error) in codes


def _translate_error(error: ClientError | BotoCoreError, call: str, pipeline: str) -> Exception:
    if _is(error, "PipelineNotFoundException", "PipelineExecutionNotFoundException"):
        return PipelineNotFound(pipeline)
    return translate_error(error, call)


def _had_result(error: ClientError | BotoCoreError, call: str) -> bool:
    if _is(error, "InvalidJobStateException", "JobNotFoundException"):
        return False
    raise translate_error(error, call) from error
