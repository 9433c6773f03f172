"""What the page receives about an account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.account.pipeline import AccountView
from chalicelib.account.waits import HoldRule
from chalicelib.board.lookout import Lookout
from chalicelib.board.snapshot import build_snapshot
from chalicelib.holds.fate import HoldFate, Standing
from chalicelib.holds.mode import RETRY
from sandbox.account import REGION
from sandbox.clock import utcnow
from tests.support.account import read_account
from tests.support.ask import ask
from tests.support.held import edit, hold_k8s
from tests.support.scene import Scene, gate_stage

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"


def seen() -> Any:
    return Lookout().ask().state["seen"]


def pipeline(told: Any, id_: str) -> Any:
    return next(one for one in told["pipelines"] if one["id"] == id_)


def holds(told: Any) -> set[str]:
    return {f"{edge['from']}>{edge['to']}" for edge in told["edges"] if edge["holds"]}


def test_an_edge_holds_while_its_upstream_keeps_its_dependent_waiting(scene: Scene) -> None:
    for name in ("infra", "network", "database"):
        scene.pipeline(name)
    scene.gated("k8s", ask("infra", "network"))
    scene.gated("api", ask({"pipeline": "database", "require": "succeeded"}, pipeline="api"))
    scene.start("infra")
    assert holds(seen()) == set()
    scene.start("k8s")
    scene.start("api")
    assert holds(seen()) == {"infra>k8s", "database>api"}
    scene.wait(minutes=11)
    assert holds(seen()) == {"database>api"}


def test_an_upstream_of_another_region_is_elsewhere_and_a_mistyped_one_missing(
    scene: Scene,
) -> None:
    own = f"arn:aws:codepipeline:{REGION}:123456789012:infra"
    scene.pipeline("infra")
    scene.gated("k8s", ask(own, DNS, "infa"))
    told = seen()
    dns = pipeline(told, DNS)
    assert (dns["state"], dns["name"], dns["where"]) == ("elsewhere", "dns", "us-east-1")
    assert pipeline(told, "infa")["state"] == "missing"
    assert [edge["from"] for edge in told["edges"]] == ["infra", DNS, "infa"]


def test_of_several_executions_the_waiting_one_is_shown_and_the_others_are_counted(
    scene: Scene,
) -> None:
    scene.pipeline("infra", seconds=3000)
    scene.gated("k8s", ask(), mode="PARALLEL")
    scene.start("infra")
    held = scene.start("k8s")
    scene.start("k8s")
    told = pipeline(seen(), "k8s")
    assert (told["state"], told["execution"]["id"], told["more"]) == ("waits", held, 1)


def test_a_hold_that_is_no_longer_needed_is_not_a_wait(scene: Scene) -> None:
    """A newer execution has taken the held one's place; the rule goes when infra has ended."""
    scene.pipeline("infra", seconds=3000)
    scene.gated(
        "k8s",
        ask(bypass="#{variables.bypass}"),
        variables=[{"name": "bypass", "defaultValue": "false"}],
    )
    scene.start("infra")
    scene.start("k8s")
    scene.start("k8s", variables=[{"name": "bypass", "value": "true"}])
    scene.wait(minutes=2)
    assert len(scene.rules()) == 1
    told = seen()
    assert told["waits"] == told["left_over"] == []
    assert pipeline(told, "k8s")["state"] == "succeeded"


def test_an_execution_that_waits_for_a_person_behind_its_gate(scene: Scene) -> None:
    scene.pipeline("infra", seconds=600)
    scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
    edit(scene, change=lambda declared: declared["stages"].insert(1, gate_stage(ask())))
    execution = scene.start("k8s")
    scene.wait(minutes=1)
    scene.start("infra")
    told = seen()
    (parked,) = told["parked"]
    assert (parked["pipeline"], parked["upstreams"]) == ("k8s", ["infra"])
    assert parked["execution"]["id"] == execution
    assert (pipeline(told, "k8s")["state"], pipeline(told, "infra")["state"]) == ("asks", "runs")


def test_not_if_a_gate_checks_again_or_has_not_checked(scene: Scene) -> None:
    """In k8s a second gate comes after the approval, in apps the only one."""
    scene.pipeline("infra")
    again = {**gate_stage(ask(hold="retry")), "name": "Again"}
    for name, places in (("k8s", {1: gate_stage(ask()), 3: again}), ("apps", {2: again})):
        scene.staged(name, ("Approve", 0), ("Deploy", 60))

        def add_gates(declared: Any, places: dict[int, Any] = places) -> None:
            for position, stage in places.items():
                declared["stages"].insert(position, stage)

        edit(scene, name, add_gates)
        scene.start(name)
    scene.wait(minutes=1)
    told = seen()
    assert pipeline(told, "k8s")["state"] == pipeline(told, "apps")["state"] == "asks"
    assert told["parked"] == []


@pytest.fixture
def held(scene: Scene) -> AccountView:
    hold_k8s(scene, seconds=3000, minutes=0)
    return read_account()


def test_the_person_who_released_or_canceled_it_is_named(held: AccountView) -> None:
    (rule,) = held.rules
    assert rule.hold
    ada = "arn:aws:iam::123456789012:user/ada"
    for released_by, canceled_by, comment in (
        (None, None, None),
        (ada, None, None),
        (None, ada, "wrong commit"),
    ):
        hold = replace(rule.hold, released_by=released_by, canceled_by=canceled_by, comment=comment)
        view = replace(held, rules=(replace(rule, hold=hold),))
        (wait,) = build_snapshot(view, REGION, utcnow())["waits"]
        shown = wait["let_go_by"], wait["canceled_by"], wait["comment"]
        assert shown == (released_by, canceled_by, comment)


def test_a_wait_in_progress_that_was_released_appears_once(scene: Scene) -> None:
    waiting = hold_k8s(scene, hold="wait", minutes=0)
    (wait,) = read_account().waits
    by_rule = replace(
        wait, mode=RETRY, fate=HoldFate(Standing.MOVED_ON), rule=f"pipeline-gate-dev-{waiting}"
    )
    look = read_account()
    assert len(build_snapshot(replace(look, waits=(wait, by_rule)), REGION, utcnow())["waits"]) == 1


@pytest.mark.parametrize(("minutes", "told"), [(14, 0), (16, 1)])
def test_a_rule_without_a_target_is_left_over_when_no_gate_can_still_be_making_it(
    held: AccountView, scene: Scene, minutes: int, told: int
) -> None:
    rule = HoldRule(
        "pipeline-gate-dev-x",
        "cron(0/5 * * * ? *)",
        f"Since {utcnow():%Y-%m-%d %H:%M} UTC k8s ...",
        has_target=False,
        hold=None,
    )
    scene.wait(minutes=minutes)
    assert len(build_snapshot(replace(held, rules=(rule,)), REGION, utcnow())["left_over"]) == told


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "eu-central-1.console.aws.amazon.com"),
        ("aws-cn", "eu-central-1.console.amazonaws.cn"),
        ("aws-us-gov", "eu-central-1.console.amazonaws-us-gov.com"),
    ],
)
def test_links_lead_into_the_console_of_the_partition(
    held: AccountView, partition: str, host: str
) -> None:
    there = {
        name: replace(one, role=f"arn:{partition}:iam::123456789012:role/pipelines")
        for name, one in held.pipelines.items()
    }
    (wait,) = build_snapshot(replace(held, pipelines=there), REGION, utcnow())["waits"]
    for place in (wait, wait["execution"], wait["rule"]):
        assert place["link"].split("/")[2] == host
