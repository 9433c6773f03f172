"""Bugs in what the gate reads of its upstreams, and in cycles of waits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chalicelib import errors, gate
from chalicelib.aws.clients import Aws
from chalicelib.aws.codepipeline import CodePipeline, ExecutionList
from chalicelib.aws.other_accounts import OtherAccounts
from chalicelib.holds import making
from chalicelib.pipelines import wait_cycles
from chalicelib.pipelines.reader import UpstreamReader
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.records.log import log_decision
from chalicelib.records.outcomes import Outcome
from tests.simulation.planted_bugs.bug import both, bug, bug_in


@bug_in(Upstream, "running", "Safe", seed=22)
def only_the_newest(_real: Any, self: Upstream) -> object:
    """Only the newest execution of an upstream is checked."""
    return tuple(execution for execution in self.executions[:1] if execution.running)


@bug_in(CodePipeline, "_list_pages", "Safe", seed=10)
def one_page(real: Any, self: CodePipeline, pipeline: str) -> Any:
    """Only the first page of an upstream's executions is read."""
    yield next(iter(real(self, pipeline)))


@bug_in(Upstream, "idle", "Safe", seed=25)
def unanswered_is_idle(_real: Any, self: Upstream) -> bool:
    """An upstream about which AWS does not answer counts as idle."""
    return not self.blocking


@bug_in(CodePipeline, "read_executions", "Safe", seed=123)
def denied_is_idle(real: Any, *arguments: Any, **keys: Any) -> Any:
    """An upstream that the gate may not read counts as idle."""
    try:
        return real(*arguments, **keys)
    except errors.NotPermitted:
        return ExecutionList()


@bug_in(gate, "find_unsatisfied", "Safe", seed=0)
def only_the_first_upstream(real: Any, upstreams: Any) -> Any:
    """Only the first of several upstreams is checked."""
    return real(upstreams[:1])


@bug_in(Upstream, "satisfied", "Safe", seed=6)
def require_ignored(_real: Any, self: Upstream) -> bool:
    """require: succeeded counts as idle."""
    return self.idle


@bug("Safe", seed=9)
def parked_passes() -> AbstractContextManager[object]:
    """A parked upstream does not count, whatever parked says."""

    def find_blocking(self: Upstream) -> Any:
        return tuple(
            execution
            for execution in self.running
            if not self.is_past(execution)
            and not (self.state and self.state.find_parked(execution.id))
        )

    def read(self: UpstreamReader, dependency: Any) -> Upstream:
        upstream = real(self, dependency)
        if not upstream.running:
            return upstream
        return replace(upstream, state=self._aws.codepipeline.read_state(dependency.name))

    real = UpstreamReader._read_executions
    return both(
        patch.object(Upstream, "blocking", property(find_blocking)),
        patch.object(UpstreamReader, "_read_executions", read),
    )


@bug("Safe", seed=1)
def waits_once() -> AbstractContextManager[object]:
    """A gate in the mode wait checks its upstreams only once."""
    read: set[str] = set()

    def find(upstreams: Any) -> Any:
        key = ",".join(upstream.label for upstream in upstreams)
        if key in read:
            read.clear()
            return ()
        unsatisfied = find_unsatisfied(upstreams)
        if unsatisfied:
            read.add(key)
        return unsatisfied

    return patch.object(gate, "find_unsatisfied", find)


# What counts as a success


@bug_in(Upstream, "succeeded", "Safe", seed=2015)
def rollback_is_a_success(_real: Any, self: Upstream) -> bool:
    """A rollback that succeeded counts as a success."""
    last = self._stage if self.dependency.stage else self.newest_finished
    return last is not None and last.status == "Succeeded"


@bug_in(Upstream, "newest_finished", "Safe", seed=1170)
def newest_in_parallel(_real: Any, self: Upstream) -> Any:
    """In PARALLEL mode, the newest execution decides about success, not the one that ended last."""
    return next((execution for execution in self.executions if execution.finished), None)


# Pipelines that wait for each other


@bug_in(wait_cycles, "find_cycle", "Told", seed=1537)
def only_of_two(real: Any, upstream: Any, waits: Any, asker: Any, _read: Any) -> Any:
    """Only cycles of two pipelines are noticed."""
    return real(upstream, waits, asker, lambda _: wait_cycles.WaitingPipeline())


@bug_in(making, "format_mark", "Told", seed=4)
def no_mark(real: Any, since: Any, _waits: Any) -> Any:
    """A gate in the mode wait leaves no mark."""
    return real(since, ())


# Upstreams in other regions and accounts


@bug_in(Aws, "codepipeline_for", "Safe", seed=22)
def taken_for_home(_real: Any, self: Aws, _dependency: Any) -> CodePipeline:
    """The gate reads an upstream elsewhere in its own account and region."""
    return self.codepipeline


@bug_in(OtherAccounts, "_assume_role", "Answered", seed=22)
def no_external_id(real: Any, self: OtherAccounts, dependency: Any) -> Any:
    """The external id is not sent."""
    return real(self, replace(dependency, external_id=None))


@bug_in(UpstreamReader, "_read_upstream", "Safe", seed=63)
def closed_is_idle(real: Any, self: UpstreamReader, dependency: Any) -> Any:
    """An upstream whose role cannot be assumed counts as idle."""
    try:
        return real(self, dependency)
    except errors.NotPermitted:
        return Upstream(dependency)


@bug_in(OtherAccounts, "_assume_role", "Answered", seed=22)
def session_logged(real: Any, *arguments: Any) -> Any:
    """The session's credentials are logged."""
    credentials, end = real(*arguments)
    log_decision("gate", Outcome.STILL_HELD, **credentials)
    return credentials, end
