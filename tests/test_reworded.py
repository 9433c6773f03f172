"""What explain, holds, doctor and the Board conclude does not depend on the gate's wording: they
read the token at the end of its messages, and other data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from unittest.mock import Mock

import pytest

from chalicelib import answers
from chalicelib.account.reader import AccountReader
from chalicelib.aws.clients import make_client
from chalicelib.aws.other_accounts import OtherAccounts
from chalicelib.board.snapshot import build_snapshot
from chalicelib.errors import NotPermitted
from chalicelib.holds.rule import describe_date
from chalicelib.holds.verdict import Verdict
from chalicelib.wording import held_pipeline, open_gate, reasons, refusals
from sandbox.account import REGION
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.deployment import configure
from tests.support.held import hold_k8s, remove_rule, retry_stage, start_all
from tests.support.scene import Scene

ELSEWHERE = {
    "pipeline": "arn:aws:codepipeline:us-east-1:210987654321:infra",
    "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look",
    "external_id": "a-word-that-both-know",
}
Conclusions = tuple[list[str], list[bool], set[str], str]
"""Of k8s: explain's states, whether holds says it waits, doctor's kinds, and the Board's state."""


def is_held(scene: Scene, calls: Calls) -> None:
    hold_k8s(scene, give_up_minutes=60)


def waits_in_the_mode_wait(scene: Scene, calls: Calls) -> None:
    hold_k8s(scene, hold="wait")


def lacks_room_for_a_rule(scene: Scene, calls: Calls) -> None:
    scene.only_room_for(0)
    hold_k8s(scene)


def was_released(scene: Scene, calls: Calls) -> None:
    scene.world.dials.continuation_seconds = 600
    hold_k8s(scene, hold="wait")
    run("release", "k8s", "--yes")


def was_removed_by_hand(scene: Scene, calls: Calls) -> None:
    remove_rule(scene, hold_k8s(scene))


def gave_up_in_the_mode_wait(scene: Scene, calls: Calls) -> None:
    hold_k8s(scene, hold="wait", give_up_minutes=5, minutes=12)


def gave_up_by_its_rule(scene: Scene, calls: Calls) -> None:
    hold_k8s(scene, give_up_minutes=5, minutes=12)


def is_past_its_deadline(scene: Scene, calls: Calls) -> None:
    scene.world.dials.events_on = False
    execution = hold_k8s(scene, give_up_minutes=6, retry_minutes=60)
    retry_stage(scene, execution)


def is_in_a_deadlock(scene: Scene, calls: Calls) -> None:
    scene.gated("k8s", ask("infra", require="succeeded"))
    scene.gated("infra", ask("k8s", pipeline="infra", require="succeeded"))
    start_all(scene, "infra", "k8s")


def passed_and_failed_later(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra", seconds=120)
    scene.gated("k8s", ask("infra", hold="retry"), outcome="Failed")
    start_all(scene, "infra", "k8s")
    scene.wait(minutes=3)
    scene.start("infra")  # so that the rule stays


def only_observes(scene: Scene, calls: Calls) -> None:
    hold_k8s(scene, observe=True)


def names_a_missing_pipeline(scene: Scene, calls: Calls) -> None:
    scene.gated("k8s", ask("infra"))
    scene.start("k8s")


def is_denied_a_call(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra")
    scene.k8s()
    calls.fail("ListPipelineExecutions", "AccessDeniedException")
    scene.start("k8s")


def has_a_mistyped_key(scene: Scene, calls: Calls) -> None:
    scene.gated("k8s", {"depend_on": ["infra"]})
    scene.start("k8s")


def never_answers(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra")
    scene.k8s()
    scene.world.dials.invocation_copies = list
    scene.start("k8s")
    scene.wait(minutes=21)


NOTHING: set[str] = set()
HISTORIES: list[tuple[Callable[[Scene, Calls], None], Conclusions]] = [
    (is_held, (["held"], [True], NOTHING, "waits")),
    (waits_in_the_mode_wait, (["waits"], [True], NOTHING, "waits")),
    (lacks_room_for_a_rule, (["waits"], [True], NOTHING, "waits")),
    (was_released, (["let go"], [True], NOTHING, "waits")),
    (was_removed_by_hand, (["removed"], [], NOTHING, "failed")),
    (gave_up_in_the_mode_wait, (["gave up"], [], NOTHING, "failed")),
    (gave_up_by_its_rule, (["gave up"], [], NOTHING, "failed")),
    (is_past_its_deadline, (["held"], [True], NOTHING, "waits")),
    (is_in_a_deadlock, (["deadlock"], [], NOTHING, "failed")),
    (passed_and_failed_later, (["failed", "needless"], [False], {"over"}, "failed")),
    (only_observes, (["succeeded"], [], NOTHING, "succeeded")),
    (names_a_missing_pipeline, (["refused"], [], {"no-upstream"}, "failed")),
    (is_denied_a_call, (["refused"], [], NOTHING, "failed")),
    (has_a_mistyped_key, (["refused"], [], {"gate-refuses"}, "failed")),
    (never_answers, (["unanswered"], [], NOTHING, "failed")),
]


@pytest.fixture
def reworded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace every sentence of the gate."""
    for module in (held_pipeline, open_gate, refusals, reasons):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("describe_") and function.__module__ == module.__name__:
                monkeypatch.setattr(module, name, lambda *_, **__: "Reworded. ")
    # A rule's description begins with its date, which is data.
    dated = lambda hold, waiting, now: f"{describe_date(now)} Reworded."  # noqa: E731
    monkeypatch.setattr(held_pipeline, "describe_rule", dated)


@pytest.fixture
def without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is of the version before tokens, which worded its messages like this."""
    sentences = {
        Verdict.HELD: "k8s waits for infra. This execution failed, and that is as planned.",
        Verdict.GAVE_UP: "Gave up: infra was waited for.",
        Verdict.DEADLOCK: "Deadlock: k8s waits for infra, which waits for k8s.",
    }
    monkeypatch.setattr(
        answers, "add_token", lambda message, verdict, max_length: sentences.get(verdict, message)
    )


@pytest.mark.usefixtures("reworded")
def test_which_role_lacks_permissions_does_not_depend_on_the_wording(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = NotPermitted("sts:AssumeRole", "Reworded")
    monkeypatch.setattr(OtherAccounts, "_assume_role", Mock(side_effect=refusal))
    scene.gated("k8s", ask(ELSEWHERE))
    scene.start("k8s")
    assert "docs/elsewhere.md#the-role-in-the-other-account" in run("explain", "k8s").out


@pytest.fixture(params=["reworded", "without_tokens"])
def wording(request: pytest.FixtureRequest) -> None:
    """A verdict is read from the token alone, or from an old message without a token."""
    request.getfixturevalue(request.param)


@pytest.mark.usefixtures("wording")
@pytest.mark.parametrize(
    ("history", "expected"), HISTORIES, ids=[history.__name__ for history, _ in HISTORIES]
)
def test_the_conclusions_are_the_same(
    scene: Scene, calls: Calls, history: Callable[[Scene, Calls], None], expected: Conclusions
) -> None:
    configure("dev")
    history(scene, calls)
    assert read_conclusions() == expected


def read_conclusions() -> Conclusions:
    explained = run("explain", "k8s", "--json").json()["explained"]
    rows = run("holds", "--json").json()["holds"]
    findings = run("doctor", "--json").json()["findings"]
    board = build_snapshot(AccountReader(make_client).read_view(utcnow()), REGION, utcnow())
    return (
        [statement["state"] for statement in explained],
        [row["waits"] for row in rows if row["pipeline"] == "k8s"],
        {finding["kind"] for finding in findings},
        next(each["state"] for each in board["pipelines"] if each["name"] == "k8s"),
    )
