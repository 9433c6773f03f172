"""What the gate sees of an upstream."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from chalicelib import errors, gate
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.pipelines import execution
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from tests.simulation.planted_bugs.bug import bug


@bug("Safe", "of an upstream's executions only the newest is looked at", seed=1)
def only_the_newest() -> AbstractContextManager[object]:
    return patch.object(
        Upstream,
        "running",
        property(lambda self: tuple(one for one in self.executions[:1] if one.running)),
    )


@bug("Safe", "an upstream that is Stopping is taken for idle", seed=39)
def stopping_is_idle() -> AbstractContextManager[object]:
    return patch.object(execution, "RUNNING", frozenset({"InProgress"}))


@bug("Safe", "only the first page of an upstream's executions is read", seed=10)
def one_page() -> AbstractContextManager[object]:
    real = CodePipeline.list_execution_pages

    def pages(self: CodePipeline, pipeline: str) -> Any:
        yield next(iter(real(self, pipeline)))

    return patch.object(CodePipeline, "list_execution_pages", pages)


@bug("Safe", "an upstream of which AWS does not answer is taken for idle", seed=25)
def unanswered_is_idle() -> AbstractContextManager[object]:
    return patch.object(Upstream, "idle", property(lambda self: not self.blocking))


@bug("Safe", "an upstream that the gate may not look at is taken for idle", seed=123)
def denied_is_idle() -> AbstractContextManager[object]:
    real = CodePipeline.list_executions

    def seen(self: CodePipeline, *arguments: Any, **more: Any) -> Any:
        try:
            return real(self, *arguments, **more)
        except errors.NotPermitted:
            return ()

    return patch.object(CodePipeline, "list_executions", seen)


@bug("Safe", "only the first of several upstreams is looked at", seed=0)
def only_the_first_upstream() -> AbstractContextManager[object]:
    return patch.object(gate, "find_unsatisfied", lambda upstreams: find_unsatisfied(upstreams[:1]))
