"""An upgrade of the functions in the middle of holds: what older functions wrote ends well with the
new code, in each mode, whichever of the two functions is replaced first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest

from chalicelib import retry_function
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.holds import making
from chalicelib.holds.hold import Hold
from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.held import (
    RULE_MODES,
    create_dev_and_prod,
    create_two_gates,
    hold_k8s,
    retry_stage,
    start_all,
)
from tests.support.logs import read_log
from tests.support.scene import Scene

REQUIRED = frozenset({"rule", "pipeline", "execution", "depends_on", "since"})
WITH_MODES = REQUIRED | {"variables", "mode", "revisions", "give_up", "on_give_up"}
WITH_ENDS = WITH_MODES | {"released_by", "job", "end_reported"}
"""The keys that a rule's Input has had, from version to version. The newest has all of them."""

MODES = [*RULE_MODES, "wait"]
DEADLINE = {"give_up_minutes": 12}
ENDS: dict[str, tuple[dict[str, Any], Callable[[Scene], object]]] = {
    "idle": ({}, lambda _: None),
    "released": ({}, lambda _: run("release", "k8s", "--yes")),
    "retried by hand": (
        {},
        lambda scene: retry_stage(scene, scene.executions()[0]["pipelineExecutionId"]),
    ),
    "stopped": (DEADLINE, lambda _: None),
    "continued": ({**DEADLINE, "on_give_up": "continue"}, lambda _: None),
}
"""Each end of a wait: the parameters that it needs, and what a person does."""
AUTOMATIC_ENDS = [end for end in ENDS if end != "retried by hand"]
Upgrade = Callable[[], None]


@contextmanager
def older_gate(keys: frozenset[str]) -> Iterator[Upgrade]:
    """Let the gate write only these keys into a rule, and tokens without its name, until the
    function that this yields is called.
    """
    put_hold = EventBridge.put_hold
    missing: Any = {field.name: field.default for field in fields(Hold) if field.name not in keys}

    def put_older(self: EventBridge, hold: Hold, *arguments: Any, **keywords: Any) -> None:
        put_hold(self, replace(hold, **missing), *arguments, **keywords)

    def format_older_token(since: datetime, *_: object) -> str:
        return since.isoformat()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventBridge, "put_hold", put_older)
        patch.setattr(making, "format_token", format_older_token)
        yield patch.undo


@contextmanager
def failing_retry() -> Iterator[Upgrade]:
    """Let each invocation of the retry function fail, until the function that this yields is
    called.
    """

    def fail(*_: object) -> None:
        raise ValueError("this older function does not understand what the gate wrote")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry_function, "check_hold", fail)
        yield patch.undo


@contextmanager
def forgetful_retry() -> Iterator[Upgrade]:
    """Let the retry function, when it marks a hold, lose the keys that are newer than the mark."""
    put_target = EventBridge.put_target

    def put_older(self: EventBridge, hold: Hold, retry_arn: str) -> bool:
        older = replace(hold, gate=None, neighbors=()) if hold.end_reported else hold
        return put_target(self, older, retry_arn)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventBridge, "put_target", put_older)
        yield patch.undo


def play(
    scene: Scene,
    end: str,
    upgrade: Upgrade,
    create: Callable[[Scene], object],
    minutes: float = 30,
) -> None:
    """infra runs for 20 minutes and k8s waits for it. The functions are upgraded after seven
    minutes, and the wait ends.
    """
    create(scene)
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=7)
    upgrade()
    ENDS[end][1](scene)
    scene.wait(minutes=minutes)


def check_end(scene: Scene, mode: str, end: str, waits: int = 1) -> None:
    """k8s ended as it should, its rule is gone, and each wait was counted and ended once."""
    restarted = mode == "restart" and end in ("idle", "retried by hand")
    failed = ["Failed"] if restarted or end == "stopped" else []
    assert scene.statuses() == [*(["Succeeded"] if end != "stopped" else []), *failed]
    assert scene.rules() == []
    assert count("Held") == waits
    assert count("Released", "LetGo", "GaveUp", "Dropped") == waits


def count(*metrics: str) -> int:
    records = [*read_log("gate"), *read_log("retry")]
    return sum(record.get(metric, 0) for record in records for metric in metrics)


def create_plain(mode: str, end: str) -> Callable[[Scene], object]:
    def create(scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", hold=mode, **ENDS[end][0]))

    return create


def create_condition(mode: str, end: str) -> Callable[[Scene], object]:
    def create(scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        conditioned(scene, condition=False, hold=mode, **ENDS[end][0])

    return create


OLDER_HOLDS = [
    (keys, mode, end)
    for keys in (REQUIRED, WITH_MODES, WITH_ENDS)
    for mode in RULE_MODES
    for end in ENDS
    if "mode" in keys or (mode == "restart" and end in ("idle", "released", "retried by hand"))
]


@pytest.mark.parametrize("is_gate_upgraded", [True, False], ids=["both", "retry first"])
@pytest.mark.parametrize(("keys", "mode", "end"), OLDER_HOLDS)
def test_an_older_rule_ends_once(
    scene: Scene, keys: frozenset[str], mode: str, end: str, is_gate_upgraded: bool
) -> None:
    with older_gate(keys) as upgrade:
        play(scene, end, upgrade if is_gate_upgraded else lambda: None, create_plain(mode, end))
    check_end(scene, mode, end)


@pytest.mark.parametrize("end", AUTOMATIC_ENDS)
def test_an_older_token_ends_once(scene: Scene, end: str) -> None:
    with older_gate(WITH_ENDS) as upgrade:
        play(scene, end, upgrade, create_plain("wait", end))
    check_end(scene, "wait", end)


@pytest.mark.parametrize("mode", RULE_MODES)
@pytest.mark.parametrize("end", AUTOMATIC_ENDS)
def test_an_older_condition_ends_once(scene: Scene, mode: str, end: str) -> None:
    with older_gate(WITH_ENDS) as upgrade:
        play(scene, end, upgrade, create_condition(mode, end))
    check_end(scene, mode, end)


NEWER_HOLDS = [
    *((create_plain, mode, end) for mode in RULE_MODES for end in ENDS),
    *((create_plain, "wait", end) for end in AUTOMATIC_ENDS),
    *((create_condition, mode, end) for mode in RULE_MODES for end in AUTOMATIC_ENDS),
]


@pytest.mark.parametrize(("create", "mode", "end"), NEWER_HOLDS)
def test_a_newer_hold_whose_older_retry_fails_ends_after_the_upgrade(
    scene: Scene, create: Any, mode: str, end: str
) -> None:
    """The older retry function also fails when infra ends, and at a release and a deadline."""
    with failing_retry() as upgrade:
        play(scene, end, lambda: None, create(mode, end), minutes=20 if end == "idle" else 9)
        assert mode == "wait" or scene.statuses()[0] == "Failed"
        upgrade()
        scene.wait(minutes=20)
    check_end(scene, mode, end)


@pytest.mark.parametrize(("create", "mode", "end"), NEWER_HOLDS)
def test_a_newer_hold_that_an_older_retry_marks_ends_once(
    scene: Scene, create: Any, mode: str, end: str
) -> None:
    with forgetful_retry():
        play(scene, end, lambda: None, create(mode, end))
    check_end(scene, mode, end)


def create_side_by_side(mode: str, end: str) -> Callable[[Scene], object]:
    def create(scene: Scene) -> None:
        scene.pipeline("network", seconds=1200)
        scene.pipeline("infra", seconds=1200)
        create_two_gates(scene, mode, **ENDS[end][0])
        scene.start("network")

    return create


OLDER_FUNCTIONS = {
    "gate": lambda: older_gate(WITH_ENDS),
    "failing retry": failing_retry,
    "forgetful retry": forgetful_retry,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", AUTOMATIC_ENDS)
@pytest.mark.parametrize("older", OLDER_FUNCTIONS)
def test_the_waits_of_two_gates_of_a_stage_end(
    scene: Scene, older: str, mode: str, end: str
) -> None:
    with OLDER_FUNCTIONS[older]() as upgrade:
        play(scene, end, upgrade, create_side_by_side(mode, end))
    assert scene.statuses()[0] == ("Failed" if end == "stopped" else "Succeeded")
    assert scene.rules() == []
    if older != "gate":  # an older rule has room for one of the two waits
        assert count("Held") == count("Released", "LetGo", "GaveUp", "Dropped")


@pytest.mark.parametrize("mode", ["retry", "wait"])
@pytest.mark.parametrize("limit", [{}, DEADLINE, {**DEADLINE, "on_give_up": "continue"}])
@pytest.mark.parametrize("keys", [WITH_MODES, WITH_ENDS])
@pytest.mark.parametrize("is_released", [False, True])
def test_an_older_hold_of_an_earlier_gate_does_not_end_that_of_a_later_one(
    scene: Scene, keys: frozenset[str], limit: dict[str, Any], mode: str, is_released: bool
) -> None:
    """k8s waits for infra at its gate Dev, is deployed there, and is upgraded before its gate Prod
    waits for network.
    """
    scene.pipeline("infra", seconds=7200 if is_released else 600)
    scene.pipeline("network", seconds=7200)
    with older_gate(keys) as upgrade:
        create_dev_and_prod(scene, ask("infra", hold="retry", **limit), ask("network", hold=mode))
        start_all(scene, "infra", "network", "k8s")
        if is_released:
            run("release", "k8s", "--yes")
            scene.wait(seconds=30)
        else:
            scene.wait(minutes=9, seconds=45)
        assert scene.statuses() == ["InProgress"]
        upgrade()
    scene.wait(minutes=40)
    assert "has been waiting for network since 12:" in scene.gate_message()
    assert count("Released", "LetGo", "GaveUp", "Dropped") == 1
    scene.wait(minutes=90)
    assert scene.statuses() == ["Succeeded"]
    assert scene.rules() == []


@pytest.mark.parametrize("mode", RULE_MODES)
@pytest.mark.parametrize("end", ["released", "continued"])
def test_an_older_rule_may_name_a_local_upstream_by_its_arn(
    scene: Scene, mode: str, end: str
) -> None:
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra"

    def write_arn() -> None:
        upgrade()
        (rule,) = scene.rules()
        (target,) = scene.events.list_targets_by_rule(Rule=rule)["Targets"]
        text = json.dumps({**json.loads(target["Input"]), "depends_on": [arn]})
        scene.events.put_targets(Rule=rule, Targets=[{**target, "Input": text}])

    def create(scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask(arn, hold=mode, **ENDS[end][0]))

    with older_gate(WITH_MODES) as upgrade:
        play(scene, end, write_arn, create)
    check_end(scene, mode, end)


def test_an_older_token_is_handed_over_to_a_rule(scene: Scene) -> None:
    scene.world.dials.continuation_seconds = 600
    with older_gate(WITH_ENDS) as upgrade:
        hold_k8s(scene, seconds=26 * 3600, minutes=60, hold="wait")
        upgrade()
    scene.wait(minutes=22 * 60 + 30)
    assert scene.statuses() == ["Failed"]
    assert "since 2026-11-23 12:00 UTC" in scene.gate_message()
    scene.wait(minutes=4 * 60)
    check_end(scene, "restart", "idle")
