"""The same with nothing modelled but AWS: the deployed zip, Lambda's runtime client, a process that
starts cold each time, real time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import boto3
from moto.codepipeline.models import codepipeline_backends

from benchmarks.deployment import chalice, project
from benchmarks.designs import DELIVERY_SECONDS, UPSTREAM, WAITING
from benchmarks.figures import Pair, Part, Row, Tell
from benchmarks.pipelines import approval, gate, start
from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.models import CodePipelineBackend
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.server import SandboxServer
from sandbox.world import Dials

STAGE = "sandbox"
STORIES = 3
LATE = 60.0
"""Seconds."""


class Deployed:
    """Two pipelines in a sandbox server to which the app is deployed: `infra`, which ends when it
    is approved, and `k8s` behind it.
    """

    def __init__(self, server: SandboxServer) -> None:
        keys: dict[str, Any] = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        self._codepipeline = boto3.client(
            "codepipeline", region_name=REGION, endpoint_url=server.url, **keys
        )
        self._functions = boto3.client(
            "lambda", region_name=REGION, endpoint_url=server.url, **keys
        )
        backend = cast(CodePipelineBackend, codepipeline_backends[ACCOUNT][REGION])
        start(backend, UPSTREAM, [approval()])
        start(backend, WAITING, [gate(WAITING, UPSTREAM, f"pipeline-gate-{STAGE}-gate")])
        self._upstream, self._waiting = backend.pipelines[UPSTREAM], backend.pipelines[WAITING]

    def release(self, number: int) -> float:
        """Let the upstream of a held execution end; the seconds from that end to the restart."""
        _until(lambda: _statuses(self._waiting)[-1] == "Failed", f"{WAITING} is held")
        # A process of an older configuration serves no more: the next one starts cold, as after a
        # long hold.
        self._functions.update_function_configuration(
            FunctionName=f"pipeline-gate-{STAGE}-retry", Description=f"story {number}"
        )
        before = len(self._waiting.history)
        self._approve()
        _until(lambda: len(self._waiting.history) > before, f"{WAITING} starts again")
        return (
            self._waiting.history[before].started - self._upstream.history[-1].updated
        ).total_seconds()

    def again(self) -> None:
        """Both once more from the beginning."""
        _until(lambda: _statuses(self._waiting)[-1] == "Succeeded", f"{WAITING} has passed")
        for pipeline in (UPSTREAM, WAITING):
            self._codepipeline.start_pipeline_execution(name=pipeline)

    def _approve(self) -> None:
        stages = self._codepipeline.get_pipeline_state(name=UPSTREAM)["stageStates"]
        (token,) = [
            one["actionStates"][0]["latestExecution"]["token"]
            for one in stages
            if one["stageName"] == "Approve"
        ]
        result: Any = {"summary": "it is enough", "status": "Approved"}
        self._codepipeline.put_approval_result(
            pipelineName=UPSTREAM,
            stageName="Approve",
            actionName="Approve",
            result=result,
            token=token,
        )


@contextmanager
def deployed() -> Iterator[Deployed]:
    dials = Dials(
        start_on_create=False, action_seconds=0.5, event_copies=lambda: [DELIVERY_SECONDS]
    )
    with project() as folder, SandboxServer(dials=dials) as server:
        chalice(folder, server.environment(), "deploy", "--stage", STAGE)
        yield Deployed(server)


def _statuses(pipeline: Pipeline) -> list[str]:
    return [execution.status for execution in pipeline.history]


def _until(found: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LATE
    while not found():
        if time.monotonic() > end:
            raise RuntimeError(f"it did not come to pass within {LATE:.0f} s that {what}")
        time.sleep(0.02)


def measure(tell: Tell, stories: int = STORIES) -> Sequence[Pair]:
    tell("deploying")
    took = []
    with deployed() as world:
        for number in range(1, stories + 1):
            tell(f"release {number} of {stories}")
            took.append(world.release(number))
            world.again() if number < stories else None
    return [(max(took), None)]


PART = Part(
    "restart-in-processes",
    "The same, in real processes",
    (Row(f"longest of {STORIES} cold starts", "s", at_most=2),),
    measure,
)
