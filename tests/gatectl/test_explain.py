"""`gatectl explain`: why is my pipeline waiting? Each case as somebody meets it in the middle of a
deploy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.other_accounts import OtherAccounts
from chalicelib.errors import NotPermitted
from gatectl.session import Place
from sandbox.account import ACCOUNT
from tests import test_rollback
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.cli import Said, run
from tests.support.condition import conditioned
from tests.support.scene import Scene, gate_stage
from tests.test_docs import OTHER_ACCOUNT, THEIR_PIPELINE_ROLE, in_the_other_account
from tests.test_parked import approve

RULES = ["restart", "retry"]
THEIRS = {
    "pipeline": f"arn:aws:codepipeline:us-east-1:{OTHER_ACCOUNT}:infra",
    "role_arn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/pipeline-gate-look",
    "external_id": "a-word-that-both-know",
}
rolled_back = test_rollback.rolled_back
"""The fixture."""


def words(*arguments: str) -> str:
    said = run("explain", *(arguments or ("k8s",)))
    assert said.status == 0, said.err
    return said.words


def states(*arguments: str) -> list[str]:
    """The words for programs."""
    return [
        one["state"]
        for one in run("explain", *(arguments or ("k8s",)), "--json").json()["explained"]
    ]


def commands(said: Said) -> list[str]:
    return [line.strip() for line in said.out.splitlines() if line.startswith("  ")]


def short(scene: Scene, name: str, number: int = 0) -> str:
    return scene.executions(name)[number]["pipelineExecutionId"][:8]


def held(scene: Scene, seconds: float = 1200, **more: Any) -> str:
    """infra runs until 12:20, k8s has waited for it since 12:00; it is 12:07. Returns k8s'
    execution.
    """
    scene.pipeline("infra", seconds=seconds)
    scene.gated("k8s", ask("infra", **more))
    scene.start("infra")
    execution = scene.start("k8s")
    scene.wait(minutes=7)
    return execution


def edit(scene: Scene, name: str = "k8s", change: Callable[[Any], None] = lambda _: None) -> None:
    declared: Any = scene.codepipeline.get_pipeline(name=name)["pipeline"]
    change(declared)
    scene.codepipeline.update_pipeline(pipeline=declared)


def remove(scene: Scene, rule: str) -> None:
    scene.events.remove_targets(Rule=rule, Ids=["retry"])
    scene.events.delete_rule(Name=rule)


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """AWS denies this operation to the person who asks."""
    real = Place.client

    def denied(operation: str) -> None:
        def client(place: Place, service: str, region: str | None = None, **more: Any) -> Any:
            made = real(place, service, region, **more)
            call = made._make_api_call

            def perhaps(name: str, arguments: Any) -> Any:
                if name == operation:
                    raise ClientError(
                        {"Error": {"Code": "AccessDeniedException", "Message": "ann may not"}}, name
                    )
                return call(name, arguments)

            made._make_api_call = perhaps
            return made

        monkeypatch.setattr(Place, "client", client)

    return denied


class TestHeldByARule:
    def test_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = held(scene)
        said = run("explain", "k8s")
        assert said.status == 0
        assert said.words.startswith(
            f"k8s waits for infra since 12:00 UTC (7 min). Execution {execution[:8]} has failed, "
            "and that is as planned: "
            f"an EventBridge rule remembers it. infra runs: execution {short(scene, 'infra')} is "
            "InProgress since 12:00 UTC. "
            "k8s starts again by itself within seconds of the end of infra, successful or not; in "
            "any case "
            "it is looked at again at 12:10 UTC. "
            "There is nothing to do. If you cannot wait: To let it go on now all the same"
        )
        rule = f"pipeline-gate-dev-{execution}"
        assert commands(said) == [
            "gatectl release k8s",
            f"aws events remove-targets --rule {rule} --ids retry",
            f"aws events delete-rule --name {rule}",
        ]
        assert states() == ["held"]

    def test_in_the_mode_retry_the_same_execution_goes_on(self, scene: Scene) -> None:
        held(scene, hold="retry")
        assert (
            "The same execution goes on by itself within seconds of the end of infra, successful "
            "or not: its stage is retried;" in words()
        )

    def test_what_it_says_is_of_now_not_of_when_it_was_held(self, scene: Scene) -> None:
        scene.pipeline("net", seconds=120)
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", "net"))
        for name in ("infra", "net", "k8s"):
            scene.start(name)
        assert words().startswith("k8s waits for infra and net since 12:00 UTC")
        scene.wait(minutes=7)
        assert words().startswith("k8s waits for infra since 12:00 UTC (7 min).")
        assert "net runs" not in words()

    def test_how_long_still_where_the_past_tells(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=600)
        for _ in range(3):
            scene.start("infra")
            scene.wait(minutes=15)
        scene.k8s()
        scene.start("infra")
        scene.start("k8s")
        assert "It usually takes 10 min, so until about 12:55 UTC." in words()

    @pytest.mark.parametrize(
        ("on_give_up", "ends"),
        [("stop", "the wait ends and nothing is started"), ("continue", "it goes on all the same")],
    )
    def test_when_it_gives_up(self, scene: Scene, on_give_up: str, ends: str) -> None:
        held(scene, give_up_minutes=15, on_give_up=on_give_up, retry_minutes=60)
        assert f"If that has not come by 13:00 UTC, {ends}" in words(), (
            "a rule sees a deadline when it looks next"
        )
        scene.wait(minutes=10)
        assert (
            f"Its time was over at 12:15 UTC: {ends}, at the next look; in any case it is looked "
            "at again at 13:00 UTC." in words()
        )

    def test_an_upstream_that_waits_for_an_approval(self, scene: Scene) -> None:
        scene.staged("infra", ("Approve", 0), ("Deploy", 600))
        scene.gated("k8s", ask())
        scene.start("infra")
        scene.start("k8s")
        said = run("explain", "k8s")
        assert (
            "and waits for a person: the approval Ask in its stage Approve is open since 12:00 UTC."
            in said.words
        )
        assert "There is nothing to do" not in said.words
        assert "If you cannot wait" not in said.words
        assert "To answer the approval Ask of infra:" in said.out
        assert commands(said)[0].endswith("/pipelines/infra/view?region=eu-central-1")
        approve(scene)
        assert "There is nothing to do" in words()

    def test_an_upstream_before_a_disabled_transition(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.codepipeline.disable_stage_transition(
            pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="holidays"
        )
        scene.k8s()
        scene.start("infra")
        scene.start("k8s")
        said = run("explain", "k8s")
        assert "the transition into its stage Deploy is disabled since 12:00 UTC" in said.words
        assert commands(said)[0] == (
            "aws codepipeline enable-stage-transition --pipeline-name infra --stage-name Deploy "
            "--transition-type Inbound"
        )

    def test_a_success_that_nobody_works_on(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=5, outcome="Failed")
        scene.gated("k8s", ask("infra", require="succeeded"))
        scene.start("infra")
        scene.start("k8s")
        said = run("explain", "k8s")
        assert (
            f"infra has not succeeded: its last execution {short(scene, 'infra')} Failed at 12:00 "
            "UTC." in said.words
        )
        assert "within seconds of the next success of infra" in said.words
        assert "There is nothing to do" not in said.words
        assert commands(said)[0] == "aws codepipeline start-pipeline-execution --name infra"

    def test_one_that_was_edited_meanwhile_has_to_be_started_before_it_can_be_let_go(
        self, scene: Scene
    ) -> None:
        held(scene, hold="retry")
        edit(scene)
        said = run("explain", "k8s")
        assert (
            "and asks anew: AWS retries no stage of a pipeline that was edited since" in said.words
        )
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
        scene.start("infra")
        scene.start("k8s")
        assert words().startswith("k8s waits for infra since 12:00 UTC")

    def test_several_executions_in_parallel_each_for_itself(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.k8s(mode="PARALLEL")
        scene.start("infra")
        first, second = scene.start("k8s"), scene.start("k8s")
        said = run("explain", "k8s")
        assert said.words.count("k8s waits for infra since") == 2
        assert [command for command in commands(said) if "release" in command] == [
            f"gatectl release k8s --execution {second[:8]}",
            f"gatectl release k8s --execution {first[:8]}",
        ]
        assert states("k8s", "--execution", first[:8]) == ["held"]

    def test_of_many_the_newest_are_told_and_the_rest_is_counted(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=3600)
        scene.k8s(mode="PARALLEL")
        scene.start("infra")
        for _ in range(7):
            scene.start("k8s")
        assert states() == ["held"] * 5 + ["more"]
        assert "2 more executions of k8s wait or run" in words()

    def test_a_rule_that_is_disabled(self, scene: Scene) -> None:
        execution = held(scene)
        scene.events.disable_rule(Name=f"pipeline-gate-dev-{execution}")
        said = run("explain", "k8s")
        assert (
            "and nothing will start it again: something is wrong with its rule. It is disabled, "
            "so it never fires." in said.words
        )
        assert commands(said)[0] == "gatectl doctor --mend"
        assert states() == ["broken"]

    def test_one_that_a_person_has_let_go(self, scene: Scene) -> None:
        execution = held(scene)
        run("release", "k8s", "--yes")
        said = words()
        assert "k8s was let go by arn:aws:sts::123456789012:" in said
        assert (
            f"Its stage is retried within seconds, and the gate lets execution {execution[:8]} pass"
            in said
        )
        scene.wait(seconds=5)
        assert states() == ["runs"]


class TestInPlace:
    def test_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = held(scene, hold="wait", give_up_minutes=30)
        said = run("explain", "k8s")
        assert said.words.startswith(
            f"k8s waits for infra since 12:00 UTC (7 min), in place: execution {execution[:8]} "
            "stays in progress at its stage Gate, "
            f"action Wait. infra runs: execution {short(scene, 'infra')} is InProgress since "
            "12:00 UTC. CodePipeline asks the gate again "
            "by itself, and that lets it pass once that is over; AWS does not say how often it "
            "asks. "
            "If that has not come by 12:30 UTC, the wait ends and nothing is started: retry this "
            "stage then. There is nothing to do."
        )
        assert commands(said)[0] == "gatectl release k8s"
        assert states() == ["waits"]

    def test_between_the_end_and_the_next_asking(self, scene: Scene) -> None:
        scene.world.dials.continuation_seconds = 600
        held(scene, seconds=300, hold="wait")
        assert "k8s waited since 12:00 UTC (7 min), and nothing keeps it any more" in words()
        assert states() == ["due"]

    def test_one_that_a_person_has_let_go(self, scene: Scene) -> None:
        scene.world.dials.continuation_seconds = 600
        held(scene, hold="wait")
        run("release", "k8s", "--yes")
        assert "k8s was let go by arn:aws:sts::123456789012:" in words()
        assert states() == ["let go"]

    def test_where_there_is_no_room_for_a_rule(self, scene: Scene) -> None:
        scene.only_room_for(0)
        held(scene)
        said = words()
        assert said.startswith("k8s waits for infra since 12:00 UTC")
        assert "in place: execution" in said

    def test_the_one_behind_it_in_the_queue(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", hold="wait"), mode="QUEUED")
        scene.start("infra")
        first, second = scene.start("k8s"), scene.start("k8s")
        said = words()
        assert (
            f"Execution {second[:8]} of k8s stands before the stage Gate, behind execution "
            f"{first[:8]}, which is in it. It has not come to "
            "its gate in the stage Gate yet, which waits for infra. It goes on when that one has "
            "left the stage." in said
        )
        assert states() == ["queued", "waits"]
        assert f"gatectl release k8s --execution {first[:8]}" in said

    def test_in_parallel_mode_where_aws_shows_one_execution_a_stage(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", hold="wait"), mode="PARALLEL")
        scene.start("infra")
        scene.start("k8s")
        scene.start("k8s")
        assert states() == ["waits", "waits"]

    def test_a_gate_that_does_not_answer(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        assert "The gate of k8s is being asked since 12:00 UTC" in words()
        assert "It answers within seconds." in words()
        scene.wait(minutes=5)
        said = run("explain", "k8s")
        assert "and has not answered." in said.words
        assert commands(said) == ["chalice logs --stage dev --name gate"]


class TestChains:
    @pytest.mark.parametrize("mode", [*RULES, "wait"])
    def test_it_is_told_down_to_who_really_works(self, scene: Scene, mode: str) -> None:
        scene.pipeline("network", seconds=1200)
        for name, upstream in (("infra", "network"), ("k8s", "infra"), ("apps", "k8s")):
            scene.gated(name, ask(upstream, pipeline=name, hold=mode))
        for name in ("network", "infra", "k8s", "apps"):
            scene.start(name)
        scene.wait(minutes=7)
        said = words("apps")
        assert said.startswith("apps waits for k8s since 12:00 UTC (7 min)")
        if mode == "wait":
            assert "It waits itself, at its gate, for infra. infra runs: execution" in said
            assert "It waits itself, at its gate, for network. network runs: execution" in said
        else:
            assert (
                "k8s is held itself since 12:00 UTC, and will run again: it waits for infra. "
                "infra is held itself" in said
            )
            assert "and will run again: it waits for network. network runs: execution" in said
        assert "In the end it all hangs on network." in said
        (told,) = run("explain", "apps", "--json").json()["explained"]
        (k8s,) = told["waits_for"]
        (infra,) = k8s["waits_for"]
        (network,) = infra["waits_for"]
        assert [one["pipeline"] for one in (k8s, infra, network)] == ["k8s", "infra", "network"]
        assert (infra["waits"], network["waits"], len(network["running"])) == (
            "in place" if mode == "wait" else "held",
            None,
            1,
        )

    def test_two_ways_to_the_same_pipeline(self, scene: Scene) -> None:
        scene.pipeline("network", seconds=1200)
        scene.gated("infra", ask("network", pipeline="infra"))
        scene.gated("k8s", ask("infra", "network"))
        for name in ("network", "infra", "k8s"):
            scene.start(name)
        said = words()
        assert "In the end it all hangs on network." in said

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_a_deadlock_that_the_gates_have_not_seen_yet(
        self, scene: Scene, calls: Calls, mode: str
    ) -> None:
        scene.world.dials.continuation_seconds = 600
        scene.gated("a", ask("b", pipeline="a", require="succeeded", hold=mode))
        scene.gated("b", ask("a", pipeline="b", require="succeeded", hold=mode))
        scene.start("a")
        calls.fail(
            "ListTargetsByRule" if mode == "restart" else "GetPipelineState", "ThrottlingException"
        )
        scene.start("b")
        said = run("explain", "a")
        assert "Deadlock: a waits since 12:00 UTC" in said.words
        assert (
            "none of these can go on before another does: a waits for b, which waits for a."
            in said.words
        )
        assert "Take one of them out of its depends_on" in said.words
        assert any(command.startswith("gatectl release a") for command in commands(said))
        assert states("a") == ["deadlock"]

    def test_a_deadlock_that_the_gate_has_refused(self, scene: Scene) -> None:
        scene.gated("a", ask("b", pipeline="a", require="succeeded"))
        scene.gated("b", ask("a", pipeline="b", require="succeeded"))
        scene.start("a")
        scene.start("b")
        said = words("b")
        assert said.startswith(
            "b does not wait: the gate in its stage Gate failed it at 12:00 UTC, for the wait "
            "would never end."
        )
        assert "Deadlock: b waits for a, which waits for b." in said
        assert states("b") == ["deadlock"]


class TestElsewhere:
    INFRA = f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra"

    def test_an_upstream_in_another_region_is_looked_at_there(self, scene: Scene) -> None:
        there = Scene(scene.world, region="us-east-1")
        there.pipeline("infra", seconds=1200)
        there.start("infra")
        scene.gated("k8s", ask(self.INFRA))
        scene.start("k8s")
        said = words()
        assert said.startswith("k8s waits for infra (us-east-1) since 12:00 UTC")
        assert f"infra (us-east-1) runs: execution {short(there, 'infra')} is InProgress" in said
        assert "if its events are forwarded to this region's event bus" in said

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
        said = words()
        assert said.startswith(f"k8s waits for {self.LABEL} since 12:00 UTC")
        assert f"{self.LABEL} runs: execution" in said
        assert "The gate may see more" not in said

    @pytest.mark.usefixtures("theirs")
    def test_one_that_the_person_may_not_see_is_told_as_the_gate_saw_it(
        self, deny: Callable[[str], None]
    ) -> None:
        deny("AssumeRole")
        said = words()
        assert (
            f"Whether {self.LABEL} runs is not known: AWS denied sts:AssumeRole (ann may not)."
            in said
        )
        assert (
            f"The gate may see more. At 12:00 UTC it said: k8s waits for {self.LABEL} since 12:00 "
            f"UTC. {self.LABEL} runs:" in said
        )


class TestWhenNothingKeepsItAnyMore:
    def test_it_goes_on_within_seconds(self, scene: Scene) -> None:
        scene.world.dials.event_copies = lambda: [20.0]
        held(scene, seconds=430)
        scene.wait(seconds=3)
        said = words()
        assert (
            "infra has ended, and nothing keeps k8s any more since 12:07 UTC. k8s starts again by "
            "itself within seconds" in said
        )
        assert states() == ["due"]

    def test_the_event_was_lost_so_the_schedule_does_it(self, scene: Scene) -> None:
        scene.world.dials.events_on = False
        held(scene, seconds=310)
        said = words()
        assert said.startswith(
            "Nothing keeps k8s any more since 12:05 UTC: what it waited for, infra, is over. Yet "
            "it has not gone on."
        )
        assert (
            "The retry has logged nothing of it since then: the event of that end was lost, or is "
            "late." in said
        )
        assert "in any case it is looked at again at 12:10 UTC" in said
        assert states() == ["overdue"]
        scene.wait(minutes=3, seconds=30)
        assert states() == ["runs"]

    def test_the_retry_is_denied_what_it_needs(self, scene: Scene, calls: Calls) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        held(scene, seconds=280)
        said = run("explain", "k8s")
        assert "The retry failed at 12:0" in said.words
        assert "NotPermitted: AWS denied codepipeline:StartPipelineExecution" in said.words
        assert commands(said)[:2] == ["chalice logs --stage dev --name retry", "gatectl doctor"]

    def test_the_retry_cannot_be_reached(self, scene: Scene, deny: Callable[[str], None]) -> None:
        scene.pipeline("infra", seconds=280)
        scene.k8s()
        scene.start("infra")
        scene.start("k8s")
        scene.awslambda.remove_permission(
            FunctionName="pipeline-gate-dev-retry", StatementId="pipeline-gate-rules"
        )
        scene.wait(minutes=7)
        assert "The gate's EventBridge rules may not invoke it" in words()
        deny("GetPolicy")
        assert "The retry has never run: its rule does not reach it." in words()

    def test_where_the_log_may_not_be_read_it_is_pointed_to(
        self, scene: Scene, calls: Calls, deny: Callable[[str], None]
    ) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        held(scene, seconds=280)
        deny("FilterLogEvents")
        said = run("explain", "k8s")
        assert (
            "the retry's log says, which could not be read: AWS denied logs:FilterLogEvents (ann "
            "may not)." in said.words
        )
        assert commands(said)[0] == "chalice logs --stage dev --name retry"

    @pytest.mark.parametrize("require", ["idle", "succeeded"])
    def test_an_upstream_that_is_gone_keeps_nobody(self, scene: Scene, require: str) -> None:
        scene.world.dials.events_on = False
        held(scene, require=require)
        scene.codepipeline.delete_pipeline(name="infra")
        assert "what it waited for, infra, is over" in words()


class TestTheHoldIsGone:
    def test_removed_by_hand(self, scene: Scene) -> None:
        execution = held(scene)
        remove(scene, f"pipeline-gate-dev-{execution}")
        said = run("explain", "k8s")
        assert said.words.startswith(
            "k8s does not wait any more, and is not started again: it had waited for infra since "
            "12:00 UTC."
        )
        assert (
            "The rule of its hold is gone, and the retry has not removed it: somebody did, by "
            "hand. As it is now: infra runs" in said.words
        )
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Gate"
        )
        assert states() == ["removed"]

    @pytest.mark.parametrize("mode", [*RULES, "wait"])
    def test_given_up(self, scene: Scene, mode: str) -> None:
        held(scene, hold=mode, give_up_minutes=5)
        scene.wait(minutes=6)
        said = words()
        assert "gave up at 12:" in said
        assert "as long as give_up_minutes says" in said
        assert "Nothing starts by itself." in said
        assert states() == ["gave up"]

    def test_what_it_was_is_only_guessed_where_the_log_may_not_be_read(
        self, scene: Scene, deny: Callable[[str], None]
    ) -> None:
        held(scene, give_up_minutes=5)
        scene.wait(minutes=6)
        deny("FilterLogEvents")
        assert "The rule of its hold is gone: the wait was given up, it seems." in words()

    @pytest.mark.parametrize("rolled_back", ["restart"], indirect=True)
    def test_a_rollback_that_cannot_be_retried_any_more(
        self, scene: Scene, rolled_back: str
    ) -> None:
        assert (
            "The same execution goes on by itself within seconds of the end of infra, successful "
            "or not: its stage is retried;" in words()
        )
        edit(scene)
        assert (
            "Its hold ends within seconds of the end of infra, successful or not, and nothing is "
            "started" in words()
        )
        scene.wait(minutes=20)
        said = words()
        assert said.startswith("k8s does not wait any more: its hold ended at 12:1")
        assert (
            f"The retry said: dropped: execution {rolled_back} is a rollback, which cannot be "
            "retried any more" in said
        )
        assert states() == ["dropped"]

    def test_started_again_in_parallel_mode(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=300)
        scene.k8s(mode="PARALLEL")
        scene.start("infra")
        execution = scene.start("k8s")
        scene.wait(minutes=10)
        said = words("k8s", "--execution", execution[:8])
        assert (
            f"Execution {execution[:8]} of k8s was held since 12:00 UTC, and started again at "
            f"12:05 UTC, as {short(scene, 'k8s')}" in said
        )


class TestTheRuleIsLeft:
    def test_a_newer_execution_took_over(self, scene: Scene) -> None:
        old = held(scene)
        edit(scene, change=lambda declared: declared["stages"].pop(1))
        new = scene.start("k8s")
        said = words()
        assert said.startswith(f"Execution {new[:8]} of k8s runs since 12:07 UTC")
        assert (
            f"The rule pipeline-gate-dev-{old} is left of a hold that nobody needs any more: a "
            f"newer execution exists: {new[:8]}" in said
        )
        assert (
            "It goes by itself at its first look after the end of infra. It looks next at 12:10 "
            "UTC." in said
        )
        assert states()[-1] == "needless"
        about_the_old = words("k8s", "--execution", old[:8])
        assert (
            f"Execution {old[:8]} of k8s failed at 12:00 UTC. A newer one took over: {new[:8]} is "
            "InProgress." in about_the_old
        )
        assert "Nobody waits for it any more." in about_the_old

    def test_it_was_retried_and_runs(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), seconds=600)
        scene.start("infra")
        scene.start("k8s")
        scene.wait(minutes=4)
        said = words()
        assert (
            "Its gate in the stage Gate let it pass at 12:02 UTC: infra is idle: last execution"
            in said
        )
        assert (
            "It was held before, and its stage was retried: the rule of that hold stays until "
            "this execution has ended." in said
        )
        assert states() == ["runs"]

    def test_it_failed_after_it_had_passed(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=120)
        scene.gated("k8s", ask("infra", hold="retry"), outcome="Failed")
        scene.start("infra")
        scene.start("k8s")
        scene.wait(minutes=3)
        scene.start("infra")
        assert states() == ["failed", "needless"]
        assert "passed the gate at a later attempt" in words()


class TestItDoesNotWait:
    def test_before_its_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.start_pipeline_execution(name="k8s")
        said = words()
        assert (
            "k8s runs since 12:00 UTC, and is at Source in its stage Source. It waits for no "
            "other pipeline now." in said
        )
        assert "It has not come to its gate in the stage Gate yet, which waits for infra." in said

    def test_past_its_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(seconds=600)
        scene.start("k8s")
        said = words()
        assert "and is at Deploy in its stage Deploy" in said
        assert (
            "Its gate in the stage Gate let it pass at 12:00 UTC: infra is idle: it has not run "
            "in the last 14 days." in said
        )

    def test_it_waits_for_an_approval_of_its_own(self, scene: Scene) -> None:
        scene.staged("k8s", ("Approve", 0), ("Deploy", 60))
        scene.pipeline("infra")
        edit(scene, change=lambda declared: declared["stages"].insert(1, gate_stage(ask())))
        scene.start("k8s")
        said = run("explain", "k8s")
        assert (
            "waits for a person: the approval Ask in its stage Approve is open since 12:00 UTC. "
            "That is not" in said.words
        )
        assert "Its gate in the stage Gate let it pass" in said.words
        assert commands(said) == [
            "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/k8s/view?region=eu-central-1"
        ]
        assert states() == ["asks"]

    def test_a_transition_of_its_own_is_disabled(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.codepipeline.disable_stage_transition(
            pipelineName="k8s", stageName="Gate", transitionType="Inbound", reason="holidays"
        )
        scene.start("k8s")
        said = run("explain", "k8s")
        assert (
            "waits for a person: the transition into its stage Gate is disabled since 12:00 UTC. "
            "That is not the gate's" in said.words
        )
        assert commands(said) == [
            "aws codepipeline enable-stage-transition --pipeline-name k8s --stage-name Gate "
            "--transition-type Inbound"
        ]
        assert states() == ["closed"]

    def test_it_succeeded(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.start("k8s")
        scene.wait(minutes=5)
        assert words().startswith(
            f"k8s does not wait: its last execution {short(scene, 'k8s')} succeeded at 12:01 UTC."
        )

    def test_it_failed_somewhere_else(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(outcome="Failed")
        scene.start("k8s")
        scene.wait(minutes=5)
        said = run("explain", "k8s")
        assert (
            f"k8s does not wait: execution {short(scene, 'k8s')} failed at Deploy in its stage "
            "Deploy, at 12:01 UTC. That is not the gate's" in said.words
        )
        assert "Its gate in the stage Gate let it pass at 12:00 UTC" in said.words
        assert commands(said)[0].startswith(
            "aws codepipeline retry-stage-execution --pipeline-name k8s --stage-name Deploy"
        )
        assert states() == ["failed"]

    @pytest.mark.parametrize(("abandon", "state"), [(True, "stopped"), (False, "stopping")])
    def test_somebody_stopped_it(self, scene: Scene, abandon: bool, state: str) -> None:
        scene.pipeline("infra")
        scene.k8s(seconds=600)
        execution = scene.start("k8s")
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="k8s", pipelineExecutionId=execution, abandon=abandon
        )
        assert states() == [state]
        assert "omebody" in words()

    def test_it_was_superseded(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(seconds=600)
        scene.start("k8s")
        middle = scene.start("k8s")
        last = scene.start("k8s")
        said = words("k8s", "--execution", middle[:8])
        assert (
            f"Execution {middle[:8]} of k8s was superseded at 12:00 UTC. A newer one took over: "
            f"{last[:8]} is InProgress." in said
        )

    def test_somebody_edited_it_while_it_waited_in_place(self, scene: Scene) -> None:
        held(scene, hold="wait")
        edit(scene)
        said = words()
        assert states() == ["cancelled"]
        assert (
            "was cancelled at 12:07 UTC. Somebody edited the pipeline while it ran: that cancels "
            "what runs," in said
        )

    def test_its_gate_refused(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        said = run("explain", "k8s")
        assert said.words.startswith(
            "k8s does not wait: the gate in its stage Gate refused what it was asked, at 12:00 UTC."
        )
        assert f"It says: {message}" in said.words
        assert (
            'What it is asked stands in UserParameters of the action Wait: {"depend_on": ["infra"]}'
            in said.words
        )
        assert commands(said)[0] == "gatectl check"
        assert states() == ["refused"]

    def test_its_gate_was_denied(self, scene: Scene, calls: Calls) -> None:
        scene.pipeline("infra")
        scene.k8s()
        calls.fail("ListPipelineExecutions", "AccessDeniedException")
        scene.start("k8s")
        said = run("explain", "k8s")
        assert "It says: AWS denied codepipeline:ListPipelineExecutions" in said.words
        assert commands(said)[:2] == ["docs/permissions.md", "gatectl doctor"], (
            "check looks at what is asked, and sees nothing of rights"
        )
        assert "gatectl check" not in commands(said)
        assert states() == ["refused"]

    def test_its_gate_was_denied_the_look_into_the_other_account(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = in_the_other_account(scene, "us-east-1")
        there.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE)
        scene.gated("k8s", ask(THEIRS))
        refusal = NotPermitted("sts:AssumeRole", "the gate's role may not")
        monkeypatch.setattr(OtherAccounts, "_assume_role", Mock(side_effect=refusal))
        scene.start("k8s")
        said = run("explain", "k8s")
        assert "It says: AWS denied sts:AssumeRole" in said.words
        assert commands(said)[0] == "docs/elsewhere.md#the-role-in-the-other-account"

    def test_its_gate_would_refuse_from_now_on(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()

        def mistype(declared: Any) -> None:
            declared["stages"][1]["actions"][0]["configuration"]["UserParameters"] = (
                '{"depend_on": ["infra"]}'
            )

        edit(scene, change=mistype)
        assert (
            "As it is declared now, the gate in the stage Gate refuses what it is asked: "
            "UserParameters has an unknown key" in words()
        )

    def test_its_gate_never_answered(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        scene.wait(minutes=21)
        assert (
            "the gate in its stage Gate gave no answer, and CodePipeline failed it at 12:20 UTC."
            in words()
        )
        assert states() == ["unanswered"]

    def test_its_gate_only_observes(self, scene: Scene) -> None:
        held(scene, observe=True)
        said = words()
        assert (
            "let it pass at 12:00 UTC: Observe only: would have held this pipeline for infra."
            in said
        )
        assert "It only observes, and never holds." in said

    def test_it_has_no_gate(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.start("infra")
        said = run("explain", "infra")
        assert "infra has no gate: it waits for no other pipeline." in said.words
        assert commands(said) == ["gatectl attach infra --depends-on PIPELINE"]

    def test_it_has_never_run(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        assert words() == "k8s has not run, as far back as AWS tells."

    @pytest.mark.parametrize("name", ["k9s", "my k8s"])
    def test_there_is_no_such_pipeline(self, scene: Scene, name: str) -> None:
        scene.k8s()
        said = run("explain", name)
        assert said.status == 252
        assert f"There is no pipeline {name} in eu-central-1; did you mean k8s?" in said.complaint

    @pytest.mark.parametrize(
        "command", [("explain", "k8s"), ("history", "k8s", "--depends-on", "infra")]
    )
    def test_there_is_no_pipeline_at_all(self, scene: Scene, command: tuple[str, ...]) -> None:
        said = run(*command)
        assert (said.status, said.out) == (252, "")
        assert (
            said.complaint
            == "Error: There is no pipeline k8s in eu-central-1, nor any other. Is this the "
            "region (--region), and the account (--profile)?"
        )

    def test_there_is_no_such_execution(self, scene: Scene) -> None:
        execution = held(scene)
        said = run("explain", "k8s", "--execution", "ffffffff")
        assert said.status == 252
        assert (
            "No execution of k8s of the last 14 days begins with ffffffff: its newest are "
            f"{execution[:8]}." in said.complaint
        )


class TestForPrograms:
    def test_the_facts_and_the_sentences(self, scene: Scene) -> None:
        execution = held(scene, give_up_minutes=60)
        told = run("explain", "k8s", "--json").json()
        assert {key: told[key] for key in ("pipeline", "region", "gated")} == {
            "pipeline": "k8s",
            "region": "eu-central-1",
            "gated": True,
        }
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
        assert (infra["pipeline"], infra["satisfied"], infra["running"]) == (
            "infra",
            False,
            [scene.executions("infra")[0]["pipelineExecutionId"]],
        )

    def test_commands_have_the_region_that_was_asked_for(self, scene: Scene) -> None:
        held(scene)
        said = run("explain", "k8s", "--region", "eu-central-1")
        assert all(command.endswith("--region eu-central-1") for command in commands(said))

    def test_nothing_is_changed(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        held(scene)
        made: list[str] = []
        real = Place.client

        def watched(place: Place, service: str, region: str | None = None) -> Any:
            client = real(place, service, region)
            client.meta.events.register("before-call", lambda model, **_: made.append(model.name))
            return client

        monkeypatch.setattr(Place, "client", watched)
        words()
        assert made
        assert all(name.startswith(("Get", "List")) for name in made), made

    def test_no_line_but_a_command_is_longer_than_the_terminal(self, scene: Scene) -> None:
        held(scene)
        said = run("explain", "k8s", columns=80)
        assert max(len(line) for line in said.out.splitlines() if not line.startswith("  ")) <= 80
