"""`gatectl explain` of a pipeline that does not wait, or not any more."""

from __future__ import annotations

import shlex
from typing import Any
from unittest.mock import Mock

import pytest

from chalicelib.aws.other_accounts import OtherAccounts
from chalicelib.errors import NotPermitted
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.deployment import paste
from tests.support.elsewhere import THEIR_PIPELINE_ROLE, THEIRS, in_the_other_account
from tests.support.explaining import commands, deny, explains, read_states, shorten_id, words
from tests.support.held import (
    RULE_MODES,
    edit,
    hold_k8s,
    remove_rule,
    roll_back_k8s,
    run_k8s,
    start_all,
    take_out_gate,
)
from tests.support.refused import run_refused
from tests.support.scene import Scene, gate_stage

TO_GO_ON = "To go on all the same: ask the gate again, and when it waits, let it go:"


def change_gate(scene: Scene, **parameters: Any) -> None:
    def change(declared: Any) -> None:
        declared["stages"][1] = gate_stage(ask("infra", **parameters))

    edit(scene, change=change)


class TestTheHoldIsGone:
    def test_removed_by_hand(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        remove_rule(scene, execution)
        said = explains(
            "The rule of its hold is gone, and the retry has not removed it: somebody did",
            begins="k8s does not wait any more, and is not started again",
            states=["removed"],
        )
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Gate"
        )

    @pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
    def test_given_up(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode, give_up_minutes=5)
        scene.wait(minutes=6)
        explains(
            "gave up",
            "as long as give_up_minutes says",
            "Nothing starts by itself.",
            states=["gave up"],
        )

    def test_what_it_was_is_only_guessed_where_the_log_may_not_be_read(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(scene, give_up_minutes=5)
        scene.wait(minutes=6)
        deny(monkeypatch, "logs:FilterLogEvents")
        explains("the wait was given up, it seems.")

    def test_a_rollback_that_cannot_be_retried_any_more(self, scene: Scene) -> None:
        rollback = roll_back_k8s(scene, "restart")
        explains("The same execution goes on by itself", "its stage is retried;")
        edit(scene)
        explains("Its hold ends within seconds of the end of infra", "and nothing is started")
        scene.wait(minutes=20)
        explains(
            f"The retry said: dropped: execution {rollback} is a rollback",
            begins="k8s does not wait any more: its hold ended at 12:1",
            states=["dropped"],
        )

    def test_started_again_in_parallel_mode(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=300)
        scene.k8s(mode="PARALLEL")
        execution = start_all(scene, "infra", "k8s")
        scene.wait(minutes=10)
        sentence = f"started again at 12:05 UTC, as {shorten_id(scene, 'k8s')}"
        explains(sentence, execution=execution, states=["started again"])

    def test_it_gave_up_in_parallel_mode_and_went_on(self, scene: Scene) -> None:
        """Its stage cannot be retried any more, so it was started again."""
        scene.pipeline("infra", seconds=3600)
        asked = ask("infra", give_up_minutes=5, on_give_up="continue")
        scene.gated("k8s", asked, mode="PARALLEL")
        execution = start_all(scene, "infra", "k8s")
        edit(scene)
        scene.wait(minutes=12)
        explains(
            f"give_up_minutes says, and started again at 12:10 UTC, as {shorten_id(scene, 'k8s')}",
            execution=execution,
            states=["started again"],
        )


class TestAWaitThatWasGivenUp:
    """What infra does now, and how to go on although it runs."""

    @pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
    def test_infra_still_runs(self, scene: Scene, mode: str) -> None:
        execution = hold_k8s(scene, seconds=3600, hold=mode, give_up_minutes=5)
        scene.wait(minutes=6)
        said = explains(
            "gave up",
            "Nothing starts by itself.",
            f"As it is now: infra runs: execution {shorten_id(scene, 'infra')} is InProgress",
            TO_GO_ON,
            states=["gave up"],
        )
        retry, release = commands(said)[-2:]
        assert execution in retry
        paste({"commands": [retry]})
        scene.wait(seconds=10)
        assert run(*shlex.split(release)[1:], "--yes").status == 0
        scene.wait(minutes=3)
        assert scene.statuses() == ["Succeeded"]

    def test_a_gate_that_can_be_bypassed(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=3600)
        asked = ask("infra", give_up_minutes=5, bypass="#{variables.skip}")
        scene.gated("k8s", asked, variables=[{"name": "skip", "defaultValue": "false"}])
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=13)
        said = explains("with a new execution that its gate lets pass without a look:")
        start = "aws codepipeline start-pipeline-execution --name k8s --variables"
        assert commands(said)[-1] == f"{start} name=skip,value=true"

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_infra_has_ended_since(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode, give_up_minutes=5)
        scene.wait(minutes=30)
        said = explains("As it is now, nothing of infra keeps it any more")
        assert "all the same" not in said.words

    def test_after_an_edit_it_has_to_be_started_anew(self, scene: Scene) -> None:
        hold_k8s(scene, seconds=3600, give_up_minutes=5)
        scene.wait(minutes=6)
        edit(scene)
        said = explains(TO_GO_ON)
        assert commands(said)[-2:] == [
            "aws codepipeline start-pipeline-execution --name k8s",
            "gatectl release k8s",
        ]


class TestTheRuleIsLeft:
    def test_a_newer_execution_took_over(self, scene: Scene) -> None:
        old = hold_k8s(scene)
        take_out_gate(scene)
        new = scene.start("k8s")
        explains(
            f"The rule pipeline-gate-dev-{old} is left of a hold that nobody needs any more: a "
            f"newer execution exists: {new[:8]}",
            begins=f"Execution {new[:8]} of k8s runs since 12:07 UTC",
        )
        assert read_states()[-1] == "needless"
        explains(
            f"A newer one took over: {new[:8]} is InProgress.",
            "Nobody waits for it any more.",
            execution=old,
        )

    def test_it_was_retried_and_runs(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), seconds=600)
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=4)
        explains(
            "Its gate in the stage Gate let it pass at 12:02 UTC: infra is idle: last execution",
            "It was held before, and its stage was retried: the rule of that hold stays",
            states=["runs"],
        )

    def test_it_failed_after_it_had_passed(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), outcome="Failed")
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=3)
        scene.start("infra")
        explains("passed the gate at a later attempt", states=["failed", "needless"])


class TestItDoesNotWait:
    def test_before_its_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.start_pipeline_execution(name="k8s")
        explains(
            "k8s runs since 12:00 UTC, and is at Source in its stage Source.",
            "It has not come to its gate in the stage Gate yet, which waits for infra.",
        )

    def test_past_its_gate(self, scene: Scene) -> None:
        run_k8s(scene, seconds=600)
        explains(
            "and is at Deploy in its stage Deploy",
            "Its gate in the stage Gate let it pass at 12:00 UTC: infra is idle:",
        )

    def test_it_waits_for_an_approval_of_its_own(self, scene: Scene) -> None:
        scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
        scene.pipeline("infra")
        edit(scene, change=lambda declared: declared["stages"].insert(1, gate_stage(ask())))
        scene.start("k8s")
        said = explains(
            "the approval Ask in its stage Approve is open since 12:00 UTC. That is not",
            "Its gate in the stage Gate let it pass",
            states=["asks"],
        )
        assert commands(said) == [
            "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/k8s/view?region=eu-central-1"
        ]

    def test_a_transition_of_its_own_is_disabled(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.disable_stage_transition(
            pipelineName="k8s", stageName="Gate", transitionType="Inbound", reason="holidays"
        )
        scene.start("k8s")
        sentence = "the transition into its stage Gate is disabled since 12:00 UTC. That is not the"
        said = explains(sentence, states=["closed"])
        assert commands(said) == [
            "aws codepipeline enable-stage-transition --pipeline-name k8s --stage-name Gate "
            "--transition-type Inbound"
        ]

    def test_it_succeeded(self, scene: Scene) -> None:
        run_k8s(scene, minutes=5)
        explains(begins=f"k8s does not wait: its last execution {shorten_id(scene, 'k8s')} succe")

    def test_it_failed_somewhere_else(self, scene: Scene) -> None:
        run_k8s(scene, minutes=5, outcome="Failed")
        said = explains(
            "failed at Deploy in its stage Deploy, at 12:01 UTC. That is not the gate's",
            "Its gate in the stage Gate let it pass at 12:00 UTC",
            states=["failed"],
        )
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Deploy"
        )

    @pytest.mark.parametrize(("abandon", "state"), [(True, "stopped"), (False, "stopping")])
    def test_somebody_stopped_it(self, scene: Scene, abandon: bool, state: str) -> None:
        execution = run_k8s(scene, seconds=600)
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon
        )
        assert read_states() == [state]
        explains("omebody")

    def test_it_was_superseded(self, scene: Scene) -> None:
        run_k8s(scene, seconds=600)
        middle = scene.start("k8s")
        last = scene.start("k8s")
        explains(
            f"was superseded at 12:00 UTC. A newer one took over: {last[:8]} is InProgress.",
            execution=middle,
        )

    def test_somebody_edited_it_while_it_waited_in_place(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        edit(scene)
        explains("was cancelled at 12:07 UTC. Somebody edited the", states=["cancelled"])

    def test_its_gate_refused(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        said = explains(
            f"It says: {message}",
            'What it is asked stands in UserParameters of the action Wait: {"depend_on": '
            '["infra"]}',
            begins="k8s does not wait: at 12:00 UTC the gate in its stage Gate refused what it was "
            "asked.",
            states=["refused"],
        )
        assert commands(said)[0] == "gatectl check"

    def test_its_gate_was_denied(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra")
        scene.k8s()
        calls.fail("ListPipelineExecutions", "AccessDeniedException")
        scene.start("k8s")
        said = explains("AWS denied codepipeline:ListPipelineExecutions", states=["refused"])
        assert commands(said)[:2] == ["docs/permissions.md", "gatectl doctor"]
        assert "gatectl check" not in commands(said), "which sees nothing of rights"

    def test_its_gate_was_denied_the_look_into_the_other_account(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = in_the_other_account(scene, "us-east-1")
        there.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE)
        scene.gated("k8s", ask(THEIRS))
        refusal = NotPermitted("sts:AssumeRole", "the gate's role may not")
        monkeypatch.setattr(OtherAccounts, "_assume_role", Mock(side_effect=refusal))
        scene.start("k8s")
        said = explains("It says: AWS denied sts:AssumeRole")
        assert commands(said)[0] == "docs/elsewhere.md#the-role-in-the-other-account"

    def test_its_gate_would_refuse_from_now_on(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()

        def mistype(declared: Any) -> None:
            declared["stages"][1] = gate_stage({"depend_on": ["infra"]})

        edit(scene, change=mistype)
        explains("the gate in the stage Gate refuses what it is asked: UserParameters has an")

    def test_its_gate_never_answered(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        scene.wait(minutes=21)
        explains(
            "at 12:20 UTC the gate in its stage Gate gave no answer, so CodePipeline failed it.",
            states=["unanswered"],
        )

    def test_its_gate_only_observes(self, scene: Scene) -> None:
        hold_k8s(scene, observe=True)
        sentence = "Observe only: would have held this pipeline for infra."
        explains(sentence, "It only observes, and never holds.")

    def test_it_has_no_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        said = explains("infra has no gate: it waits for no other pipeline.", pipeline="infra")
        assert commands(said) == ["gatectl attach infra --depends-on PIPELINE"]

    def test_it_has_never_run(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        assert words() == "k8s has not run, as far back as AWS tells."

    def test_there_is_no_such_execution(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        complaint = run_refused("explain", "k8s", "--execution", "ffffffff")
        assert f"begins with ffffffff: its newest are {execution[:8]}." in complaint


class TestAStart:
    """What it would meet follows from the gate as it is now, not from the gate that held."""

    @pytest.mark.parametrize("mode", ["restart", "retry"])
    def test_with_the_gate_out_a_start_goes_through(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode)
        take_out_gate(scene)
        said = explains(
            "To start it anew: it has no gate now, so nothing holds it",
            "k8s has no gate any more: its next executions wait for nobody.",
        )
        assert not any(word in said.words for word in ("asks anew", "waits anew", "asks its gate"))
        assert not any("attach" in command for command in commands(said))

    def test_what_a_detach_cancelled_is_started_without_a_gate(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        take_out_gate(scene)
        explains(
            "that cancels what runs, and attach and detach are edits, too.",
            "To start it anew: it has no gate now, so nothing holds it:",
        )

    def test_what_an_attach_cancelled_asks_the_gate_as_it_is_now(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        change_gate(scene, require="succeeded")
        explains("To start it anew, so that it asks its gate, which waits for a success of infra:")

    def test_a_hold_keeps_to_what_was_asked_when_it_began(self, scene: Scene) -> None:
        hold_k8s(scene, require="succeeded", give_up_minutes=60)
        change_gate(scene, hold="retry")
        said = explains(
            "Its gate was changed since: depends_on, hold and give_up_minutes. This hold keeps to "
            "what was asked when it began."
        )
        assert "the wait ends and nothing is started: start it anew then." in said.words, (
            "AWS would not retry its stage"
        )
        assert commands(said)

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"give_up_minutes": 60, "on_give_up": "continue", "parked": "pass"},
            {"hold": "retry"},
        ],
    )
    def test_nothing_is_said_of_a_gate_that_asks_the_same(
        self, scene: Scene, more: dict[str, Any]
    ) -> None:
        hold_k8s(scene, **more)
        edit(scene)
        assert "was changed since" not in words()
