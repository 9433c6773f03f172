"""Executions of a pipeline and the attempts of their actions, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef

    from chalicelib.holds.verdict import Verdict

NAME = r"[A-Za-z0-9.@\-_]{1,100}"
"""The pattern of a pipeline's, a stage's or an action's name (model: PipelineName, StageName,
ActionName).
"""
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""The pattern of an execution's or a job's id (model: PipelineExecutionId, JobId)."""

RUNNING = frozenset({"InProgress", "Stopping"})
"""Statuses of an execution that has not ended. One that is stopping finishes its running
actions first (model: PipelineExecutionStatus).
"""
FINISHED = frozenset({"Succeeded", "Failed", "Stopped", "Cancelled"})
"""Statuses of an execution that has a result. One that was cancelled was cut off in its work,
because its pipeline was edited (model: PipelineExecutionStatus). A superseded one has no result.
"""
CANCELLED = "Cancelled"
RESTART_TIME = timedelta(minutes=2)
"""How long a cancelled execution counts as running. What edited the pipeline usually starts it
again: a pipeline that updates itself does so within seconds to a minute (practice).
"""

LONGEST_LAG_SECONDS = 10
"""How old an answer of AWS may be: it does not promise that lists and states show at once what has
just happened (the model says nothing about it; a few seconds in practice).
"""

LOOK_BACK = timedelta(days=14)
"""How far back the gate reads the list of executions."""
LONGEST_APPROVAL = timedelta(days=60)
"""An approval can stay open for this long (model: timeoutInMinutes of ActionDeclaration), and the
execution continues after it. A list that does not reach back this far may lack a running one.
"""
PARALLEL = "PARALLEL"
ROLLBACK = "ROLLBACK"


def read_time(text: str) -> datetime:
    """Return a time (aware UTC) that the gate stored as ISO 8601.

    Raises ValueError or OverflowError if the text is not a time, or not a plausible one.
    """
    moment = datetime.fromisoformat(text).astimezone(UTC)
    if not 2000 <= moment.year < 3000:
        raise ValueError(f"{moment.year} is not when a hold begins or ends")
    return moment


@dataclass(frozen=True)
class Origin:
    """What started an execution, and as what.

    `mode`: the pipeline's execution mode: SUPERSEDED, QUEUED or PARALLEL.
    `kind`: STANDARD or ROLLBACK (model: ExecutionType).
    `trigger`: the trigger's type, such as "Webhook" (model: TriggerType); "" if AWS does not tell.
    `started_by`: the trigger's detail; after StartPipelineExecution, the caller's ARN (model:
    ExecutionTrigger).
    """

    mode: str = "SUPERSEDED"
    kind: str = "STANDARD"
    trigger: str = ""
    started_by: str = ""

    @classmethod
    def parse(cls, execution: Mapping[str, Any]) -> Self:
        """Read it from a PipelineExecution or a PipelineExecutionSummary (model)."""
        trigger = execution.get("trigger", {})
        return cls(
            mode=execution.get("executionMode", "SUPERSEDED"),
            kind=execution.get("executionType", "STANDARD"),
            trigger=trigger.get("triggerType", ""),
            started_by=trigger.get("triggerDetail", ""),
        )


@dataclass(frozen=True)
class ExecutionDetail:
    """One execution, as GetPipelineExecution describes it.

    `variables`: the pipeline variables by name, as resolved when it started.
    `artifacts`: the id of the revision in each source's output artifact, by the artifact's name.
    """

    status: str
    variables: Mapping[str, str]
    origin: Origin = Origin()
    artifacts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """One execution, as ListPipelineExecutions describes it. Times are aware UTC.

    `mode`, `started_by`, `kind`, `trigger`: as in Origin.
    `revisions`: the id of the revision that each source action took, by the action's name.
    """

    id: str
    status: str
    started: datetime
    updated: datetime
    mode: str = "SUPERSEDED"
    revisions: Mapping[str, str] = field(default_factory=dict)
    started_by: str = ""
    kind: str = "STANDARD"
    trigger: str = ""

    @classmethod
    def parse(cls, summary: PipelineExecutionSummaryTypeDef) -> Self:
        origin = Origin.parse(summary)
        return cls(
            id=summary["pipelineExecutionId"],
            status=summary["status"],
            started=summary["startTime"].astimezone(UTC),
            updated=summary["lastUpdateTime"].astimezone(UTC),
            mode=origin.mode,
            revisions={
                revision["actionName"]: revision.get("revisionId", "")
                for revision in summary.get("sourceRevisions", [])
            },
            started_by=origin.started_by,
            kind=origin.kind,
            trigger=origin.trigger,
        )

    @property
    def origin(self) -> Origin:
        return Origin(self.mode, self.kind, self.trigger, self.started_by)

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def succeeded(self) -> bool:
        """Whether it is a success of what was pushed. A rollback deploys an older revision."""
        return self.status == "Succeeded" and self.kind != ROLLBACK

    @property
    def short_id(self) -> str:
        """The first eight characters of the id, as the console shows it."""
        return self.id[:8]


@dataclass(frozen=True)
class Attempt:
    """One attempt of an action (ListActionExecutions) or of a stage condition's rule
    (ListRuleExecutions).

    `started`: aware UTC.
    `function`: the Lambda function that it invokes; "" if it invokes none.
    `condition`: whether it is an attempt of a rule, whose name is then in `action`.
    `error`: the type of its failure (model: FailureType); "" if it did not fail.
    `message`: what the console shows: the failure's message, or else the summary.
    `verdict`: how the gate failed it; None if the gate did not.
    `mark`: its external execution id. A gate that waits with its action in progress stores there
    what it waits for (wait_cycles.Mark).
    `execution`: the id of its execution.
    `source`: what a source action took; None for all other actions.
    """

    stage: str
    action: str
    status: str
    started: datetime
    provider: str
    function: str = ""
    condition: bool = False
    error: str = ""
    message: str = ""
    verdict: Verdict | None = None
    mark: str = ""
    execution: str = ""
    source: SourceOutput | None = None


@dataclass(frozen=True)
class SourceOutput:
    """What a source action took, by its configuration and its output variables (guide:
    reference-variables).

    `branch`, `tag`, `object_key`: "" if it has none, or AWS does not tell. `allows_other_keys`: an
    S3 source that an execution may start with another object key (guide: action-reference-S3).
    """

    branch: str = ""
    tag: str = ""
    object_key: str = ""
    allows_other_keys: bool = False


@dataclass(frozen=True)
class Revision:
    """The revision that a source action took.

    `id`: a commit, an image's digest or an object's version, depending on `provider`.
    """

    action: str
    provider: str
    id: str


RevisionType = Literal["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID"]


def find_revision_type(provider: str) -> RevisionType:
    """Return the type of a source provider's revisions. All but two are repositories (model:
    SourceRevisionOverride).
    """
    types: dict[str, RevisionType] = {"ECR": "IMAGE_DIGEST", "S3": "S3_OBJECT_VERSION_ID"}
    return types.get(provider, "COMMIT_ID")
