"""`gatectl explain` of a pipeline that is waiting or running: why, and what happens next."""

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
PROMISE = "starts again automatically"


class TestHeldByARule:
    def test_it_says_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = hold_k8s(scene)
        said = explains(
            begins=(
                "k8s has been waiting for infra since 12:00 UTC (7 min). Execution "
                f"{execution[:8]} failed on purpose, and an EventBridge rule remembers it. infra "
                f"is running: execution {shorten_id(scene, 'infra')} has been InProgress since "
                "12:00 UTC. k8s starts again automatically within seconds after infra finishes "
                "(successfully or not). k8s continues with commit 4174a55 of main. The next "
                "regular check is at 12:10 UTC. You do not need to do anything. If you cannot "
                "wait: To continue now anyway"
            ),
            states=["held"],
        )
        assert commands(said) == ["gatectl release k8s", "gatectl cancel k8s"]

    def test_in_the_mode_retry_the_same_execution_continues(self, scene: Scene) -> None:
        hold_k8s(scene, hold="retry")
        explains(
            "The same execution continues automatically",
            "its stage is retried. k8s continues with commit 4174a55 of main.",
        )

    def test_it_describes_the_current_state_not_the_state_at_the_hold(self, scene: Scene) -> None:
        scene.pipeline("net", seconds=120)
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", "net"))
        start_all(scene, "infra", "net", "k8s")
        explains(begins="k8s has been waiting for infra and net since 12:00 UTC")
        scene.wait(minutes=7)
        explains(begins="k8s has been waiting for infra since 12:00 UTC (7 min).")
        assert "net is running" not in words()

    def test_it_estimates_the_end_from_past_executions(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=600)
        for _ in range(3):
            scene.start("infra")
            scene.wait(minutes=15)
        scene.k8s()
        start_all(scene, "infra", "k8s")
        explains("It usually takes 10 min, so it should finish at about 12:55 UTC.")

    @pytest.mark.parametrize(
        ("on_give_up", "ends"),
        [
            ("stop", "the wait ends and nothing is started"),
            ("continue", "the pipeline continues anyway"),
        ],
    )
    def test_when_it_gives_up(self, scene: Scene, on_give_up: str, ends: str) -> None:
        hold_k8s(scene, give_up_minutes=15, on_give_up=on_give_up, retry_minutes=60)
        explains(f"If that has not happened by 13:00 UTC, {ends}")  # at the rule's next check
        scene.wait(minutes=10)
        explains(f"give_up_minutes was over at 12:15 UTC. At the next check, {ends}.")

    def test_an_upstream_that_waits_for_an_approval(self, scene: Scene) -> None:
        scene.staged("infra", ("Approve", 0), ("Deploy", 600))
        scene.gated("k8s", ask())
        start_all(scene, "infra", "k8s")
        said = explains("the approval Ask in its stage Approve has been open since 12:00 UTC.")
        assert "You do not need to do anything" not in said.words
        assert "If you cannot wait" not in said.words
        assert commands(said)[0].endswith("/pipelines/infra/view?region=eu-central-1")
        approve(scene)
        explains("You do not need to do anything")

    def test_an_upstream_before_a_disabled_transition(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.codepipeline.disable_stage_transition(
            pipelineName="infra", stageName="Deploy", transitionType="Inbound", reason="holidays"
        )
        scene.k8s()
        start_all(scene, "infra", "k8s")
        said = explains("the transition into its stage Deploy has been disabled since 12:00 UTC")
        assert commands(said)[0] == (
            "aws codepipeline enable-stage-transition --pipeline-name infra --stage-name Deploy "
            "--transition-type Inbound"
        )

    def test_an_upstream_that_has_to_succeed_and_is_not_running(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=5, outcome="Failed")
        scene.gated("k8s", ask("infra", require="succeeded"))
        start_all(scene, "infra", "k8s")
        said = explains("infra has not succeeded: its last execution", "infra succeeds")
        assert "You do not need to do anything" not in said.words
        assert commands(said)[0] == "aws codepipeline start-pipeline-execution --name infra"

    def test_an_edited_pipeline_has_to_be_started_before_it_can_be_released(
        self, scene: Scene
    ) -> None:
        hold_k8s(scene, hold="retry")
        edit(scene)
        said = explains("AWS does not retry a stage once the pipeline has been edited")
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

    def test_it_explains_the_newest_of_several_parallel_executions(self, scene: Scene) -> None:
        executions = hold_in_parallel(scene, 7)
        said = explains(
            "2 more executions of k8s are waiting or running", states=["held"] * 5 + ["more"]
        )
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
    def test_a_released_execution(self, scene: Scene, mode: str, sentence: str) -> None:
        scene.world.dials.continuation_seconds = 600
        hold_k8s(scene, hold=mode)
        run("release", "k8s", "--yes")
        explains("k8s was released by arn:aws:sts::123456789012:", sentence, states=["let go"])


class TestWaitMode:
    def test_it_says_why_since_when_and_what_happens_next(self, scene: Scene) -> None:
        execution = hold_k8s(scene, hold="wait", give_up_minutes=30)
        said = explains(
            begins=(
                "k8s has been waiting for infra since 12:00 UTC (7 min). Execution "
                f"{execution[:8]} stays in progress at Wait in its stage Gate. infra is running: "
                f"execution {shorten_id(scene, 'infra')} has been InProgress since 12:00 UTC. "
                "CodePipeline invokes the gate again automatically, and the gate lets it pass once "
                "it no longer has to wait for infra. k8s continues with commit 4174a55 of main. "
                "If that has not happened by 12:30 UTC, the wait ends and nothing is started; to "
                "wait again, retry this stage. AWS does not say how often CodePipeline invokes "
                "it. You do not need to do anything."
            ),
            states=["waits"],
        )
        assert commands(said)[0] == "gatectl release k8s"

    def test_infra_has_finished_but_the_gate_was_not_invoked_again_yet(self, scene: Scene) -> None:
        scene.world.dials.continuation_seconds = 600
        hold_k8s(scene, seconds=300, hold="wait")
        explains("Nothing keeps it waiting anymore", states=["due"])

    def test_it_stays_in_progress_if_there_is_no_room_for_a_rule(self, scene: Scene) -> None:
        scene.only_room_for(0)
        hold_k8s(scene)
        explains("stays in progress", begins="k8s has been waiting for infra since 12:00 UTC")

    def test_an_execution_that_queues_for_the_gates_stage(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.gated("k8s", ask("infra", hold="wait"), mode="QUEUED")
        scene.start("infra")
        first, second = scene.start("k8s"), scene.start("k8s")
        said = explains(
            f"Execution {second[:8]} of k8s is waiting to enter the stage Gate, because execution "
            f"{first[:8]} is in it.",
            states=["queued", "waits"],
        )
        assert f"gatectl release k8s --execution {first[:8]}" in commands(said)

    def test_a_gate_that_does_not_answer(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.k8s()
        scene.world.dials.invocation_copies = list
        scene.start("k8s")
        explains("CodePipeline invoked the gate of k8s for execution", "at 12:00 UTC.")
        scene.wait(minutes=5)
        said = explains("and it has not answered.")
        assert commands(said) == ["chalice logs --stage dev --name gate"]


class TestChains:
    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_it_follows_the_chain_to_the_pipeline_that_is_running(
        self, scene: Scene, mode: str
    ) -> None:
        scene.pipeline("network", seconds=1200)
        for name, upstream in (("infra", "network"), ("k8s", "infra"), ("apps", "k8s")):
            scene.gated(name, ask(upstream, pipeline=name, hold=mode))
        start_all(scene, "network", "infra", "k8s", "apps")
        scene.wait(minutes=7)
        said = explains("Ultimately, apps is waiting for network.", pipeline="apps").words
        if mode == "wait":
            assert (
                "It is itself waiting at its gate for network. network is running: execution"
            ) in said
        else:
            assert (
                "and will run again: it has been waiting for network since 12:00 UTC. network is "
                "running: execution"
            ) in said
        (statement,) = run("explain", "apps", "--json").json()["explained"]
        (k8s,) = statement["waits_for"]
        (infra,) = k8s["waits_for"]
        (network,) = infra["waits_for"]
        assert [chain["pipeline"] for chain in (k8s, infra, network)] == ["k8s", "infra", "network"]
        assert infra["waits"] == ("in place" if mode == "wait" else "held")
        assert (network["waits"], len(network["running"])) == (None, 1)

    def test_two_ways_to_the_same_pipeline(self, scene: Scene) -> None:
        scene.pipeline("network", seconds=1200)
        scene.gated("infra", ask("network", pipeline="infra"))
        scene.gated("k8s", ask("infra", "network"))
        start_all(scene, "network", "infra", "k8s")
        explains("Ultimately, k8s is waiting for network.")

    @pytest.mark.parametrize("mode", ["restart", "wait"])
    def test_a_deadlock_that_the_gates_have_not_noticed_yet(
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
            "a has been waiting since 12:00 UTC",
            begins="Deadlock: a waits for b, which waits for a.",
            pipeline="a",
            states=["deadlock"],
        )
        assert any(command.startswith("gatectl release a") for command in commands(said))

    def test_a_deadlock_that_the_gate_has_noticed(self, scene: Scene) -> None:
        scene.gated("a", ask("b", pipeline="a", require="succeeded"))
        scene.gated("b", ask("a", pipeline="b", require="succeeded"))
        start_all(scene, "a", "b")
        explains(
            "Deadlock: b waits for a, which waits for b.",
            pipeline="b",
            begins="b is not waiting: the gate in its stage Gate noticed a deadlock at 12:00 UTC.",
            states=["deadlock"],
        )


class TestElsewhere:
    INFRA = f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra"

    def test_an_upstream_in_another_region(self, scene: Scene) -> None:
        there = Scene(scene.world, region="us-east-1")
        there.pipeline("infra", seconds=1200)
        there.start("infra")
        scene.gated("k8s", ask(self.INFRA))
        scene.start("k8s")
        explains(
            f"infra (us-east-1) is running: execution {shorten_id(there, 'infra')} has been "
            "InProgress",
            "if its events are forwarded to this region's event bus",
            begins="k8s has been waiting for infra (us-east-1) since 12:00 UTC",
        )

    @pytest.fixture
    def theirs(self, scene: Scene) -> Scene:
        """k8s is waiting for infra in another account, which a role may read."""
        theirs = in_the_other_account(scene, "us-east-1")
        theirs.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE, seconds=1200)
        theirs.start("infra")
        scene.gated("k8s", ask(THEIRS))
        scene.start("k8s")
        return theirs

    LABEL = f"infra (us-east-1, account {OTHER_ACCOUNT})"

    def test_an_upstream_in_another_account_is_read_with_its_role(self, theirs: Scene) -> None:
        said = explains(f"{self.LABEL} is running: execution")
        assert "The gate may have access" not in said.words

    @pytest.mark.usefixtures("theirs")
    def test_an_upstream_that_only_the_gate_may_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        deny(monkeypatch, "sts:AssumeRole")
        explains(
            f"gatectl could not check {self.LABEL}: AWS denied sts:AssumeRole (",
            "The gate may have access. At 12:00 UTC it said: k8s has been waiting for "
            f"{self.LABEL}",
        )


class TestNothingKeepsItWaiting:
    def test_it_continues_within_seconds(self, scene: Scene) -> None:
        scene.world.dials.event_copies = lambda: [20.0]
        hold_k8s(scene, seconds=430)
        scene.wait(seconds=3)
        explains("k8s no longer has to wait for infra.", "within seconds.", states=["due"])

    def test_if_the_event_is_lost_the_schedule_continues_it(self, scene: Scene) -> None:
        scene.world.dials.events_on = False
        hold_k8s(scene, seconds=310)
        explains(
            "The retry function has logged nothing about it since then",
            begins="As of 12:05 UTC, k8s no longer has to wait for infra, but it has not continued",
            states=["overdue"],
        )
        scene.wait(minutes=3, seconds=30)
        assert read_states() == ["runs"]

    def test_the_retry_function_lacks_a_permission(self, scene: Scene, calls: Calls) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        hold_k8s(scene, seconds=280)
        said = explains("NotPermitted: AWS denied codepipeline:StartPipelineExecution")
        assert commands(said)[:2] == ["chalice logs --stage dev --name retry", "gatectl doctor"]

    def test_its_rule_may_not_invoke_the_retry_function(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(scene, seconds=280, minutes=0)
        scene.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
        scene.wait(minutes=7)
        explains("The gate's EventBridge rules may not invoke it")
        deny(monkeypatch, "lambda:GetPolicy")
        explains("The retry function has never run: its rule does not reach it.")

    def test_if_the_log_may_not_be_read_it_says_how_to_read_it(
        self, scene: Scene, calls: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls.fail("StartPipelineExecution", "AccessDeniedException")
        hold_k8s(scene, seconds=280)
        deny(monkeypatch, "logs:FilterLogEvents")
        said = explains("could not be read: AWS denied logs:FilterLogEvents (")
        assert commands(said)[0] == "chalice logs --stage dev --name retry"

    @pytest.mark.parametrize("require", ["idle", "succeeded"])
    def test_a_deleted_upstream_keeps_no_pipeline_waiting(self, scene: Scene, require: str) -> None:
        scene.world.dials.events_on = False
        hold_k8s(scene, require=require)
        scene.codepipeline.delete_pipeline(name="infra")
        explains("k8s no longer has to wait for infra, but it has not continued.")


class TestAHoldThatNothingWillEnd:
    """Then it does not promise a start, and says how to repair it."""

    def test_the_retry_function_was_deleted_during_a_hold(self, sound: Scene) -> None:
        execution = hold_k8s(sound)
        delete("dev")
        said = explains(
            f"nothing will start it again: the function {RETRY}, which its rule invokes, does "
            "not exist.",
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
        ], "not gatectl release, which would invoke the deleted function"
        deploy("dev")
        assert read_states() == ["broken"], "its resource policy was deleted too"
        mend()
        assert read_states() == ["held"]

    def test_no_rule_may_invoke_the_retry_function(self, sound: Scene) -> None:
        hold_k8s(sound)
        sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
        said = explains("nothing will start it again", "no statement of its resource policy allows")
        assert PROMISE not in said.words
        assert commands(said)[:2] == ["gatectl doctor --mend", "gatectl release k8s"]
        mend()
        assert read_states() == ["held"]

    def test_the_retry_function_never_runs(self, sound: Scene) -> None:
        hold_k8s(sound)
        sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
        said = explains("Its reserved concurrency is 0", "To remove this limit")
        assert (
            commands(said)[0] == f"aws lambda delete-function-concurrency --function-name {RETRY}"
        )

    def test_it_does_not_say_that_it_has_to_wait_if_the_upstream_has_finished(
        self, sound: Scene
    ) -> None:
        hold_k8s(sound, seconds=60 * 8)
        delete("dev")
        sound.wait(minutes=5)
        explains("It no longer has to wait, but nothing will start it again")

    def test_if_the_function_may_not_be_read_it_explains_the_rest(
        self, sound: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_k8s(sound)
        deny(monkeypatch, "lambda:GetFunctionConfiguration")
        sentence = "invoke the retry function: AWS denied lambda:GetFunctionConfiguration ("
        explains(PROMISE, sentence, states=["held"])


class TestWhatWaitsForIt:
    """An upstream that has no gate itself."""

    def test_it_lists_the_pipelines_that_are_waiting_for_it(self, scene: Scene) -> None:
        hold_k8s(scene)
        scene.pipeline("infra-two")
        scene.gated("apps", ask("infra", "infra-two", pipeline="apps"))
        scene.start("apps")
        said = explains(
            "k8s (since 12:00 UTC) and apps (since 12:07 UTC) are waiting for it.",
            pipeline="infra",
            states=["runs", "waited for"],
        )
        assert commands(said) == ["gatectl explain k8s", "gatectl explain apps"], (
            "no attach while pipelines are waiting for it"
        )
        assert read_states("infra-two") == ["idle", "not gated"], (
            "apps waits for both to be idle, and this upstream is idle"
        )

    def test_an_idle_upstream_whose_success_is_required(self, scene: Scene) -> None:
        scene.pipeline("infra", seconds=5, outcome="Failed")
        scene.gated("k8s", ask("infra", require="succeeded"))
        start_all(scene, "infra", "k8s")
        assert read_states("infra") == ["failed", "waited for"]

    def test_a_pipeline_with_many_upstreams_is_listed(self, scene: Scene) -> None:
        names = [f"net{number}" for number in range(8)]
        for name in [*names, "infra"]:
            scene.pipeline(name, seconds=1200)
        scene.gated("k8s", ask(*names, "infra"))
        start_all(scene, "infra", "k8s")
        explains("k8s (since 12:00 UTC) is waiting for it.", pipeline="infra")

    def test_a_rule_left_over_from_a_hold_does_not_count(self, scene: Scene) -> None:
        hold_k8s(scene)
        take_out_gate(scene)
        scene.start("k8s")
        assert read_states("infra") == ["runs", "not gated"]


class TestJson:
    def test_it_has_the_facts_and_the_sentences(self, scene: Scene) -> None:
        execution = hold_k8s(scene, give_up_minutes=60)
        output = run("explain", "k8s", "--json").json()
        assert (output["pipeline"], output["region"]) == ("k8s", "eu-central-1")
        assert output["gated"] is True
        (hold,) = output["explained"]
        assert (hold["state"], hold["execution"], hold["status"]) == ("held", execution, "Failed")
        assert hold["rule"] == f"pipeline-gate-dev-{execution}"
        assert hold["next_check"] == "2026-11-23T12:10:00+00:00"
        assert hold["since"].startswith("2026-11-23T12:00")
        assert hold["give_up"].startswith("2026-11-23T13:00")
        assert hold["sentences"][0].startswith("k8s has been waiting for infra since 12:00 UTC")
        assert hold["can"][0] == {
            "to": "continue now anyway (the next execution waits again)",
            "commands": ["gatectl release k8s"],
        }
        (infra,) = hold["waits_for"]
        running = [scene.executions("infra")[0]["pipelineExecutionId"]]
        assert (infra["pipeline"], infra["satisfied"]) == ("infra", False)
        assert infra["running"] == running

    def test_commands_have_the_given_region(self, scene: Scene) -> None:
        hold_k8s(scene)
        said = run("explain", "k8s", "--region", "eu-central-1")
        assert all(command.endswith("--region eu-central-1") for command in commands(said))

    def test_only_commands_are_longer_than_the_terminal_is_wide(self, scene: Scene) -> None:
        hold_k8s(scene)
        said = run("explain", "k8s", columns=80)
        assert max(len(line) for line in said.out.splitlines() if not line.startswith("  ")) <= 80
