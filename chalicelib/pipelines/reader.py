"""Reads the upstreams from AWS, all at the same time: only what the decision depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from chalicelib.aws.clients import Aws
from chalicelib.errors import (
    Misconfigured,
    NoAnswer,
    NoSuchRegion,
    NotPermitted,
    PipelineNotFound,
)
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LONGEST_APPROVAL, LOOK_BACK, PARALLEL, Execution
from chalicelib.pipelines.upstream import Upstream

if TYPE_CHECKING:
    from chalicelib.aws.codepipeline import ExecutionList
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState
    from chalicelib.pipelines.wait_cycles import Cycle, WaitEdge, WaitingPipeline

MAX_THREADS = 50
"""How many calls are made at the same time."""
MAX_READS = 3
"""How often an upstream is read that is started again while it is being read."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def run_in_parallel(call: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Return `call(item)` for each item, in their order. The calls run at the same time."""
    if len(items) < 2:
        return [call(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most gates have one upstream

    with ThreadPoolExecutor(min(len(items), MAX_THREADS)) as pool:
        return list(pool.map(call, items))


class UpstreamReader:
    """Reads upstreams for the waiting pipeline, in one invocation of Lambda.

    `pipeline`: the waiting pipeline; None if it is not known.
    `context`: the Lambda context.
    `now`: when the invocation began (aware UTC).
    """

    def __init__(self, pipeline: str | None, aws: Aws, context: object, now: datetime) -> None:
        self._pipeline = pipeline
        self._aws = aws
        self._context = context
        self._now = now

    def read_upstreams(self, dependencies: Sequence[Dependency]) -> list[Upstream]:
        """Return the upstreams as AWS describes them now, in the same order. Raises NotPermitted.

        If AWS does not answer, an upstream is `unanswered`. If it does not exist, it is `missing`.
        """
        return run_in_parallel(self._read_upstream, dependencies)

    def read_details(self, waiting: Sequence[Upstream]) -> list[Upstream]:
        """Return the same upstreams, with the state of those that are running.

        The state says why they are still running, and which pipelines they wait for themselves. It
        is needed for messages and to find deadlocks.
        """
        return run_in_parallel(self._read_detail, waiting)

    def _read_upstream(self, entry: Dependency) -> Upstream:
        try:
            upstream = Upstream(entry)
            for _ in range(MAX_READS):
                before, upstream = upstream, self._read_executions(entry)
                failed = upstream.possibly_held
                if failed is None or not self.is_local(entry) or failed == before.possibly_held:
                    return upstream
                hold = self._read_hold(failed)
                if hold:
                    cycle = self._find_cycle(entry, self._list_edges(hold))
                    return replace(upstream, hold=hold, cycle=cycle)
                # The retry may have removed the rule just now, because it has started the pipeline
                # again. Reading the executions again shows whether it has.
        except NotPermitted as error:
            error.elsewhere = entry.role_arn is not None
            raise
        except PipelineNotFound as error:
            region_missing = isinstance(error, NoSuchRegion)
            return Upstream(entry, missing=True, region_missing=region_missing)
        except NoAnswer as error:
            # It may be running: only an upstream that is known to be idle opens the gate.
            return Upstream(entry, unanswered=str(error))
        return Upstream(entry, unanswered="it kept restarting while the gate checked it")

    def _read_executions(self, entry: Dependency) -> Upstream:
        codepipeline = self._aws.codepipeline_for(entry)
        listed = codepipeline.read_executions(
            entry.name, since=self._now - LOOK_BACK, finished=entry.require == "succeeded"
        )
        upstream = Upstream(entry, listed.executions, read_at=self._now)
        if (
            entry.stage
            or (entry.parked == "pass" and upstream.running)
            or (not upstream.busy and self._may_lack_running(listed))
        ):
            return replace(upstream, state=codepipeline.read_state(entry.name))
        return upstream

    def _may_lack_running(self, listed: ExecutionList) -> bool:
        """Return whether an older execution may be running that only the state shows.

        In PARALLEL mode the state does not show it either (guide: executions-view).
        """
        executions = listed.executions
        return (
            not listed.complete
            and executions[0].mode != PARALLEL
            and executions[-1].started > self._now - LONGEST_APPROVAL
        )

    def _read_detail(self, upstream: Upstream) -> Upstream:
        if not upstream.running:
            return upstream
        entry = upstream.dependency
        try:
            state = upstream.state or self._aws.codepipeline_for(entry).read_state(entry.name)
        except Exception:
            # The hold does not depend on the state. Without it, the message has less detail.
            return upstream
        cycle = upstream.cycle
        edges = _list_marked_edges(state, upstream.blocking)
        if edges and self.is_local(entry):
            cycle = self._find_cycle(entry, edges) or cycle
        return replace(upstream, state=state, cycle=cycle)

    def is_local(self, entry: Dependency) -> bool:
        """Return whether a pipeline is in the gate's own region and account.

        Only then can the gate hold it.
        """
        return entry.role_arn is None and entry.region in (None, self._aws.codepipeline.region)

    def _read_hold(self, failed: Execution) -> Hold | None:
        # These imports are not needed on the open path after an upstream has succeeded.
        from chalicelib.deployment import Deployment  # noqa: PLC0415
        from chalicelib.holds.rule import name_rule  # noqa: PLC0415

        try:
            rule = name_rule(Deployment.from_context(self._context), failed.id)
            hold = self._aws.eventbridge.read_hold(rule)
        except (Misconfigured, ValueError):
            # A gate that cannot name its rules has made none, and a target that the gate did not
            # write holds no pipeline.
            return None
        # A canceled one does not run again, although its rule still exists.
        return None if hold and hold.canceled_by else hold

    def _find_cycle(self, entry: Dependency, waits: Sequence[WaitEdge]) -> Cycle | None:
        from chalicelib.pipelines.wait_cycles import find_cycle  # noqa: PLC0415

        if self._pipeline is None:
            return None
        return find_cycle(entry.name, waits, self._pipeline, self._read_wait)

    def _read_wait(self, pipeline: str) -> WaitingPipeline:
        """Return what a pipeline further up the chain waits for, if it waits."""
        from chalicelib.pipelines.wait_cycles import WaitingPipeline  # noqa: PLC0415

        codepipeline, since = self._aws.codepipeline, self._now - LOOK_BACK
        try:
            executions = codepipeline.list_executions(pipeline, since=since)
            upstream = Upstream(Dependency(pipeline), executions, read_at=self._now)
            if upstream.running:
                edges = _list_marked_edges(codepipeline.read_state(pipeline), upstream.running)
                return WaitingPipeline(edges)
            hold = self._read_hold(upstream.possibly_held) if upstream.possibly_held else None
        except (NoAnswer, PipelineNotFound):
            return WaitingPipeline()
        return WaitingPipeline(self._list_edges(hold), hold=hold) if hold else WaitingPipeline()

    def _list_edges(self, hold: Hold) -> list[WaitEdge]:
        """Return what a held pipeline waits for in this region and account.

        A pipeline of the same name elsewhere is a different one.
        """
        from chalicelib.pipelines.wait_cycles import WaitEdge  # noqa: PLC0415

        return [
            WaitEdge(entry.name, entry.require) for entry in hold.depends_on if self.is_local(entry)
        ]


def _list_marked_edges(state: PipelineState, running: Sequence[Execution]) -> list[WaitEdge]:
    """Return what running executions wait for, as the marks of their gate actions say."""
    from chalicelib.pipelines.wait_cycles import read_mark  # noqa: PLC0415

    marks = [read_mark(text) for execution in running for text in state.list_marks(execution.id)]
    return [edge for mark in marks if mark for edge in mark.waits]
