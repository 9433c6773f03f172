"""An approval or a disabled transition between a gate and later work: the gate checks too early,
and a second gate checks again.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.second_gate import find_unchecked_work
from gatectl.structure import Declaration, add_gate, format_parameters
from tests.gatectl.conftest import Fail
from tests.support.approval import approve as approve_it
from tests.support.cli import run
from tests.support.scene import Scene
from tests.support.structures import (
    GATE,
    action,
    approval,
    approve,
    entry,
    gate,
    pipeline,
    rule,
    stage,
)

ATTACH = "gatectl attach k8s --depends-on infra"
FIRST = stage("Gate", gate())
BUILD, DEPLOY = stage("Build"), stage("Deploy")
BEHIND_THE_GATE = pipeline(FIRST, approval(), DEPLOY)


def wait_for(*upstreams: Any, **settings: Any) -> dict[str, Any]:
    return gate(text=format_parameters("k8s", {"depends_on": list(upstreams), **settings}))


RETRY = wait_for("infra", hold="retry")


def find_commands(declared: Declaration, *closed_stages: str) -> list[str]:
    return [" ".join(work.command) for work in find_unchecked_work(declared, closed_stages)]


@pytest.mark.parametrize(
    ("declared", "closed_stages", "after"),
    [
        (BEHIND_THE_GATE, [], "Approve"),
        (
            pipeline(FIRST, stage("Build", action("Build"), approve(runOrder=2)), DEPLOY),
            [],
            "Build",
        ),
        (pipeline(FIRST, approval(), stage("Again", approve()), DEPLOY), [], "Again"),
        (
            pipeline(stage("Build", beforeEntry=entry(rule("Wait"))), approval(), DEPLOY),
            [],
            "Approve",
        ),
        (
            pipeline(FIRST, approval(), stage("Watch", wait_for("infra", observe=True)), DEPLOY),
            [],
            "Approve",
        ),
        (pipeline(FIRST, BUILD, DEPLOY), ["Deploy"], "Build"),
        (pipeline(FIRST, DEPLOY), ["Deploy"], "Gate"),
    ],
)
def test_a_second_gate_is_needed(
    declared: Declaration, closed_stages: list[str], after: str
) -> None:
    (work,) = find_unchecked_work(declared, closed_stages)
    assert " ".join(work.command) == f"{ATTACH} --after {after} --hold retry"
    assert work.stage == "Deploy"
    text = format_parameters("k8s", {"depends_on": ["infra"], "hold": "retry"})
    followed = add_gate(declared, GATE, text, after)
    # Someone has to disable the transition into the new gate's stage instead.
    closed = [
        followed["stages"][[each["name"] for each in followed["stages"]].index(after) + 1]["name"]
    ]
    assert find_unchecked_work(followed, closed if closed_stages else ()) == ()


@pytest.mark.parametrize(
    ("declared", "closed_stages"),
    [
        (pipeline(), ["Deploy"]),
        (pipeline(FIRST, DEPLOY), ["Gate"]),
        (pipeline(FIRST, DEPLOY, approval()), []),
        (pipeline(approval(), stage("Gate", RETRY), DEPLOY), []),
        (pipeline(FIRST, approval(), stage("Again", RETRY), DEPLOY), ["Approve", "Again"]),
        (pipeline(FIRST, approval(), stage("Deploy", beforeEntry=entry(rule("Wait")))), ["Deploy"]),
        (pipeline(FIRST, stage("Deploy", approve(), action("Lint"))), []),
        (pipeline(stage("Gate", gate(), approve()), stage("Gate-2", RETRY), DEPLOY), []),
        (pipeline(stage("Gate", wait_for("infra", observe=True)), approval(), DEPLOY), []),
    ],
)
def test_none_is_needed(declared: Declaration, closed_stages: list[str]) -> None:
    assert find_unchecked_work(declared, closed_stages) == ()


def test_it_says_what_happens_otherwise() -> None:
    (work,) = find_unchecked_work(BEHIND_THE_GATE)
    assert work.problem == (
        "k8s checks infra before the approval Ask in the stage Approve. That can take days, and "
        "then the stage Deploy runs even if infra is running."
    )
    assert work.how == (
        "To check infra again, add a second gate. With --hold retry, no one has to approve twice:"
    )


def test_behind_each_approval_of_several() -> None:
    declared = pipeline(FIRST, approval(), BUILD, stage("Again", approve()), DEPLOY)
    assert find_commands(declared) == [
        f"{ATTACH} --after Approve --hold retry",
        f"{ATTACH} --after Again --hold retry",
    ]


def test_in_queued_mode_only_wait_keeps_the_order() -> None:
    declared = {**BEHIND_THE_GATE, "executionMode": "QUEUED"}
    assert find_commands(declared) == [f"{ATTACH} --after Approve --hold wait"]


def test_work_in_the_stage_of_the_approval_must_be_moved_first() -> None:
    declared = pipeline(FIRST, stage("Deploy", approve(), action("Deploy", runOrder=2)))
    (work,) = find_unchecked_work(declared)
    assert work.how.startswith(
        "To check infra again, put what comes after the approval into a stage of its own, and then"
    )
    assert " ".join(work.command) == f"{ATTACH} --after Deploy --hold retry"


def test_a_disabled_transition_must_be_that_into_the_new_gate() -> None:
    (work,) = find_unchecked_work(pipeline(FIRST, BUILD, DEPLOY), ["Deploy"])
    assert "before the transition into the stage Deploy, which is disabled." in work.problem
    assert (
        "add a second gate, disable the transition into its stage, and enable the one into Deploy."
        in work.how
    )


def test_a_gate_that_waits_for_something_else_is_named() -> None:
    other = stage("Again", wait_for("network", hold="retry"))
    (work,) = find_unchecked_work(pipeline(FIRST, approval(), other, DEPLOY))
    assert work.command == ()
    assert work.how == "To check infra again, name it in the gate in the stage Again, too."


@pytest.mark.parametrize(
    ("upstreams", "settings", "options"),
    [
        (["infra", "network"], {}, "--depends-on infra,network"),
        ([{"pipeline": "infra", "stage": "Deploy"}], {}, "--depends-on infra/Deploy"),
        (["infra"], {"require": "succeeded"}, "--depends-on infra --require succeeded"),
        (
            ["infra", {"pipeline": "dns", "parked": "pass"}],
            {},
            '--depends-on infra --depends-on {"pipeline": "dns", "parked": "pass"}',
        ),
    ],
)
def test_the_command_names_upstreams_as_attach_reads_them(
    upstreams: list[Any], settings: dict[str, str], options: str
) -> None:
    first = stage("Gate", wait_for(*upstreams, **settings))
    assert find_commands(pipeline(first, approval(), DEPLOY)) == [
        f"gatectl attach k8s {options} --after Approve --hold retry"
    ]


# What attach and check say, and what happens


@pytest.fixture
def approved(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
    return scene


COMMAND = f"{ATTACH} --after Approve --hold retry"


def test_attach_prints_the_command_and_the_command_is_enough(approved: Scene) -> None:
    first = ("attach", "k8s", "--depends-on", "infra", "--yes")
    result = run(*first, columns=60)
    assert "Caution: k8s checks infra before the approval Ask in the stage Approve." in result.words
    assert f"  {COMMAND}" in result.out.splitlines()
    assert run("check").words.startswith(
        "warning pipeline k8s k8s checks infra before the approval"
    )
    assert run(*COMMAND.split()[1:], "--yes").status == 0
    assert "Caution" not in run(*first[:-1]).out
    assert run("check", "--strict").status == 0


def test_the_second_gate_holds_and_the_approval_stays_valid(approved: Scene) -> None:
    run("attach", "k8s", "--depends-on", "infra", "--yes")
    run(*COMMAND.split()[1:], "--yes")
    execution = approved.start("k8s")
    approved.wait(minutes=1)
    approved.start("infra")
    approve_it(approved, pipeline="k8s")
    approved.wait(seconds=30)
    assert approved.statuses() == ["Failed"]
    approved.wait(minutes=15)
    assert (approved.statuses(), approved.executions()[0]["pipelineExecutionId"]) == (
        ["Succeeded"],
        execution,
    )


def test_check_prints_the_command(approved: Scene) -> None:
    run("attach", "k8s", "--depends-on", "infra", "--yes")
    assert f"    {COMMAND}" in run("check", columns=60).out.splitlines()
    (line,) = run("check", "--lines").out.splitlines()
    assert line.endswith(f"no one has to approve twice: {COMMAND} [unchecked-work]")
    (finding,) = run("check", "--json").json()["findings"]
    assert (finding["kind"], finding["severity"]) == ("unchecked-work", "warning")
    assert finding["text"].endswith(COMMAND)


def test_transitions_that_may_not_be_read(approved: Scene, fail: Fail) -> None:
    """check says so, and attach does without them."""
    fail("GetPipelineState", "AccessDeniedException")
    result = run("attach", "k8s", "--depends-on", "infra", "--yes")
    assert (result.status, "Caution: k8s checks infra before" in result.words) == (0, True)
    result = run("check")
    assert result.status == 254
    assert "not checked which transitions are disabled AWS denied" in result.words


def test_a_transition_that_is_disabled_now(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    assert run("check", "--strict").status == 0
    scene.codepipeline.disable_stage_transition(
        pipelineName="k8s", stageName="Deploy", transitionType="Inbound", reason="holidays"
    )
    assert run("check", "--strict").status == 1
    result = run("attach", "k8s", "--depends-on", "infra", "--hold", "retry", "--dry-run")
    assert "the transition into the stage Deploy, which is disabled." in result.words
