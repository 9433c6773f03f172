"""Executions of a pipeline, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef

    from chalicelib.holds.verdict import Verdict

NAME = r"[A-Za-z0-9.@\-_]{1,100}"
"""A pipeline's, a stage's or an action's name (model: PipelineName, StageName, ActionName)."""
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""An execution's or a job's id (model: PipelineExecutionId, JobId)."""

RUNNING = frozenset({"InProgress", "Stopping"})
"""A stopping execution still works on its running actions (model: PipelineExecutionStatus)."""
FINISHED = frozenset({"Succeeded", "Failed", "Stopped"})
"""Ended by what it did itself; a superseded or cancelled one never came to it."""

LOOK_BACK = timedelta(days=14)
"""How far back an execution may have begun that still runs."""
PARALLEL = "PARALLEL"
ROLLBACK = "ROLLBACK"


def read_time(text: str) -> datetime:
    """An aware UTC time, read back from where the gate left it. Raises ValueError or OverflowError
    where it is none to reckon with.
    """
    read = datetime.fromisoformat(text).astimezone(UTC)
    if not 2000 <= read.year < 3000:
        raise ValueError(f"{read.year} is not when a hold begins or ends")
    return read


@dataclass(frozen=True)
class Execution:
    """One execution, as ListPipelineExecutions tells of it. Times are aware UTC.

    `revisions` maps a source action's name to the revision it took; `started_by` is the trigger's
    detail, for a StartPipelineExecution the caller's ARN (model: ExecutionTrigger); `kind` is
    STANDARD or ROLLBACK (model: ExecutionType).
    """

    id: str
    status: str
    started: datetime
    updated: datetime
    mode: str = "SUPERSEDED"
    revisions: Mapping[str, str] = field(default_factory=dict)
    started_by: str = ""
    kind: str = "STANDARD"

    @classmethod
    def parse(cls, summary: PipelineExecutionSummaryTypeDef) -> Self:
        return cls(
            id=summary["pipelineExecutionId"],
            status=summary["status"],
            started=summary["startTime"].astimezone(UTC),
            updated=summary["lastUpdateTime"].astimezone(UTC),
            mode=summary.get("executionMode", "SUPERSEDED"),
            revisions={
                revision["actionName"]: revision.get("revisionId", "")
                for revision in summary.get("sourceRevisions", [])
            },
            started_by=summary.get("trigger", {}).get("triggerDetail", ""),
            kind=summary.get("executionType", "STANDARD"),
        )

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def short_id(self) -> str:
        """The first eight characters, as the console shows it."""
        return self.id[:8]


@dataclass(frozen=True)
class Attempt:
    """One attempt of one action in an execution (ListActionExecutions), or of a stage condition's
    rule (ListRuleExecutions).

    `function` is the Lambda function it invokes, if any; `condition`: it is a rule's; `error`: the
    kind of its failure. `message`: what the console shows of it, and
    `verdict` how the gate failed it, if it did; `mark`: its external execution id,
    where a gate that waits writes what it waits for.
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


@dataclass(frozen=True)
class Revision:
    """What a source action took: `id` is a commit, an image's digest or an object's version, as
    `provider` names them.
    """

    action: str
    provider: str
    id: str
