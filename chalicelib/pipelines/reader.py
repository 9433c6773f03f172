"""Asks AWS about the upstreams, all at once: what the decision needs to know of each, and no
more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from chalicelib.aws.clients import Aws
from chalicelib.errors import Misconfigured, NoAnswer, NotPermitted, PipelineNotFound
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LOOK_BACK, Execution
from chalicelib.pipelines.upstream import Upstream

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState
    from chalicelib.pipelines.wait_cycles import Cycle, WaitEdge, WaitingPipeline

MAX_LOOKS = 3
"""So often an upstream is looked at that is started again while it is being looked at."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


def run_in_parallel(call: Callable[[Asked], Found], items: Sequence[Asked]) -> list[Found]:
    """`ask_one` of each of `many`, side by side; the results in their order."""
    if len(items) < 2:
        return [call(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - one upstream is the rule

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(call, items))


class UpstreamReader:
    """Looks at upstreams on behalf of an execution of a pipeline, in one invocation that began at
    `now` (aware UTC).

    `pipeline` and `execution` are None where they are not known; `stays`: the execution stays in
    progress while it waits.
    """

    def __init__(
        self,
        pipeline: str | None,
        execution: str | None,
        aws: Aws,
        context: object,
        now: datetime,
        *,
        stays_in_progress: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._execution = execution
        self._stays = stays_in_progress
        self._aws = aws
        self._context = context
        self._now = now

    def read_upstreams(self, dependencies: Sequence[Dependency]) -> list[Upstream]:
        """Each of them as it is. One that AWS does not tell of is `unanswered`, one that is not
        there `gone`. Raises NotPermitted.
        """
        return run_in_parallel(self._read_upstream, dependencies)

    def read_details(self, waiting: Sequence[Upstream]) -> list[Upstream]:
        """The same upstreams, with what keeps those that run: whom they wait for themselves. For
        people, and to see deadlocks.
        """
        return run_in_parallel(self._read_detail, waiting)

    def _read_upstream(self, entry: Dependency) -> Upstream:
        try:
            upstream = Upstream(entry)
            for _ in range(MAX_LOOKS):
                before, upstream = upstream, self._read_executions(entry)
                failed = upstream.possibly_held
                if failed is None or not self.is_local(entry) or failed == before.possibly_held:
                    return upstream
                hold = self._read_hold(failed)
                if hold:
                    return replace(
                        upstream, hold=hold, cycle=self._find_cycle(entry, self._list_edges(hold))
                    )
                # The rule may just have gone because the retry has started the pipeline again: only
                # a second look tells.
        except NotPermitted as error:
            error.elsewhere = entry.role_arn is not None
            raise
        except PipelineNotFound:
            return Upstream(entry, missing=True)
        except NoAnswer as error:  # it may run: only a known idle upstream opens the gate
            return Upstream(entry, unanswered=str(error))
        return Upstream(entry, unanswered="it was started again and again while the gate looked")

    def _read_executions(self, entry: Dependency) -> Upstream:
        codepipeline = self._aws.codepipeline_for(entry)
        executions = codepipeline.list_executions(
            entry.name, since=self._now - LOOK_BACK, finished=entry.require == "succeeded"
        )
        upstream = Upstream(entry, executions)
        if entry.stage or (entry.parked == "pass" and upstream.running):
            return replace(upstream, state=codepipeline.read_state(entry.name))
        return upstream

    def _read_detail(self, upstream: Upstream) -> Upstream:
        if not upstream.running:
            return upstream
        try:
            state = upstream.state or self._aws.codepipeline_for(upstream.dependency).read_state(
                upstream.dependency.name
            )
        except (
            Exception
        ):  # whatever it is: the reason is told in less detail, and the hold does not depend on it
            return upstream
        edges = _marked(state, upstream.blocking)
        cycle = (
            self._find_cycle(upstream.dependency, edges)
            if edges and self.is_local(upstream.dependency)
            else None
        )
        return replace(upstream, state=state, cycle=cycle or upstream.cycle)

    def is_local(self, entry: Dependency) -> bool:
        """Whether it lives where this gate does, so that this gate may hold it."""
        return entry.role_arn is None and entry.region in (None, self._aws.codepipeline.region)

    def _read_hold(self, failed: Execution) -> Hold | None:
        # The open path behind a succeeded upstream needs no holds.
        from chalicelib.deployment import Deployment  # noqa: PLC0415
        from chalicelib.holds.rule import name_rule  # noqa: PLC0415

        try:
            return self._aws.eventbridge.read_hold(
                name_rule(Deployment.from_context(self._context), failed.id)
            )
        except (Misconfigured, ValueError):
            return None  # a gate that cannot name its rules has made none; what somebody else wrote there holds nobody

    def _find_cycle(self, entry: Dependency, waits: Sequence[WaitEdge]) -> Cycle | None:
        from chalicelib.pipelines.wait_cycles import Requester, find_cycle  # noqa: PLC0415

        return find_cycle(
            entry.name,
            waits,
            Requester(self._pipeline, self._execution, self._stays),
            self._read_wait,
        )

    def _read_wait(self, pipeline: str) -> WaitingPipeline:
        """For whom a pipeline further up the chain waits, if it waits."""
        from chalicelib.pipelines.wait_cycles import WaitingPipeline  # noqa: PLC0415

        codepipeline, since = self._aws.codepipeline, self._now - LOOK_BACK
        try:
            upstream = Upstream(
                Dependency(pipeline), codepipeline.list_executions(pipeline, since=since)
            )
            if upstream.running:
                return WaitingPipeline(
                    _marked(codepipeline.read_state(pipeline), upstream.running),
                    stays_in_progress=True,
                )
            hold = self._read_hold(upstream.possibly_held) if upstream.possibly_held else None
        except (NoAnswer, PipelineNotFound):
            return WaitingPipeline()
        return WaitingPipeline(self._list_edges(hold) if hold else ())

    def _list_edges(self, hold: Hold) -> list[WaitEdge]:
        """For whom a held pipeline waits here: one of the same name elsewhere is another."""
        from chalicelib.pipelines.wait_cycles import WaitEdge  # noqa: PLC0415

        return [
            WaitEdge(entry.name, entry.require) for entry in hold.depends_on if self.is_local(entry)
        ]


def _marked(state: PipelineState, running: Sequence[Execution]) -> list[WaitEdge]:
    """For whom these executions wait in place, as their gates have marked it."""
    from chalicelib.pipelines.wait_cycles import read_mark  # noqa: PLC0415

    marks = [read_mark(text) for execution in running for text in state.marks(execution.id)]
    return [edge for mark in marks if mark for edge in mark.waits]
