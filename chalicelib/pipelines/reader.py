"""Asks AWS about the upstreams, all at once: what the decision needs to know of each, and no
more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from chalicelib.aws.clients import Aws
from chalicelib.errors import Misconfigured, NoAnswer, PipelineNotFound
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.upstream import Upstream

if TYPE_CHECKING:
    from chalicelib.holds.hold import Hold
    from chalicelib.pipelines.state import PipelineState
    from chalicelib.pipelines.wait_cycles import Cycle, Edge, Wait

LOOK_BACK = timedelta(days=14)
"""How far back an execution may have begun that still runs."""
LOOKS = 3
"""So often an upstream is looked at that is started again while it is being looked at."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


def at_once(ask_one: Callable[[Asked], Found], many: Sequence[Asked]) -> list[Found]:
    """`ask_one` of each of `many`, side by side; the results in their order."""
    if len(many) < 2:
        return [ask_one(one) for one in many]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - one upstream is the rule

    with ThreadPoolExecutor(len(many)) as pool:
        return list(pool.map(ask_one, many))


class Asking:
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
        stays: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._execution = execution
        self._stays = stays
        self._aws = aws
        self._context = context
        self._now = now

    def upstreams(self, wanted: Sequence[Dependency]) -> list[Upstream]:
        """Each of them as it is. One that AWS does not tell of is `unanswered`, one that is not
        there `gone`. Raises NotPermitted.
        """
        return at_once(self._upstream, wanted)

    def in_detail(self, waiting: Sequence[Upstream]) -> list[Upstream]:
        """The same upstreams, with what keeps those that run: whom they wait for themselves. For
        people, and to see deadlocks.
        """
        return at_once(self._detailed, waiting)

    def _upstream(self, wanted: Dependency) -> Upstream:
        try:
            upstream = Upstream(wanted)
            for _ in range(LOOKS):
                before, upstream = upstream, self._look(wanted)
                failed = upstream.perhaps_held
                if failed is None or not self.is_here(wanted) or failed == before.perhaps_held:
                    return upstream
                hold = self._hold_of(failed)
                if hold:
                    return replace(
                        upstream, hold=hold, cycle=self._cycle(wanted, self._edges_of(hold))
                    )
                # The rule may just have gone because the retry has started the pipeline again: only
                # a second look tells.
        except PipelineNotFound:
            return Upstream(wanted, gone=True)
        except NoAnswer as error:  # it may run: only a known idle upstream opens the gate
            return Upstream(wanted, unanswered=str(error))
        return Upstream(wanted, unanswered="it was started again and again while the gate looked")

    def _look(self, wanted: Dependency) -> Upstream:
        room = self._aws.codepipeline_of(wanted)
        executions = room.executions(
            wanted.name, since=self._now - LOOK_BACK, finished=wanted.require == "succeeded"
        )
        upstream = Upstream(wanted, executions)
        if wanted.stage or (wanted.parked == "pass" and upstream.running):
            return replace(upstream, state=room.state(wanted.name))
        return upstream

    def _detailed(self, upstream: Upstream) -> Upstream:
        if not upstream.running:
            return upstream
        try:
            state = upstream.state or self._aws.codepipeline_of(upstream.wanted).state(
                upstream.wanted.name
            )
        except (
            Exception
        ):  # whatever it is: the reason is told in less detail, and the hold does not depend on it
            return upstream
        edges = _marked(state, upstream.blocking)
        found = (
            self._cycle(upstream.wanted, edges) if edges and self.is_here(upstream.wanted) else None
        )
        return replace(upstream, state=state, cycle=found or upstream.cycle)

    def is_here(self, wanted: Dependency) -> bool:
        """Whether it lives where this gate does, so that this gate may hold it."""
        return wanted.role_arn is None and wanted.region in (None, self._aws.codepipeline.region)

    def _hold_of(self, failed: Execution) -> Hold | None:
        # The open path behind a succeeded upstream needs no holds.
        from chalicelib.deployment import Deployment  # noqa: PLC0415
        from chalicelib.holds.rule import rule_name  # noqa: PLC0415

        try:
            return self._aws.eventbridge.hold_kept_by(
                rule_name(Deployment.of(self._context), failed.id)
            )
        except (Misconfigured, ValueError):
            return None  # a gate that cannot name its rules has made none; what somebody else wrote there holds nobody

    def _cycle(self, wanted: Dependency, waits: Sequence[Edge]) -> Cycle | None:
        from chalicelib.pipelines.wait_cycles import Asker, cycle  # noqa: PLC0415

        return cycle(
            wanted.name, waits, Asker(self._pipeline, self._execution, self._stays), self._wait_of
        )

    def _wait_of(self, pipeline: str) -> Wait:
        """For whom a pipeline further up the chain waits, if it waits."""
        from chalicelib.pipelines.wait_cycles import Wait  # noqa: PLC0415

        room, since = self._aws.codepipeline, self._now - LOOK_BACK
        try:
            upstream = Upstream(Dependency(pipeline), room.executions(pipeline, since=since))
            if upstream.running:
                return Wait(_marked(room.state(pipeline), upstream.running), stays=True)
            hold = self._hold_of(upstream.perhaps_held) if upstream.perhaps_held else None
        except (NoAnswer, PipelineNotFound):
            return Wait()
        return Wait(self._edges_of(hold) if hold else ())

    def _edges_of(self, hold: Hold) -> list[Edge]:
        """For whom a held pipeline waits here: one of the same name elsewhere is another."""
        from chalicelib.pipelines.wait_cycles import Edge  # noqa: PLC0415

        return [Edge(one.name, one.require) for one in hold.depends_on if self.is_here(one)]


def _marked(state: PipelineState, running: Sequence[Execution]) -> list[Edge]:
    """For whom these executions wait in place, as their gates have marked it."""
    from chalicelib.pipelines.wait_cycles import read_mark  # noqa: PLC0415

    marks = [read_mark(text) for execution in running for text in state.marks(execution.id)]
    return [edge for mark in marks if mark for edge in mark.waits]
