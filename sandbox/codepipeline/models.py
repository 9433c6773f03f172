"""The operations of CodePipeline's API. The caller holds the world's lock: responses.py takes it
for every request.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from moto.codepipeline.exceptions import (
    PipelineExecutionNotFoundException,
    PipelineNotFoundException,
)
from moto.codepipeline.models import CodePipelineBackend as MotoBackend
from moto.core.exceptions import JsonRESTError

from sandbox.clock import utcnow
from sandbox.codepipeline import (
    actions,
    flow,
    jobs,
    paging,
    rollback,
    shapes,
    sources,
    structure,
    triggers,
    variables,
)
from sandbox.codepipeline.exceptions import (
    ActionNotFoundException,
    ApprovalAlreadyCompletedException,
    ConcurrentPipelineExecutionsLimitExceededException,
    ConditionNotOverridableException,
    ConflictException,
    DuplicatedStopRequestException,
    InvalidApprovalTokenException,
    JobNotFoundException,
    NotLatestPipelineExecutionException,
    PipelineExecutionNotStoppableException,
    PipelineNameInUseException,
    StageNotRetryableException,
)
from sandbox.codepipeline.execution import (
    ActionExecution,
    ActionJob,
    Declaration,
    PipelineExecution,
    RevisionHistory,
    RuleExecution,
    SourceRevision,
    StageExecution,
)
from sandbox.codepipeline.pipeline import OutcomeHook, Pipeline
from sandbox.codepipeline.triggers import GitEvent, PullRequestEvent
from sandbox.past import draw_moment
from sandbox.world import current_world

Request = dict[str, Any]
ResponseBody = dict[str, Any]

MAX_CONCURRENT_EXECUTIONS = 50
"""Of one pipeline in QUEUED or PARALLEL mode (guide: limits)."""
HISTORY_PERIOD = timedelta(days=365)
"""The lists go back 12 months (model: ListPipelineExecutionsInput)."""


class CodePipelineBackend(MotoBackend):
    """moto's backend (create, get, update, delete, list, tags), whose pipelines run.

    `outcome`: if a test sets it, it decides how every action goes that is neither Lambda nor
    approval.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.pipelines: dict[str, Pipeline] = {}  # type: ignore[assignment]
        self.outcome: OutcomeHook | None = None
        self.revisions = RevisionHistory()

    def reset(self) -> None:
        for pipeline in self.pipelines.values():
            pipeline.deleted = True  # so that calls that are planned for it do nothing
        super().reset()

    # Pipelines

    def create_pipeline(
        self, pipeline: Declaration, tags: list[dict[str, str]], caller: str = ""
    ) -> tuple[Declaration, list[dict[str, str]]]:
        if pipeline["name"] in self.pipelines:
            raise PipelineNameInUseException(
                f"A pipeline with the name '{pipeline['name']}' already exists"
            )
        structure.check_pipeline(pipeline)
        try:
            _, tags = super().create_pipeline(pipeline, tags)
        except JsonRESTError:
            # moto keeps a pipeline whose tags it refuses.
            self.pipelines.pop(pipeline["name"], None)
            raise
        runnable = Pipeline(self, pipeline)
        runnable.tags = self.pipelines[pipeline["name"]].tags
        self.pipelines[runnable.name] = runnable
        runnable.past.before = shapes.render_pipeline_state(runnable)
        if current_world().dials.start_on_create:
            self._start_execution(runnable, {}, "CreatePipeline", caller)
        return runnable.pipeline, tags

    def update_pipeline(self, pipeline: Declaration) -> Declaration:
        """Edit a pipeline; what runs is cancelled (model: PipelineExecution, status Cancelled)."""
        structure.check_pipeline(pipeline)
        existing = self.pipelines.get(pipeline["name"])
        if existing is not None:
            flow.cancel_all(existing)
        declaration = super().update_pipeline(pipeline)
        self.pipelines[pipeline["name"]].rebuild_stages()
        return declaration

    def delete_pipeline(self, name: str) -> None:
        """Delete a pipeline with all its executions and jobs. The model has no error for a pipeline
        that does not exist.
        """
        if name in self.pipelines:
            self.pipelines[name].deleted = True
        super().delete_pipeline(name)

    def pipeline(self, name: str) -> Pipeline:
        """A pipeline by name, or PipelineNotFoundException."""
        try:
            return self.pipelines[name]
        except KeyError:
            raise PipelineNotFoundException(
                f"Account '{self.account_id}' does not have a pipeline with name '{name}'"
            ) from None

    # What happens in the sources, for tests and `python -m sandbox.push`

    def push(
        self, pipeline: str, action: str, revision: str, trigger_type: str | None = None
    ) -> None:
        """Make `revision` the newest of a source. It starts the pipeline only if `trigger_type`
        says how the change was noticed, such as "Webhook" or "CloudWatchEvent" (model:
        TriggerType).
        """
        sources.push_revision(self.pipeline(pipeline), action, revision)
        if trigger_type:
            self._start_execution(self.pipeline(pipeline), {}, trigger_type, "")

    def start_from_rule(self, name: str, source_revisions: list[dict[str, str]]) -> str:
        """What an EventBridge rule does that has a pipeline as its target and source revisions in
        its input (guide: create-S3-source-events, create-cwe-ecr-source). The execution's id.
        """
        request = {"sourceRevisions": source_revisions}
        return self._start_execution(self.pipeline(name), request, "CloudWatchEvent", "").id

    def push_commit(
        self,
        repository: str,
        branch: str,
        commit: str,
        *,
        message: str | None = None,
        paths: Iterable[str] = ("README.md",),
    ) -> list[str]:
        """Push to a branch of a connection's repository. The ids of the executions that start."""
        revision = SourceRevision(commit, utcnow(), message, branch=branch)
        place = sources.find_branch_place(repository, branch)
        self.revisions.record(repository, place, revision)
        return self._receive(GitEvent(repository, revision, paths=tuple(paths)))

    def push_tag(
        self, repository: str, tag: str, commit: str, *, message: str | None = None
    ) -> list[str]:
        """Push a tag. The ids of the executions that start."""
        revision = SourceRevision(commit, utcnow(), message, tag=tag)
        self.revisions.record(repository, None, revision)
        return self._receive(GitEvent(repository, revision))

    def change_pull_request(
        self,
        repository: str,
        source: str,
        target: str,
        commit: str,
        event: PullRequestEvent = "OPEN",
        *,
        message: str | None = None,
        paths: Iterable[str] = ("README.md",),
    ) -> list[str]:
        """Open, update or close a pull request from branch `source`, whose head is `commit`, into
        `target`. No branch moves. The ids of the executions that start.
        """
        revision = SourceRevision(commit, utcnow(), message, branch=source)
        self.revisions.record(repository, None, revision)
        return self._receive(GitEvent(repository, revision, event, target, tuple(paths)))

    def _receive(self, event: GitEvent) -> list[str]:
        """Start the pipelines that the event starts: once for each of their sources. AWS does not
        say what becomes of an event at the limit of concurrent executions: here it is lost.
        """
        started = []
        for pipeline in list(self.pipelines.values()):
            for name, source in sources.list_source_actions(pipeline).items():
                trigger_type = triggers.find_trigger(pipeline.pipeline, source, event)
                if trigger_type is None:
                    continue
                commits = {name: event.revision} if trigger_type == "WebhookV2" else {}
                # (practice: the detail of a Webhook; that of a WebhookV2 is assumed)
                connection = source["configuration"].get("ConnectionArn", "")
                with suppress(ConcurrentPipelineExecutionsLimitExceededException):
                    execution = self._start_execution(
                        pipeline, {}, trigger_type, connection, commits
                    )
                    started.append(execution.id)
        return started

    # Executions

    def start_pipeline_execution(  # type: ignore[override]
        self, request: Request, caller: str = ""
    ) -> str:
        """The new execution's id, or the earlier one's if the clientRequestToken was used before
        (Dials.token_memory).
        """
        pipeline, token = self.pipeline(request["name"]), request.get("clientRequestToken")
        memory = current_world().dials.token_memory
        earlier = pipeline.tokens.get(token or "")
        if earlier is not None and (memory is None or utcnow() - earlier.started < memory):
            return earlier.id
        execution = self._start_execution(pipeline, request, "StartPipelineExecution", caller)
        if token:
            pipeline.tokens[token] = execution
        return execution.id

    def _start_execution(
        self,
        pipeline: Pipeline,
        request: Request,
        trigger_type: str,
        trigger_detail: str,
        commits: dict[str, SourceRevision] | None = None,
    ) -> PipelineExecution:
        execution = PipelineExecution(
            pipeline_name=pipeline.name,
            pipeline_version=pipeline.version,
            number=len(pipeline.history),
            mode=pipeline.mode,
            trigger_type=trigger_type,
            trigger_detail=trigger_detail,
            variables=variables.collect_variables(pipeline, request.get("variables") or []),
            overrides=sources.parse_overrides(pipeline, request.get("sourceRevisions") or []),
            triggered_revisions=commits or {},
        )
        self._check_concurrency(pipeline)
        flow.start(pipeline, execution)
        return execution

    @staticmethod
    def _check_concurrency(pipeline: Pipeline) -> None:
        if pipeline.mode != "SUPERSEDED" and len(pipeline.running) >= MAX_CONCURRENT_EXECUTIONS:
            raise ConcurrentPipelineExecutionsLimitExceededException(
                f"Pipeline '{pipeline.name}' already runs {MAX_CONCURRENT_EXECUTIONS} executions "
                "at once"
            )

    def execution(self, pipeline: Pipeline, execution_id: str) -> PipelineExecution:
        """An execution by id, or PipelineExecutionNotFoundException."""
        try:
            return pipeline.by_id[execution_id]
        except KeyError:
            raise PipelineExecutionNotFoundException(
                f"Pipeline '{pipeline.name}' does not have an execution with id '{execution_id}'"
            ) from None

    def get_pipeline_execution(  # type: ignore[override]
        self, pipeline_name: str, pipeline_execution_id: str
    ) -> ResponseBody:
        pipeline = self.pipeline(pipeline_name)
        return shapes.render_execution_detail(
            pipeline, self.execution(pipeline, pipeline_execution_id)
        )

    def list_pipeline_executions(  # type: ignore[override]
        self, request: Request
    ) -> tuple[list[ResponseBody], str | None]:
        """Newest first, and the token for more."""
        pipeline, oldest = self.pipeline(request["pipelineName"]), utcnow() - HISTORY_PERIOD
        in_stage = ((request.get("filter") or {}).get("succeededInStage") or {}).get("stageName")
        shown_at = draw_moment("ListPipelineExecutions") or utcnow()

        def is_listed(execution: PipelineExecution) -> bool:
            if not oldest <= execution.started <= shown_at:
                return False
            if in_stage is None:
                return True
            passage = execution.stages.get(in_stage)
            return (
                execution.pipeline_version == pipeline.version
                and passage is not None
                and passage.status == "Succeeded"
            )

        page, token = paging.page_newest_first(
            pipeline.history,
            is_listed,
            scope=f"executions of {pipeline.name}",
            size=request.get("maxResults"),
            token=request.get("nextToken"),
        )
        return [
            (execution.past.has_changed_since(shown_at) and execution.past.at(shown_at))
            or shapes.render_execution_summary(execution)
            for execution in page
        ], token

    def list_action_executions(self, request: Request) -> tuple[list[ResponseBody], str | None]:
        """Newest first, and the token for more; of one execution or of all."""
        pipeline, oldest = self.pipeline(request["pipelineName"]), utcnow() - HISTORY_PERIOD
        filters = request.get("filter") or {}
        latest = filters.get("latestInPipelineExecution") or {}
        execution_id = filters.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
        runs = self.execution(pipeline, execution_id).actions if execution_id else pipeline.actions
        only_latest = latest.get("startTimeRange") == "Latest"
        page, token = paging.page_newest_first(
            runs,
            lambda run: (
                run.started >= oldest
                and (not only_latest or run.stage.actions.get(run.name) is run)
            ),
            scope=f"actions of {pipeline.name} {execution_id or ''}",
            size=request.get("maxResults"),
            token=request.get("nextToken"),
        )
        return [shapes.render_action_detail(pipeline, run) for run in page], token

    def list_rule_executions(self, request: Request) -> tuple[list[ResponseBody], str | None]:
        """The runs of rules, newest first, and the token for more; of one execution or of all
        (model: ListRuleExecutions).
        """
        pipeline, oldest = self.pipeline(request["pipelineName"]), utcnow() - HISTORY_PERIOD
        filters = request.get("filter") or {}
        latest = filters.get("latestInPipelineExecution") or {}
        execution_id = filters.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
        only_latest = latest.get("startTimeRange") == "Latest"

        def is_listed(run: RuleExecution) -> bool:
            entry = run.stage.entry
            return run.started >= oldest and (
                not only_latest or (entry is not None and entry.rules.get(run.name) is run)
            )

        page, token = paging.page_newest_first(
            self.execution(pipeline, execution_id).rules if execution_id else pipeline.rules,
            is_listed,
            scope=f"rules of {pipeline.name} {execution_id or ''}",
            size=request.get("maxResults"),
            token=request.get("nextToken"),
        )
        return [shapes.render_rule_detail(pipeline, run) for run in page], token

    def get_pipeline_state(self, name: str) -> ResponseBody:
        pipeline, shown_at = self.pipeline(name), draw_moment("GetPipelineState")
        if shown_at and pipeline.past.has_changed_since(shown_at):
            return pipeline.past.at(shown_at) or shapes.render_pipeline_state(pipeline)
        return shapes.render_pipeline_state(pipeline)

    def stop_pipeline_execution(self, request: Request) -> str:
        """The execution's id. It is Stopped at once if nothing is running or the running actions
        are abandoned, and Stopping until they end otherwise.
        """
        pipeline, abandon = self.pipeline(request["pipelineName"]), bool(request.get("abandon"))
        execution = pipeline.by_id.get(request["pipelineExecutionId"])
        if execution is None or not execution.runs:
            raise PipelineExecutionNotStoppableException(
                f"Pipeline '{pipeline.name}' does not run an execution with id "
                f"'{request['pipelineExecutionId']}'"
            )
        if execution.status == "Stopping" and not abandon:
            raise DuplicatedStopRequestException(f"Execution '{execution.id}' is already stopping")
        execution.stop_reason = request.get("reason", execution.stop_reason or "")
        flow.stop(pipeline, execution, abandon=abandon)
        return execution.id

    def retry_stage_execution(self, request: Request) -> str:
        """The execution's id; it continues with the stage's failed actions, or with all of them
        (model: RetryStageExecution).
        """
        pipeline = self.pipeline(request["pipelineName"])
        all_actions = request["retryMode"] == "ALL_ACTIONS"
        passage = self._find_retryable(
            pipeline, request["stageName"], request["pipelineExecutionId"]
        )
        if all_actions and passage.running:
            raise ConflictException(
                f"Actions of stage '{passage.name}' are still in progress: only the failed ones "
                "can be retried"
            )
        self._check_concurrency(pipeline)
        flow.retry(pipeline, passage, all_actions=all_actions)
        return passage.execution.id

    @staticmethod
    def _find_latest(pipeline: Pipeline, stage_name: str, execution_id: str) -> PipelineExecution:
        """The execution, which must be the latest in the stage, except in PARALLEL mode."""
        stage, execution = pipeline.stage(stage_name), pipeline.by_id.get(execution_id)
        if execution is None or (pipeline.mode != "PARALLEL" and execution is not stage.latest):
            raise NotLatestPipelineExecutionException(
                f"Execution '{execution_id}' is not the latest that entered stage '{stage_name}' "
                f"of pipeline '{pipeline.name}'"
            )
        return execution

    @staticmethod
    def _find_retryable(pipeline: Pipeline, stage_name: str, execution_id: str) -> StageExecution:
        execution = CodePipelineBackend._find_latest(pipeline, stage_name, execution_id)
        if execution.pipeline_version != pipeline.version:
            raise StageNotRetryableException(
                f"Pipeline '{pipeline.name}' was edited since execution '{execution_id}' started"
            )
        passage = execution.stages.get(stage_name)
        # A stopped execution can be retried like a failed one (guide: concepts-how-it-works, "Stop
        # and wait", "Stop and abandon").
        if passage is None or passage.status not in ("Failed", "Stopped"):
            raise StageNotRetryableException(
                f"Stage '{stage_name}' has no failed actions in execution '{execution_id}'"
            )
        return passage

    def rollback_stage(self, request: Request, caller: str = "") -> str:
        """The id of the new execution, which runs this stage as the target did (model:
        RollbackStage; guide: stage-rollback).
        """
        pipeline = self.pipeline(request["pipelineName"])
        stage = pipeline.stage(request["stageName"])
        target = self.execution(pipeline, request["targetPipelineExecutionId"])
        rollback.check_target(
            pipeline, stage, target, outdated=target.started < utcnow() - HISTORY_PERIOD
        )
        self._check_concurrency(pipeline)
        execution = rollback.make_execution(pipeline, target, "ManualRollback", caller)
        flow.roll_back(pipeline, execution, stage)
        return execution.id

    def override_stage_condition(self, request: Request) -> None:
        """Let an execution into a stage whose entry condition is being checked (guide:
        stage-conditions, "Overriding"), or has failed (AWS says so in the feature's announcement:
        "override a condition that blocks a pipeline execution if it fails").
        """
        pipeline = self.pipeline(request["pipelineName"])
        execution = self._find_latest(
            pipeline, request["stageName"], request["pipelineExecutionId"]
        )
        passage = execution.stages.get(request["stageName"])
        entry = None if passage is None else passage.entry
        if (
            request["conditionType"] != "BEFORE_ENTRY"
            or passage is None
            or entry is None
            or entry.result == "SKIP"
        ):
            raise ConditionNotOverridableException(
                f"Stage '{request['stageName']}' has no condition that can be overridden"
            )
        if passage.status not in ("InProgress", "Failed") or entry.status not in (
            "InProgress",
            "Failed",
        ):
            raise ConditionNotOverridableException(
                f"The condition of stage '{passage.name}' does not hold up execution "
                f"'{execution.id}'"
            )
        if execution.pipeline_version != pipeline.version:
            raise ConditionNotOverridableException(
                f"Pipeline '{pipeline.name}' was edited since execution '{execution.id}' started"
            )
        if not execution.runs:
            self._check_concurrency(pipeline)
        flow.override(pipeline, passage, entry)

    # Transitions

    def disable_stage_transition(self, request: Request, caller: str = "") -> None:
        """Let executions wait before the stage (Inbound) or before the next one (Outbound)."""
        self._set_transition(request, False, request["reason"], caller)

    def enable_stage_transition(self, request: Request, caller: str = "") -> None:
        """Let in the executions that wait."""
        self._set_transition(request, True, None, caller)

    def _set_transition(
        self, request: Request, enabled: bool, reason: str | None, caller: str
    ) -> None:
        pipeline = self.pipeline(request["pipelineName"])
        stage = pipeline.stage(request["stageName"])
        if request["transitionType"] == "Outbound":
            following = pipeline.stages.index(stage) + 1
            if following == len(pipeline.stages):
                return
            stage = pipeline.stages[following]
        transition = stage.transition
        transition.enabled, transition.reason = enabled, reason
        transition.changed_by, transition.changed_at = caller, utcnow()
        flow.admit_waiting(pipeline, stage)

    # Approvals

    def put_approval_result(self, request: Request, caller: str = "") -> float:
        """Returns when it was recorded, in epoch seconds."""
        pipeline = self.pipeline(request["pipelineName"])
        stage = pipeline.stage(request["stageName"])
        if request["actionName"] not in [action["name"] for action in stage.declaration["actions"]]:
            raise ActionNotFoundException(
                f"Stage '{stage.name}' does not have an action '{request['actionName']}'"
            )
        action = pipeline.approvals.get(request["token"])
        if action is None or (action.stage.name, action.name) != (
            stage.name,
            request["actionName"],
        ):
            raise InvalidApprovalTokenException(
                f"The token does not belong to an open approval of action '{request['actionName']}'"
            )
        self._record_approval(pipeline, action, request["result"], caller)
        return action.updated.timestamp()

    @staticmethod
    def _record_approval(
        pipeline: Pipeline, action: ActionExecution, result: dict[str, str], caller: str
    ) -> None:
        if action.updated_by is not None:
            raise ApprovalAlreadyCompletedException(
                f"Action '{action.name}' has already been approved or rejected"
            )
        if action.status != "InProgress":
            raise InvalidApprovalTokenException(
                f"The approval of action '{action.name}' has expired"
            )
        action.summary, action.updated_by = result["summary"], caller
        if result["status"] == "Approved":
            actions.succeed(pipeline, action)
        else:
            actions.fail(
                pipeline, action, "JobFailed", result["summary"] or f"Rejected by {caller}"
            )

    # Jobs

    def _find_job(self, job_id: str) -> tuple[Pipeline, ActionJob]:
        for pipeline in self.pipelines.values():
            if job_id in pipeline.jobs:
                return pipeline, pipeline.jobs[job_id]
        raise JobNotFoundException(f"There is no job with id '{job_id}'")

    def get_job_details(self, job_id: str) -> ResponseBody:
        return jobs.describe_job(*self._find_job(job_id))

    def put_job_success_result(self, request: Request) -> None:
        jobs.succeed(*self._find_job(request["jobId"]), request)

    def put_job_failure_result(self, request: Request) -> None:
        jobs.fail(*self._find_job(request["jobId"]), request)
