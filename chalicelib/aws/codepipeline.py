"""CodePipeline: reads pipelines and executions, answers jobs, starts and retries pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import (
    FailureType,
    NotRetryable,
    StartRefused,
    TakenOver,
    is_aws_error,
    translate_error,
    translate_errors,
)
from chalicelib.job import JobOwner
from chalicelib.pipelines.execution import (
    Attempt,
    Execution,
    ExecutionDetail,
    Origin,
    Revision,
    find_revision_type,
)

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import (
        ExecutionDetailsTypeDef,
        FailureDetailsTypeDef,
        StartPipelineExecutionInputTypeDef,
    )

    from chalicelib.pipelines.state import PipelineState

MAX_PAGE = 100
"""The most executions in one answer (model: MaxResults of ListPipelineExecutions)."""


class MissingTimes:
    """Completes the entries of one of AWS's lists, newest first, that lack a time (model: every
    time is optional), or whose time could not be read (None).

    An entry without a start time began just before the one that is listed before it. That keeps
    AWS's order, by which callers tell which one is the newest.
    """

    def __init__(self) -> None:
        self._start_before = datetime.now(UTC)

    def complete(self, entry: Any) -> Any:
        """Return an entry with `startTime` and `lastUpdateTime`."""
        started, updated = entry.get("startTime"), entry.get("lastUpdateTime")
        if started is None:
            started = self._start_before - timedelta(microseconds=1)
            started = min(started, updated or started)
        self._start_before = started
        return {**entry, "startTime": started, "lastUpdateTime": updated or started}


@dataclass(frozen=True)
class ExecutionList:
    """Executions of a pipeline, newest first. `complete`: AWS lists no older ones."""

    executions: tuple[Execution, ...] = ()
    complete: bool = True


class CodePipeline:
    """CodePipeline, as the gate uses it.

    Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer.
    """

    def __init__(self, client: CodePipelineClient) -> None:
        self._client = client

    @property
    def region(self) -> str:
        return self._client.meta.region_name

    @property
    def partition(self) -> str:
        """The partition of its region, such as "aws" or "aws-cn"."""
        return self._client.meta.partition

    def list_executions(
        self, pipeline: str, since: datetime, until: str | None = None, finished: bool = False
    ) -> tuple[Execution, ...]:
        """Return the executions of a pipeline, newest first: those that `read_executions` reads."""
        return self.read_executions(pipeline, since, until, finished).executions

    def read_executions(
        self, pipeline: str, since: datetime, until: str | None = None, finished: bool = False
    ) -> ExecutionList:
        """Return the newest executions of a pipeline. Raises PipelineNotFound.

        Pages are read until one of their executions began before `since` (aware UTC) or has the id
        `until`. With `finished`, they are read on until one execution has a result. Everything on
        these pages is returned, including older executions on the last one.
        """
        executions: list[Execution] = []
        complete = True
        for page, is_last in self._list_pages(pipeline):
            executions += page
            complete = is_last
            reached = any(execution.started < since or execution.id == until for execution in page)
            if reached and (not finished or any(execution.finished for execution in executions)):
                break
        return ExecutionList(_sort_executions(executions), complete)

    def list_newest_executions(self, pipeline: str) -> tuple[Execution, ...]:
        """Return the newest executions of a pipeline, newest first: one page, at most MAX_PAGE.

        Raises PipelineNotFound.
        """
        return _sort_executions(next(self.list_execution_pages(pipeline)))

    def list_execution_pages(self, pipeline: str) -> Iterator[tuple[Execution, ...]]:
        """Yield pages of all executions, newest first in practice. Raises PipelineNotFound."""
        for page, _ in self._list_pages(pipeline):
            yield page

    def _list_pages(self, pipeline: str) -> Iterator[tuple[tuple[Execution, ...], bool]]:
        """Yield the same pages, each with whether it is the last one."""
        position: dict[str, Any] = {}
        times = MissingTimes()
        with translate_errors("codepipeline:ListPipelineExecutions", pipeline):
            # botocore's paginator would load its own data first, which takes a cold start about
            # twelve milliseconds longer.
            while True:
                page = self._client.list_pipeline_executions(pipelineName=pipeline, **position)
                token = page.get("nextToken")
                summaries = map(times.complete, page["pipelineExecutionSummaries"])
                yield tuple(map(Execution.parse, summaries)), not token
                if not token:
                    return
                position = {"nextToken": token}

    def list_pipelines(self) -> dict[str, tuple[int | None, datetime | None]]:
        """Return every pipeline's version, and when it was edited (aware UTC), by its name.

        (model: ListPipelines.)
        """
        with translate_errors("codepipeline:ListPipelines"):
            pages = self._client.get_paginator("list_pipelines").paginate()
            return {
                summary["name"]: (summary.get("version"), summary.get("updated"))
                for page in pages
                for summary in page["pipelines"]
            }

    def read_declaration(self, pipeline: str) -> tuple[dict[str, Any], datetime | None]:
        """Return a pipeline's structure and when it was edited (aware UTC).

        The structure is a PipelineDeclaration (model). Raises PipelineNotFound.
        """
        with translate_errors("codepipeline:GetPipeline", pipeline):
            answer: Any = self._client.get_pipeline(name=pipeline)
        return answer["pipeline"], answer.get("metadata", {}).get("updated")

    def read_state(self, pipeline: str) -> PipelineState:
        """Return the state of a pipeline (model: GetPipelineState). Raises PipelineNotFound."""
        from chalicelib.aws import parsing  # noqa: PLC0415 - not needed on the open path

        with translate_errors("codepipeline:GetPipelineState", pipeline):
            return parsing.parse_state(self._client.get_pipeline_state(name=pipeline))

    def read_execution(self, pipeline: str, execution: str) -> ExecutionDetail:
        """Return one execution (model: GetPipelineExecution). Raises PipelineNotFound if there is
        no such execution.
        """
        with translate_errors("codepipeline:GetPipelineExecution", pipeline):
            answer = self._client.get_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=execution
            )["pipelineExecution"]
        return ExecutionDetail(
            status=answer["status"],
            variables={
                entry["name"]: entry["resolvedValue"] for entry in answer.get("variables", [])
            },
            origin=Origin.parse(answer),
            artifacts={
                artifact.get("name", ""): artifact.get("revisionId", "")
                for artifact in answer.get("artifactRevisions", [])
            },
        )

    def list_attempts(self, pipeline: str, execution: str) -> tuple[Attempt, ...]:
        """Return every attempt of every action in an execution. Raises PipelineNotFound."""
        return tuple(chain.from_iterable(self.list_attempt_pages(pipeline, execution)))

    def list_attempt_pages(
        self, pipeline: str, execution: str | None = None
    ) -> Iterator[list[Attempt]]:
        """Yield pages of the attempts of actions, of one execution or of all, newest first in
        practice.

        (model: ListActionExecutions.) Raises PipelineNotFound.
        """
        from chalicelib.aws.parsing import parse_attempt  # noqa: PLC0415

        times = MissingTimes()
        with translate_errors("codepipeline:ListActionExecutions", pipeline):
            pages = self._client.get_paginator("list_action_executions").paginate(
                pipelineName=pipeline, **_build_filter(execution)
            )
            for page in pages:
                details = map(times.complete, page["actionExecutionDetails"])
                yield [parse_attempt(detail) for detail in details]

    def list_condition_attempts(self, pipeline: str, execution: str) -> tuple[Attempt, ...]:
        """Return every attempt of every rule of the stages' conditions in an execution.

        Raises PipelineNotFound.
        """
        return tuple(chain.from_iterable(self.list_condition_attempt_pages(pipeline, execution)))

    def list_condition_attempt_pages(
        self, pipeline: str, execution: str | None = None
    ) -> Iterator[list[Attempt]]:
        """Yield pages of the attempts of stage conditions' rules, like list_attempt_pages.

        (model: ListRuleExecutions.) Yields nothing if botocore is from before November 2024 and
        does not know the call. Raises PipelineNotFound.
        """
        if not hasattr(self._client, "list_rule_executions"):
            return
        from chalicelib.aws.parsing import parse_condition_attempt  # noqa: PLC0415

        times = MissingTimes()
        with translate_errors("codepipeline:ListRuleExecutions", pipeline):
            pages = self._client.get_paginator("list_rule_executions").paginate(
                pipelineName=pipeline, **_build_filter(execution)
            )
            for page in pages:
                details = map(times.complete, page["ruleExecutionDetails"])
                yield [parse_condition_attempt(detail) for detail in details]

    def read_job_owner(self, job: str) -> JobOwner:
        """Return whose job it is, as far as AWS says.

        AWS promises it only for custom actions (model: GetJobDetails). The answer also contains
        credentials; everything else in it is dropped.
        """
        try:
            answer = self._client.get_job_details(jobId=job)
        except (ClientError, BotoCoreError) as error:
            _raise_unless_job_is_over(error, "codepipeline:GetJobDetails")
            return JobOwner()
        context: Mapping[str, Any] = answer["jobDetails"]["data"].get("pipelineContext", {})
        stage, action = (context.get(key, {}).get("name") for key in ("stage", "action"))
        gate = (stage, action) if stage and action else None
        return JobOwner(context.get("pipelineName"), context.get("pipelineExecutionId"), gate)

    def succeed_job(self, job: str, summary: str, variables: Mapping[str, str]) -> bool:
        """Let a job's action succeed with these output variables.

        False if the job already has a result or does not exist: then nothing changed.
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
        """Keep a job's action in progress: CodePipeline invokes the gate again, with a new job.

        `token`: the continuation token of that job (model: PutJobSuccessResult).
        `mark`: the action's external execution id.
        False if the job already has a result or does not exist: then nothing changed.
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
            _raise_unless_job_is_over(error, "codepipeline:PutJobSuccessResult")
            return False
        return True

    def fail_job(self, job: str, kind: FailureType, message: str, mark: str = "") -> bool:
        """Let a job's action fail. `mark`: its external execution id; "" if it needs none.

        False if the job already has a result or does not exist: then nothing changed.
        """
        details: FailureDetailsTypeDef = {"type": kind, "message": message}
        if mark:
            details["externalExecutionId"] = mark
        try:
            self._client.put_job_failure_result(jobId=job, failureDetails=details)
        except (ClientError, BotoCoreError) as error:
            _raise_unless_job_is_over(error, "codepipeline:PutJobFailureResult")
            return False
        return True

    def start_pipeline(
        self, pipeline: str, token: str, variables: Mapping[str, str], revisions: Sequence[Revision]
    ) -> str:
        """Start a pipeline with these variables and source revisions; return the execution's id.

        If AWS already knows `token`, it starts nothing and returns the id of the execution that was
        started with it. Variables and revisions that the pipeline no longer declares are left out.
        Raises PipelineNotFound, and StartRefused if AWS does not take a variable or a revision, or
        if a source that the pipeline declares now would take another revision than these.
        """
        request: StartPipelineExecutionInputTypeDef = {
            "name": pipeline,
            "clientRequestToken": token,
            # A value must not be an empty string (model: PipelineVariableValue).
            "variables": [
                {"name": name, "value": value} for name, value in variables.items() if value
            ],
            "sourceRevisions": [
                {
                    "actionName": revision.action,
                    "revisionType": find_revision_type(revision.provider),
                    "revisionValue": revision.id,
                }
                for revision in revisions
            ],
        }
        with translate_errors("codepipeline:StartPipelineExecution", pipeline):
            try:
                return self._send_start(request)
            except ClientError as error:
                if not is_aws_error(error, "ValidationException"):
                    raise
            try:
                return self._send_start(self._remove_undeclared(request))
            except ClientError as error:
                if not is_aws_error(error, "ValidationException"):
                    raise
                raise StartRefused("AWS refuses it") from error

    def retry_stage(self, pipeline: str, stage: str, execution: str) -> None:
        """Run the failed actions of a stage again, in the same execution.

        (model: RetryStageExecution.) Raises NotRetryable, TakenOver or PipelineNotFound.
        """
        try:
            self._client.retry_stage_execution(
                pipelineName=pipeline,
                stageName=stage,
                pipelineExecutionId=execution,
                retryMode="FAILED_ACTIONS",
            )
        except (ClientError, BotoCoreError) as error:
            if is_aws_error(error, "StageNotRetryableException", "StageNotFoundException"):
                raise NotRetryable(stage) from error
            if is_aws_error(error, "NotLatestPipelineExecutionException"):
                raise TakenOver(stage) from error
            raise translate_error(error, "codepipeline:RetryStageExecution", pipeline) from error

    def _send_start(self, request: StartPipelineExecutionInputTypeDef) -> str:
        # AWS refuses an empty list of variables (model: PipelineVariableList).
        filled: Any = {key: value for key, value in request.items() if value}
        return self._client.start_pipeline_execution(**filled)["pipelineExecutionId"]

    def _remove_undeclared(
        self, request: StartPipelineExecutionInputTypeDef
    ) -> StartPipelineExecutionInputTypeDef:
        pipeline = self._client.get_pipeline(name=request["name"])["pipeline"]
        variables = {variable["name"] for variable in pipeline.get("variables", [])}
        sources = {
            action["name"]
            for stage in pipeline["stages"]
            for action in stage["actions"]
            if action["actionTypeId"]["category"] == "Source"
        }
        overridden = {revision["actionName"] for revision in request.get("sourceRevisions", ())}
        if overridden and (new := sorted(sources - overridden)):
            raise StartRefused(f"the pipeline has a new source, {new[0]}")
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
                if revision["actionName"] in sources
            ],
        }


def _build_filter(execution: str | None) -> dict[str, Any]:
    return {"filter": {"pipelineExecutionId": execution}} if execution else {}


def _sort_executions(executions: Sequence[Execution]) -> tuple[Execution, ...]:
    """Return executions newest first, as AWS lists them in practice; the model does not promise it.

    Those that began at the same time stay in AWS's order.
    """
    return tuple(sorted(executions, key=lambda execution: execution.started, reverse=True))


def _raise_unless_job_is_over(error: ClientError | BotoCoreError, call: str) -> None:
    if not is_aws_error(error, "InvalidJobStateException", "JobNotFoundException"):
        raise translate_error(error, call) from error
