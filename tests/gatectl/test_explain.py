"""`gatectl explain` of a pipeline that waits or runs: why, and what happens next. Each case as
somebody meets it in the middle of a deploy.
"""

from __future__ import annotations

import pytest

from sandbox.account import ACCOUNT
from tests.support.approval import approve
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.deployment import delete, deploy, mend
from tests.support.elsewhere import (
    OTHER_ACCOUNT,
    THEIR_PIPELINE_ROLE,
    THEIRS,
    in_the_other_account,
)
from tests.support.explaining import commands, deny, explains, read_states, shorten_id, words
from tests.support.held import edit, hold_k8s, start_all, take_out_gate
from tests.support.parallel import hold_in_parallel
from tests.support.scene import Scene

RETRY = "pipeline-gate-dev-retry"
PROMISE = "starts again by itself"


class TestHeldByARule:
    def test_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        said = explains(
            begins=(
                f"k8s waits for infra since 12:00 UTC (7 min). Execution {execution[:8]} has "
                "failed, and that is as planned: an EventBridge rule remembers it. infra runs: "
                f"execution {shorten_id(scene, 'infra')} is InProgress since 12:00 UTC. k8s starts "
                "again by itself within seconds of the end of infra, successful or not; in any "
                "case it is looked at again at 12:10 UTC. There is nothing to do. If you cannot "
                "wait: To let it go on now all the same"
            ),
            states=["held"],
        )
        rule = f"pipeline-gate-dev-{execution}"
        assert commands(said) == [
            "gatectl release k8s",
            f"aws events remove-targets --rule {rule} --ids retry",
            f"aws events delete-rule --name {rule}",
        ]

    def test_in_the_mode_retry_the_same_execution_goes_on(self, scene: Scene) -> None:
        hold_k8s(scene, hold="retry")
        explains("The same execution goes on by itself", "its stage is retried;")

    def test_what_it_says_is_of_now_not_of_when_it_was_held(self, scene: Scene) -> None:
        scene.pipeline("net", seconds=120)
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", "net"))
        start_all(scene, "infra", "net", "k8s")
        explains(begins="k8s waits for infra and net since 12:00 UTC")
        scene.wait(minutes=7)
        explains(begins="k8s waits for infra since 12:00 UTC (7 min).")
        assert "net runs" not in words()

    def test_how_long_still_where_the_past_tells(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=600)
        for _ in range(3):
            scene.start("infra")
            scene.wait(minutes=15)
        scene.k8s()
        start_all(scene, "infra", "k8s")
        explains("It usually takes 10 min, so until about 12:55 UTC.")

    @pytest.mark.parametrize(
        ("on_give_up", "ends"),
        [("stop", "the wait ends and nothing is started"), ("continue", "it goes on all the same")],
    )
    def test_when_it_gives_up(self, scene: Scene, on_give_up: str, ends: str) -> None:
        hold_k8s(scene, give_up_minutes=15, on_give_up=on_give_up, retry_minutes=60)
        explains(f"If that has not come by 13:00 UTC, {ends}")  # at the rule's next look
        scene.wait(minutes=10)
        explains(f"Its time was over at 12:15 UTC: {ends}, at the next look;")

    def test_an_upstream_that_waits_for_an_approval(self, scene: Scene) -> None:
        scene.staged("infra", ("Approve", 0), ("Deploy", 600))
        scene.gated("k8s", ask())
        start_all(scene, "infra", "k8s")
        said = explains("the approval Ask in its stage Approve is open since 12:00 UTC.")
        assert "There is nothing to do" not in said.words
        assert "If you cannot wait" not in said.words
        assert commands(said)[0].endswith("/pipelines/infra/view?region=eu-central-1")
        approve(scene)
        explains("There is nothing to do")

    def test_an_upstream_before_a_disabled_transition(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.codepipeline.disable_stage_transition(
            pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="holidays"
        )
        scene.k8s()
        start_all(scene, "infra", "k8s")
        said = explains("the transition into its stage Deploy is disabled since 12:00 UTC")
        assert commands(said)[0] == (
            "aws codepipeline enable-stage-transition --pipeline-name infra --stage-name Deploy "
            "--transition-type Inbound"
        )

    def test_a_success_that_nobody_works_on(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=5, outcome="Failed")
        scene.gated("k8s", ask("infra", require="succeeded"))
        start_all(scene, "infra", "k8s")
        said = explains("infra has not succeeded: its last execution", "the next success of infra")
        assert "There is nothing to do" not in said.words
        assert commands(said)[0] == "aws codepipeline start-pipeline-execution --name infra"

    def test_one_that_was_edited_meanwhile_has_to_be_started_before_it_can_be_let_go(
        self, scene: Scene
    ) -> None:
        hold_k8s(scene, hold="retry")
        edit(scene)
        said = explains("AWS retries no stage of a pipeline that was edited since")
        assert commands(said)[:2] == [
            "aws codepipeline start-pipeline-execution --name k8s",
            "gatectl release k8s",
        ]
        scene.start("k8s")
        assert run("release", "k8s", "--yes").status == 0
        scene.wait(minutes=3)
        assert scene.statuses()[0] == "Succeeded"

    def test_a_gate_in_a_stage_condition(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        conditioned(scene)
        start_all(scene, "infra", "k8s")
        assert read_states() == ["held"]

    def test_of_several_in_parallel_the_newest_are_told_each_for_itself(self, scene: Scene) -> None:
        executions = hold_in_parallel(scene, 7)
        said = explains("2 more executions of k8s wait or run", states=["held"] * 5 + ["more"])
        assert [command for command in commands(said) if "release" in command] == [
            f"gatectl release k8s --execution {execution[:8]}" for execution in executions[:1:-1]
        ]
        explains(execution=executions[0], states=["held"])

    def test_a_rule_that_is_disabled(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        scene.events.disable_rule(Name=f"pipeline-gate-dev-{execution}")
        said = explains("nothing will start it again", "It is disabled", states=["broken"])
        assert commands(said)[0] == "gatectl doctor --mend"

    @pytest.mark.parametrize(
        ("mode", "sentence"), [("restart", "Its stage is retried within seconds"), ("wait", "")]
    )
    def test_one_that_a_person_has_let_go(self, scene: Scene, mode: str, sentence: str) -> None:
        scene.world.dials.continuation_seconds = 600
        hold_k8s(scene, hold=mode)
        run("release", "k8s", "--yes")
        explains("k8s was let go by arn:aws:sts::123456789012:", sentence, states=["let go"])


class TestInPlace:
    def test_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = hold_k8s(scene, hold="wait", give_up_minutes=30)
        said = explains(
            begins=(
                f"k8s waits for infra since 12:00 UTC (7 min), in place: execution {execution[:8]} "
                "stays in progress at its stage Gate, action Wait. infra runs: execution "
                f"{shorten_id(scene, 'infra')} is InProgress since 12:00 UTC. CodePipeline asks "
                "the gate again by itself, and that lets it pass once that is over; AWS does not "
                "say how often it asks. If that has not come by 12:30 UTC, the wait ends and "
                "nothing is started: retry this stage then. There is nothing to do."
            ),
            states=["waits"],
        )
        assert commands(said)[0] == "gatectl release k8s"

    def test_between_the_end_and_the_next_asking(self, scene: Scene) -> None:
        scene.world.dials.continuation_seconds = 600
        hold_k8s(scene, seconds=300, hold="wait")
        explains("and nothing keeps it any more", states=["due"])

    def test_where_there_is_no_room_for_a_rule(self, scene: Scene) -> None:
        scene.only_room_for(0)
        hold_k8s(scene)
        explains("in place: execution", begins="k8s waits for infra since 12:00 UTC")

    def test_the_one_behind_it_in_the_queue(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", hold="wait"), mode="QUEUED")
        scene.start("infra")
        first, second = scene.start("k8s"), scene.start("k8s")
        said = explains(
            f"Execution {second[:8]} of k8s stands before the stage Gate, behind execution "
            f"{first[:8]}, which is in it.",
            states=["queued", "waits"],
        )
        assert f"gatectl release k8s --execution {first[:8]}" in commands(said)

    def test_a_gate_that_does_not_answer(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        explains("The gate of k8s is being asked since 12:00 UTC")
        scene.wait(minutes=5)
        said = explains("and has not answered.")
        assert commands(said) == ["chalice logs --stage dev --name gate"]


class TestChains:
    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_it_is_told_down_to_who_really_works(self, scene: Scene, mode: str) -> None:
        scene.pipeline("network", seconds=1200)
        for name, upstream in (("infra", "network"), ("k8s", "infra"), ("apps", "k8s")):
            scene.gated(name, ask(upstream, pipeline=name, hold=mode))
        start_all(scene, "network", "infra", "k8s", "apps")
        scene.wait(minutes=7)
        said = explains("In the end it all hangs on network.", pipeline="apps").words
        if mode == "wait":
            assert "It waits itself, at its gate, for network. network runs: execution" in said
        else:
            assert "and will run again: it waits for network. network runs: execution" in said
        (told,) = run("explain", "apps", "--json").json()["explained"]
        (k8s,) = told["waits_for"]
        (infra,) = k8s["waits_for"]
        (network,) = infra["waits_for"]
        assert [one["pipeline"] for one in (k8s, infra, network)] == ["k8s", "infra", "network"]
        assert infra["waits"] == ("in place" if mode == "wait" else "held")
        assert (network["waits"], len(network["running"])) == (None, 1)

    def test_two_ways_to_the_same_pipeline(self, scene: Scene) -> None:
        scene.pipeline("network", seconds=1200)
        scene.gated("infra", ask("network", pipeline="infra"))
        scene.gated("k8s", ask("infra", "network"))
        start_all(scene, "network", "infra", "k8s")
        explains("In the end it all hangs on network.")

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_a_deadlock_that_the_gates_have_not_seen_yet(
        self, scene: Scene, calls: Calls, mode: str
    ) -> None:
        scene.world.dials.continuation_seconds = 600
        scene.gated("a", ask("b", pipeline="a", require="succeeded", hold=mode))
        scene.gated("b", ask("a", pipeline="b", require="succeeded", hold=mode))
        scene.start("a")
        call = "ListTargetsByRule" if mode == "restart" else "GetPipelineState"
        calls.fail(call, "ThrottlingException")
        scene.start("b")
        said = explains(
            "Deadlock: a waits since 12:00 UTC",
            "a waits for b, which waits for a.",
            pipeline="a",
            states=["deadlock"],
        )
        assert any(command.startswith("gatectl release a") for command in commands(said))

    def test_a_deadlock_that_the_gate_has_refused(self, scene: Scene) -> None:
        scene.gated("a", ask("b", pipeline="a", require="succeeded"))
        scene.gated("b", ask("a", pipeline="b", require="succeeded"))
        start_all(scene, "a", "b")
        explains(
            "Deadlock: b waits for a, which waits for b.",
            pipeline="b",
            begins="b does not wait: at 12:00 UTC the gate in its stage Gate failed it because the "
            "wait would never end.",
            states=["deadlock"],
        )


class TestElsewhere:
    INFRA = f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra"

    def test_an_upstream_in_another_region_is_looked_at_there(self, scene: Scene) -> None:
        there = Scene(scene.world, region="us-east-1")
        there.pipeline("infra", seconds=1200)
        there.start("infra")
        scene.gated("k8s", ask(self.INFRA))
        scene.start("k8s")
        explains(
            f"infra (us-east-1) runs: execution {shorten_id(there, 'infra')} is InProgress",
            "if its events are forwarded to this region's event bus",
            begins="k8s waits for infra (us-east-1) since 12:00 UTC",
        )

    @pytest.fixture
    def theirs(self, scene: Scene) -> Scene:
        """k8s waits for infra in another account, which a role opens."""
        theirs = in_the_other_account(scene, "us-east-1")
        theirs.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE, seconds=1200)
        theirs.start("infra")
        scene.gated("k8s", ask(THEIRS))
        scene.start("k8s")
        return theirs

    LABEL = f"infra (us-east-1, account {OTHER_ACCOUNT})"

    def test_one_in_another_account_is_looked_at_under_its_role(self, theirs: Scene) -> None:
        said = explains(f"{self.LABEL} runs: execution")
        assert "The gate may see more" not in said.words

    @pytest.mark.usefixtures("theirs")
    def test_one_that_the_person_may_not_see_is_told_as_the_gate_saw_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deny(monkeypatch, "sts:AssumeRole")
        explains(
            f"Whether {self.LABEL} runs is not known: AWS denied sts:AssumeRole (",
            f"The gate may see more. At 12:00 UTC it said: k8s waits for {self.LABEL}",
        )


class TestWhenNothingKeepsItAnyMore:
    def test_it_goes_on_within_seconds(self, scene: Scene) -> None:
        scene.world.dials.event_copies = lambda: [20.0]
        hold_k8s(scene, seconds=430)
        scene.wait(seconds=3)
        explains("infra has ended, and nothing keeps k8s any more", states=["due"])

    def test_the_event_was_lost_so_the_schedule_does_it(self, scene: Scene) -> None:
        scene.world.dials.events_on = False
        hold_k8s(scene, seconds=310)
        explains(
            "The retry has logged nothing of it since then",
            begins="Nothing keeps k8s any more since 12:05 UTC",
            states=["overdue"],
        )
        scene.wait(minutes=3, seconds=30)
        assert read_states() == ["runs"]

    def test_the_retry_is_denied_what_it_needs(self, scene: Scene, calls: Calls) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        hold_k8s(scene, seconds=280)
        said = explains("NotPermitted: AWS denied codepipeline:StartPipelineExecution")
        assert commands(said)[:2] == ["chalice logs --stage dev --name retry", "gatectl doctor"]

    def test_the_retry_cannot_be_reached(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(scene, seconds=280, minutes=0)
        scene.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
        scene.wait(minutes=7)
        explains("The gate's EventBridge rules may not invoke it")
        deny(monkeypatch, "lambda:GetPolicy")
        explains("The retry has never run: its rule does not reach it.")

    def test_where_the_log_may_not_be_read_it_is_pointed_to(
        self, scene: Scene, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        hold_k8s(scene, seconds=280)
        deny(monkeypatch, "logs:FilterLogEvents")
        said = explains("could not be read: AWS denied logs:FilterLogEvents (")
        assert commands(said)[0] == "chalice logs --stage dev --name retry"

    @pytest.mark.parametrize("require", ["idle", "succeeded"])
    def test_an_upstream_that_is_gone_keeps_nobody(self, scene: Scene, require: str) -> None:
        scene.world.dials.events_on = False
        hold_k8s(scene, require=require)
        scene.codepipeline.delete_pipeline(name="infra")
        explains("what it waited for, infra, is over")


class TestAHoldThatNothingWillEnd:
    """It promises no start then, and says what repairs it."""

    def test_the_retry_was_deleted_with_a_hold_open(self, sound: Scene) -> None:
        execution = hold_k8s(sound)
        delete("dev")
        said = explains(
            f"nothing will start it again: the function {RETRY}, which its rule invokes, is not "
            "there.",
            states=["broken"],
        )
        assert PROMISE not in said.words
        rule = f"pipeline-gate-dev-{execution}"
        assert commands(said) == [
            "chalice deploy --stage dev",
            "gatectl doctor --mend",
            "gatectl detach k8s",
            "aws codepipeline start-pipeline-execution --name k8s",
            f"aws events remove-targets --rule {rule} --ids retry",
            f"aws events delete-rule --name {rule}",
        ], "release would invoke what is not there"
        deploy("dev")
        assert read_states() == ["broken"], "its resource policy went with it"
        mend()
        assert read_states() == ["held"]

    def test_its_rules_may_not_invoke_the_retry(self, sound: Scene) -> None:
        hold_k8s(sound)
        sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
        said = explains("nothing will start it again", "no statement of its resource policy says")
        assert PROMISE not in said.words
        assert commands(said)[:2] == ["gatectl doctor --mend", "gatectl release k8s"]
        mend()
        assert read_states() == ["held"]

    def test_the_retry_never_runs(self, sound: Scene) -> None:
        hold_k8s(sound)
        sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
        said = explains("Its reserved concurrency is 0", "To give it back its share")
        assert (
            commands(said)[0] == f"aws lambda delete-function-concurrency --function-name {RETRY}"
        )

    def test_where_the_upstream_has_ended_it_is_not_said_to_keep_it(self, sound: Scene) -> None:
        hold_k8s(sound, seconds=60 * 8)
        delete("dev")
        sound.wait(minutes=5)
        explains(begins="k8s is held for infra, which does not keep it any more, since 12:00 UTC")

    def test_where_that_may_not_be_looked_at_it_says_so_and_goes_on(
        self, sound: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(sound)
        deny(monkeypatch, "lambda:GetFunctionConfiguration")
        sentence = "was not looked at: AWS denied lambda:GetFunctionConfiguration ("
        explains(PROMISE, sentence, states=["held"])


class TestWhatWaitsForIt:
    """What the owner of an upstream without a gate wants to know."""

    def test_who_waits_for_it(self, scene: Scene) -> None:
        hold_k8s(scene)
        scene.pipeline("infra-two")
        scene.gated("apps", ask("infra", "infra-two", pipeline="apps"))
        scene.start("apps")
        said = explains(
            "k8s (since 12:00 UTC) and apps (since 12:07 UTC) wait for it.",
            pipeline="infra",
            states=["runs", "waited for"],
        )
        assert commands(said) == ["gatectl explain k8s", "gatectl explain apps"], (
            "no word of attach while somebody waits"
        )
        assert read_states("infra-two") == ["idle", "not gated"], (
            "apps waits for both to be idle, and this one is"
        )

    def test_a_success_that_does_not_come_is_waited_for_while_it_does_not_run(
        self, scene: Scene
    ) -> None:
        scene.pipeline("infra", seconds=5, outcome="Failed")
        scene.gated("k8s", ask("infra", require="succeeded"))
        start_all(scene, "infra", "k8s")
        assert read_states("infra") == ["failed", "waited for"]

    def test_who_waits_for_one_of_many(self, scene: Scene) -> None:
        names = [f"net{number}" for number in range(8)]
        for name in [*names, "infra"]:
            scene.pipeline(name, seconds=1200)
        scene.gated("k8s", ask(*names, "infra"))
        start_all(scene, "infra", "k8s")
        explains("k8s (since 12:00 UTC) waits for it.", pipeline="infra")

    def test_a_rule_that_is_left_of_a_hold_counts_for_nobody(self, scene: Scene) -> None:
        hold_k8s(scene)
        take_out_gate(scene)
        scene.start("k8s")
        assert read_states("infra") == ["runs", "not gated"]


class TestForPrograms:
    def test_the_facts_and_the_sentences(self, scene: Scene) -> None:
        execution = hold_k8s(scene, give_up_minutes=60)
        told = run("explain", "k8s", "--json").json()
        assert (told["pipeline"], told["region"], told["gated"]) == ("k8s", "eu-central-1", True)
        (one,) = told["explained"]
        assert (one["state"], one["execution"], one["status"]) == ("held", execution, "Failed")
        assert one["rule"] == f"pipeline-gate-dev-{execution}"
        assert one["next_check"] == "2026-11-23T12:10:00+00:00"
        assert one["since"].startswith("2026-11-23T12:00")
        assert one["give_up"].startswith("2026-11-23T13:00")
        assert one["sentences"][0].startswith("k8s waits for infra since 12:00 UTC")
        assert one["can"][0] == {
            "to": "let it go on now all the same (its next execution waits again)",
            "commands": ["gatectl release k8s"],
        }
        (infra,) = one["waits_for"]
        running = [scene.executions("infra")[0]["pipelineExecutionId"]]
        assert (infra["pipeline"], infra["satisfied"]) == ("infra", False)
        assert infra["running"] == running

    def test_commands_have_the_region_that_was_asked_for(self, scene: Scene) -> None:
        hold_k8s(scene)
        said = run("explain", "k8s", "--region", "eu-central-1")
        assert all(command.endswith("--region eu-central-1") for command in commands(said))

    def test_no_line_but_a_command_is_longer_than_the_terminal(self, scene: Scene) -> None:
        hold_k8s(scene)
        said = run("explain", "k8s", columns=80)
        assert max(len(line) for line in said.out.splitlines() if not line.startswith("  ")) <= 80
