"""`gatectl explain` of a pipeline that is not waiting, or no longer."""

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

TO_CONTINUE = "To continue now anyway: let the gate check again, and when it waits, release it:"


def change_gate(scene: Scene, **parameters: Any) -> None:
    def change(declared: Any) -> None:
        declared["stages"][1] = gate_stage(ask("infra", **parameters))

    edit(scene, change=change)


class TestTheRuleNoLongerExists:
    def test_removed_by_hand(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        remove_rule(scene, execution)
        said = explains(
            "The retry function did not remove it, so someone removed it by hand.",
            begins="k8s is no longer waiting, and nothing will start it again. It had been waiting",
            states=["removed"],
        )
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Gate"
        )

    @pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
    def test_given_up(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode, give_up_minutes=5)
        scene.wait(minutes=6)
        explains("gave up", "give_up_minutes", "Nothing starts automatically", states=["gave up"])

    def test_if_the_log_may_not_be_read_it_says_what_is_probable(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(scene, give_up_minutes=5)
        scene.wait(minutes=6)
        deny(monkeypatch, "logs:FilterLogEvents")
        explains("probably because the wait was given up.")

    def test_a_rollback_that_can_no_longer_be_retried(self, scene: Scene) -> None:
        rollback = roll_back_k8s(scene, "restart")
        explains("The same execution continues automatically", "its stage is retried.")
        edit(scene)
        explains("Its hold ends within seconds after infra finishes", "but nothing is started")
        scene.wait(minutes=20)
        explains(
            f"The retry function logged: dropped: execution {rollback} is a rollback",
            begins="k8s is no longer waiting: its hold ended at 12:1",
            states=["dropped"],
        )

    def test_started_again_in_parallel_mode(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=300)
        scene.k8s(mode="PARALLEL")
        execution = start_all(scene, "infra", "k8s")
        scene.wait(minutes=10)
        sentence = f"It was started again at 12:05 UTC as {shorten_id(scene, 'k8s')}"
        explains(sentence, execution=execution, states=["started again"])

    def test_it_gave_up_in_parallel_mode_and_continued(self, scene: Scene) -> None:
        """Its stage can no longer be retried, so it was started again."""
        scene.pipeline("infra", seconds=3600)
        asked = ask("infra", give_up_minutes=5, on_give_up="continue")
        scene.gated("k8s", asked, mode="PARALLEL")
        execution = start_all(scene, "infra", "k8s")
        edit(scene)
        scene.wait(minutes=12)
        explains(
            "Then give_up_minutes was over. It was started again at 12:10 UTC as "
            f"{shorten_id(scene, 'k8s')}",
            execution=execution,
            states=["started again"],
        )


class TestAWaitThatWasGivenUp:
    """What infra is doing now, and how to continue although it is running."""

    @pytest.mark.parametrize("mode", [*RULE_MODES, "wait"])
    def test_infra_is_still_running(self, scene: Scene, mode: str) -> None:
        execution = hold_k8s(scene, seconds=3600, hold=mode, give_up_minutes=5)
        scene.wait(minutes=6)
        said = explains(
            "gave up",
            "Nothing starts automatically",
            f"Currently: infra is running: execution {shorten_id(scene, 'infra')} has been",
            TO_CONTINUE,
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
        said = explains("with a new execution that bypasses its gate:")
        start = "aws codepipeline start-pipeline-execution --name k8s --variables"
        assert commands(said)[-1] == f"{start} name=skip,value=true"

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_infra_has_finished_since(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode, give_up_minutes=5)
        scene.wait(minutes=30)
        said = explains("Currently, it would not have to wait for infra")
        assert "anyway" not in said.words

    def test_after_an_edit_it_has_to_be_started(self, scene: Scene) -> None:
        hold_k8s(scene, seconds=3600, give_up_minutes=5)
        scene.wait(minutes=6)
        edit(scene)
        said = explains(TO_CONTINUE)
        assert commands(said)[-2:] == [
            "aws codepipeline start-pipeline-execution --name k8s",
            "gatectl release k8s",
        ]


class TestARuleIsLeftOver:
    def test_a_newer_execution_replaced_it(self, scene: Scene) -> None:
        old = hold_k8s(scene)
        take_out_gate(scene)
        new = scene.start("k8s")
        explains(
            f"The rule pipeline-gate-dev-{old} is left over from a hold that has ended: a newer "
            f"execution exists: {new[:8]}",
            begins=f"Execution {new[:8]} of k8s has been running since 12:07 UTC",
        )
        assert read_states()[-1] == "needless"
        explains(
            f"A newer execution replaced it: {new[:8]} is InProgress.",
            "It is not started again.",
            execution=old,
        )

    def test_it_was_retried_and_is_running(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), seconds=600)
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=4)
        explains(
            "Its gate in the stage Gate let it pass at 12:02 UTC: infra is idle: its last "
            "execution",
            "It was held before, and its stage was retried. The rule of that hold stays",
            states=["runs"],
        )

    def test_it_failed_after_it_had_passed(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), outcome="Failed")
        start_all(scene, "infra", "k8s")
        scene.wait(minutes=3)
        scene.start("infra")
        explains("passed the gate in a later attempt", states=["failed", "needless"])


class TestItIsNotWaiting:
    def test_before_its_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.start_pipeline_execution(name="k8s")
        explains(
            "k8s has been running since 12:00 UTC, and is at Source in its stage Source.",
            "It has not reached its gate in the stage Gate yet, which waits for infra.",
        )

    def test_past_its_gate(self, scene: Scene) -> None:
        run_k8s(scene, seconds=600)
        explains(
            "and is at Deploy in its stage Deploy",
            "Its gate in the stage Gate let it pass at 12:00 UTC: infra is idle:",
        )

    def test_it_is_waiting_for_its_own_approval(self, scene: Scene) -> None:
        scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
        scene.pipeline("infra")
        edit(scene, change=lambda declared: declared["stages"].insert(1, gate_stage(ask())))
        scene.start("k8s")
        said = explains(
            "the approval Ask in its stage Approve has been open since 12:00 UTC. The gate is not",
            "Its gate in the stage Gate let it pass",
            states=["asks"],
        )
        assert commands(said) == [
            "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/k8s/view?region=eu-central-1"
        ]

    def test_it_says_what_the_upstreams_do_while_a_person_keeps_it(self, scene: Scene) -> None:
        scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
        scene.pipeline("infra", seconds=600)
        edit(scene, change=lambda declared: declared["stages"].insert(1, gate_stage(ask())))
        scene.start("k8s")
        scene.wait(minutes=1)
        explains("Currently, it would not have to wait for infra.", states=["asks"])
        scene.start("infra")
        explains(
            "Currently: infra is running: execution",
            "k8s does not wait for infra again: it has passed its gate.",
        )

    def test_not_if_a_gate_behind_the_approval_checks_them_again(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=600)
        scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
        again = {**gate_stage(ask(hold="retry")), "name": "Again"}

        def add_gates(declared: Any) -> None:
            declared["stages"].insert(1, gate_stage(ask()))
            declared["stages"].insert(3, again)

        edit(scene, change=add_gates)
        scene.start("k8s")
        scene.wait(minutes=1)
        scene.start("infra")
        said = explains("Currently: infra is running", "its gate in the stage Again yet, which")
        assert "does not wait for infra again" not in said.words

    @pytest.mark.parametrize("closed", [True, False])
    def test_it_says_so_before_a_stage_that_it_cannot_enter(
        self, scene: Scene, closed: bool
    ) -> None:
        """Its transition is disabled, or an older execution is in it."""
        scene.pipeline("infra", seconds=600)
        scene.k8s(seconds=3600)
        if closed:
            scene.codepipeline.disable_stage_transition(
                pipelineName="k8s", stageName="Deploy", transitionType="Inbound", reason="holidays"
            )
        else:
            scene.start("k8s")
            scene.wait(minutes=1)
        execution = scene.start("k8s")
        scene.wait(minutes=1)
        scene.start("infra")
        explains("Currently: infra is running", execution=execution)

    def test_its_own_transition_is_disabled(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.disable_stage_transition(
            pipelineName="k8s", stageName="Gate", transitionType="Inbound", reason="holidays"
        )
        scene.start("k8s")
        sentence = (
            "the transition into its stage Gate has been disabled since 12:00 UTC. The gate is"
        )
        said = explains(sentence, states=["closed"])
        assert commands(said) == [
            "aws codepipeline enable-stage-transition --pipeline-name k8s --stage-name Gate "
            "--transition-type Inbound"
        ]

    def test_it_succeeded(self, scene: Scene) -> None:
        run_k8s(scene, minutes=5)
        explains(begins=f"k8s is not waiting: its last execution {shorten_id(scene, 'k8s')} succe")

    def test_it_failed_at_another_action(self, scene: Scene) -> None:
        run_k8s(scene, minutes=5, outcome="Failed")
        said = explains(
            "failed at Deploy in its stage Deploy, at 12:01 UTC. The gate is not the",
            "Its gate in the stage Gate let it pass at 12:00 UTC",
            states=["failed"],
        )
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Deploy"
        )

    @pytest.mark.parametrize(
        ("abandon", "state", "sentence"),
        [
            (True, "stopped", "was stopped at 12:00 UTC."),
            (False, "stopping", "is being stopped at someone's request."),
        ],
    )
    def test_someone_stopped_it(
        self, scene: Scene, abandon: bool, state: str, sentence: str
    ) -> None:
        execution = run_k8s(scene, seconds=600)
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon
        )
        explains(f"of k8s {sentence}", states=[state])

    def test_it_was_superseded(self, scene: Scene) -> None:
        run_k8s(scene, seconds=600)
        middle = scene.start("k8s")
        last = scene.start("k8s")
        explains(
            f"was superseded at 12:00 UTC. A newer execution replaced it: {last[:8]} is",
            execution=middle,
        )

    def test_it_was_edited_while_its_gate_was_in_progress(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        edit(scene)
        explains("was cancelled at 12:07 UTC. The pipeline was edited", states=["cancelled"])

    def test_its_gate_refused(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        said = explains(
            f"The gate said: {message}",
            'The UserParameters of its action Wait are: {"depend_on": ["infra"]}',
            begins="k8s is not waiting: the gate in its stage Gate refused at 12:00 UTC.",
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
        assert "gatectl check" not in commands(said), "it does not check permissions"

    def test_its_gate_was_denied_access_to_the_other_account(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = in_the_other_account(scene, "us-east-1")
        there.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE)
        scene.gated("k8s", ask(THEIRS))
        refusal = NotPermitted("sts:AssumeRole", "the gate's role may not")
        monkeypatch.setattr(OtherAccounts, "_assume_role", Mock(side_effect=refusal))
        scene.start("k8s")
        said = explains("The gate said: AWS denied sts:AssumeRole")
        assert commands(said)[0] == "docs/elsewhere.md#the-role-in-the-other-account"

    def test_its_gate_would_refuse_from_now_on(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()

        def mistype(declared: Any) -> None:
            declared["stages"][1] = gate_stage({"depend_on": ["infra"]})

        edit(scene, change=mistype)
        explains("the gate in the stage Gate refuses: UserParameters has an")

    def test_its_gate_never_answered(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        scene.wait(minutes=21)
        explains(
            "the gate in its stage Gate did not answer, so CodePipeline failed it at 12:20 UTC.",
            states=["unanswered"],
        )

    def test_its_gate_only_observes(self, scene: Scene) -> None:
        hold_k8s(scene, observe=True)
        sentence = "Observe only: the gate would have held this pipeline for infra."
        explains(sentence, "That gate only observes, and never holds.")

    def test_it_has_no_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        said = explains("infra has no gate, so it does not wait", pipeline="infra")
        assert commands(said) == ["gatectl attach infra --depends-on PIPELINE"]

    def test_it_has_never_run(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        assert words() == "k8s has not run in the last 14 days."

    def test_the_execution_does_not_exist(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        complaint = run_refused("explain", "k8s", "--execution", "ffffffff")
        assert f"begins with ffffffff. The newest are {execution[:8]}." in complaint


class TestANewExecution:
    """What it would do depends on the gate as it is now, not on the gate that held."""

    @pytest.mark.parametrize("mode", ["restart", "retry"])
    def test_without_a_gate_nothing_holds_it(self, scene: Scene, mode: str) -> None:
        hold_k8s(scene, hold=mode)
        take_out_gate(scene)
        said = explains(
            "To start a new execution (it has no gate now, so nothing holds it",
            "k8s no longer has a gate. New executions do not wait, but this hold stays.",
        )
        assert "its gate" not in said.words.lower()
        assert not any("attach" in command for command in commands(said))

    def test_after_a_detach_that_cancelled_the_execution(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        take_out_gate(scene)
        explains(
            "which cancels running executions. gatectl attach and gatectl detach also edit it.",
            "To start a new execution (it has no gate now, so nothing holds it):",
        )

    def test_after_an_attach_that_cancelled_the_execution(self, scene: Scene) -> None:
        hold_k8s(scene, hold="wait")
        change_gate(scene, require="succeeded")
        explains("To start a new execution (its gate waits for infra to succeed):")

    def test_a_hold_keeps_the_parameters_that_it_began_with(self, scene: Scene) -> None:
        hold_k8s(scene, require="succeeded", give_up_minutes=60)
        change_gate(scene, hold="retry")
        said = explains(
            "Its gate has been changed since then: depends_on, hold and give_up_minutes. This hold "
            "keeps the old parameters",
            "nothing is started; to wait again, start the pipeline.",  # AWS would not retry it
        )
        assert commands(said)

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"give_up_minutes": 60, "on_give_up": "continue", "parked": "pass"},
            {"hold": "retry"},
        ],
    )
    def test_a_gate_with_the_same_parameters_has_not_changed(
        self, scene: Scene, parameters: dict[str, Any]
    ) -> None:
        hold_k8s(scene, **parameters)
        edit(scene)
        assert "has been changed since" not in words()


def test_an_abandoned_action_may_still_be_working(scene: Scene) -> None:
    execution = run_k8s(scene, seconds=600)
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="k8s", pipelineExecutionId=execution, abandon=True
    )
    explains("It was stopped without waiting for Deploy, which may still be working: AWS does not")
