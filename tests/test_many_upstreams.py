"""Many upstreams: the gate reads them at the same time, and its message stays readable."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chalicelib import runtime
from chalicelib.pipelines import reader as asking
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.scene import Scene

NAMES = [f"u{number:02}" for number in range(50)]


@pytest.fixture
def fifty(scene: Scene) -> Scene:
    for name in NAMES:
        scene.pipeline(name)
    return scene


def test_they_are_read_at_the_same_time(fifty: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call returns before all have begun, so calls one after the other would wait forever."""
    together = threading.Barrier(len(NAMES), timeout=30)
    real = runtime.aws.codepipeline.read_executions

    def executions(*arguments: Any, **more: Any) -> Any:
        together.wait()
        return real(*arguments, **more)

    monkeypatch.setattr(runtime.aws.codepipeline, "read_executions", executions)
    fifty.gated("k8s", ask(*NAMES))
    fifty.start("k8s")
    assert fifty.statuses() == ["InProgress"]


def test_each_costs_one_call_per_check_and_those_in_the_message_a_further_one(
    fifty: Scene, calls: Calls
) -> None:
    for name in NAMES:
        fifty.codepipeline.start_pipeline_execution(name=name)
    fifty.wait(seconds=5)
    fifty.gated("k8s", ask(*NAMES))
    fifty.start("k8s")
    assert calls.made.count("ListPipelineExecutions") == 2 * 50
    assert calls.made.count("GetPipelineState") == 5
    message = fifty.gate_message()
    assert "u00, u01, u02, u03, u04 and 45 more" in message
    assert message.count(" is running: ") == 5


def test_one_that_raises_is_not_lost_among_many() -> None:
    def ask_one(number: int) -> int:
        return 10 // number

    with pytest.raises(ZeroDivisionError):
        asking.run_in_parallel(ask_one, [5, 0, 2])
    assert asking.run_in_parallel(ask_one, [5, 2]) == [2, 5]
