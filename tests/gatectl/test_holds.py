"""`gatectl holds`: the pipelines that are waiting, and for which upstreams."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import Mock, call

import pytest

from chalicelib.account.reader import AccountReader
from chalicelib.aws.clients import make_client
from chalicelib.errors import NoAnswer
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.deployment import SHUT, delete
from tests.support.explaining import deny
from tests.support.held import RULE_MODES, create_two_gates, hold_k8s, start_all, take_out_gate
from tests.support.parallel import hold_in_parallel
from tests.support.refused import run_refused
from tests.support.scene import Scene

CONSOLE = "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def held(scene: Scene) -> Scene:
    """infra runs until 12:20. k8s is waiting for it, and apps for k8s (in the mode wait)."""
    scene.pipeline("infra", seconds=1200)
    scene.gated("k8s", ask("infra"))
    scene.gated("apps", ask("k8s", pipeline="apps", hold="wait"))
    start_all(scene, "infra", "k8s", "apps")
    scene.wait(minutes=7)
    return scene


def lines(said: Said, pipeline: str) -> list[str]:
    """Return the table's lines of a pipeline."""
    return [
        " ".join(line.split()) for line in said.out.splitlines() if line.startswith(f"{pipeline} ")
    ]


def test_it_lists_what_is_waiting_since_when_and_the_next_check(held: Scene) -> None:
    said = run("holds")
    assert said.status == 0
    assert lines(said, "k8s") == ["k8s infra 12:00 (7 min) 12:10 restart"]
    assert lines(said, "apps") == ["apps k8s 12:00 (7 min) - wait"]
    assert said.words.startswith("pipeline waiting for since (UTC) next check mode")
    assert "To see why, run: gatectl explain k8s." in said.words


def test_json(held: Scene) -> None:
    output = run("holds", "--json").json()
    assert (output["region"], output["strange_rules"]) == ("eu-central-1", [])
    k8s, apps = output["holds"]
    execution = held.executions("k8s")[0]["pipelineExecutionId"]
    expected = {
        "pipeline": "k8s",
        "execution": execution,
        "waits": True,
        "depends_on": ["infra"],
        "hold": "restart",
        "rule": f"pipeline-gate-dev-{execution}",
        "give_up": None,
        "over": None,
    }
    assert {key: k8s[key] for key in expected} == expected
    assert k8s["next_check"] == "2026-11-23T12:10:00+00:00"
    assert 400 < k8s["seconds"] < 460
    assert k8s["reason"] == held.gate_message()
    assert (apps["pipeline"], apps["hold"], apps["rule"]) == ("apps", "wait", None)


def test_no_pipeline_is_waiting(held: Scene) -> None:
    held.wait(minutes=60)
    assert run("holds").out == "No pipeline is waiting in eu-central-1. 2 pipelines have a gate.\n"
    assert run("holds", "--json").json()["holds"] == []


def test_if_no_pipeline_has_a_gate_it_may_be_the_wrong_region(scene: Scene) -> None:
    scene.pipeline("infra")
    said = run("holds", "--region", "us-east-1")
    assert said.words == (
        "No pipeline is waiting in us-east-1. No pipeline has a gate. Is this the right region and "
        "account?"
    )


def test_in_parallel_mode_all_executions_in_the_mode_wait_are_listed(scene: Scene) -> None:
    """The state that AWS returns has only the latest execution of each stage."""
    executions = hold_in_parallel(scene, 3, hold="wait", pause_minutes=5)
    rows = [line.split() for line in lines(run("holds"), "k8s")]
    assert [row[1] for row in rows] == [execution[:8] for execution in executions]
    assert [row[3] for row in rows] == ["12:00", "12:05", "12:10"]
    holds = run("holds", "--json").json()["holds"]
    assert all("k8s has been waiting for infra" in hold["reason"] for hold in holds)


def test_an_execution_with_two_gates_in_one_stage_has_one_row(scene: Scene) -> None:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
        scene.start(name)
    create_two_gates(scene)
    scene.start("k8s")
    (line,) = lines(run("holds"), "k8s")
    assert line.startswith("k8s infra and network 12:00")


NET = "arn:aws:codepipeline:us-east-1:123456789012:net"


@pytest.mark.parametrize("mode", ["restart", "wait"])
def test_labels_of_stages_and_of_upstreams_in_other_regions(scene: Scene, mode: str) -> None:
    there = Scene(scene.world, region="us-east-1")
    for place, name in ((scene, "infra"), (there, "net")):
        place.pipeline(name, seconds=3600)
        place.start(name)
    scene.gated("k8s", ask({"pipeline": "infra", "stage": "Deploy"}, NET, hold=mode))
    scene.start("k8s")
    (hold,) = run("holds", "--json").json()["holds"]
    assert hold["depends_on"] == ["infra's stage Deploy", "net (us-east-1)"]
    assert "waiting for infra's stage Deploy and net (us-east-1) since" in hold["reason"]


def test_in_the_mode_wait_only_blocking_upstreams_are_listed(scene: Scene) -> None:
    for name in ("infra", "network"):
        scene.pipeline(name, seconds=3600)
    scene.gated("k8s", ask("infra", "network", hold="wait"))
    start_all(scene, "network", "k8s")
    assert run("holds", "--json").json()["holds"][0]["depends_on"] == ["network"]


def test_in_the_mode_wait_many_upstreams_are_all_listed(scene: Scene) -> None:
    names = [f"p-{number}" for number in range(10, 60)]
    for name in names:
        scene.pipeline(name, seconds=3600)
        scene.start(name)
    scene.gated("k8s", ask(*names, hold="wait"))  # too many for the gate's mark
    scene.start("k8s")
    assert run("holds", "--json").json()["holds"][0]["depends_on"] == names


@pytest.mark.parametrize("mode", RULE_MODES)
def test_a_wait_without_room_for_a_rule_is_shown_since_it_began(scene: Scene, mode: str) -> None:
    scene.only_room_for(0)
    hold_k8s(scene, seconds=3600, minutes=40, hold=mode)
    (line,) = lines(run("holds"), "k8s")
    assert line.startswith("k8s infra 12:00 (4")


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("restart", "12:05 12:35 restart"),
        ("retry", "12:05 12:35 retry"),
        ("wait", "- 12:32 wait"),
    ],
)
def test_when_it_gives_up(scene: Scene, mode: str, shown: str) -> None:
    """A rule gives up at its first check after the deadline."""
    hold_k8s(scene, seconds=3600, minutes=1, hold=mode, give_up_minutes=32)
    assert lines(run("holds"), "k8s")[0].endswith(f") {shown}")


def test_the_longest_wait_comes_first(scene: Scene) -> None:
    scene.pipeline("infra", seconds=3600)
    for name in ("b", "c", "a"):
        scene.gated(name, ask(pipeline=name))
    start_all(scene, "infra", "b", "c", "a")
    scene.codepipeline.delete_pipeline(name="b")
    holds = run("holds", "--json").json()["holds"]
    assert [hold["pipeline"] for hold in holds] == ["c", "a", "b"]
    assert [hold["waits"] for hold in holds] == [True, True, False]


class TestLeftOverRules:
    def test_a_newer_execution_has_replaced_the_held_one(self, scene: Scene) -> None:
        old = hold_k8s(scene, minutes=0)
        take_out_gate(scene)
        new = scene.start("k8s")
        said = run("holds")
        assert lines(said, "k8s") == []
        assert said.words.startswith(
            "No pipeline is waiting in eu-central-1. No pipeline has a gate. 1 rule left over from "
            "holds that ended (removed automatically at the first check after the end of the "
            "upstreams): k8s (execution"
        )
        assert (
            f"k8s (execution {old[:8]}, for infra): a newer execution exists: {new[:8]} is "
            "InProgress." in said.words
        )
        (hold,) = run("holds", "--json").json()["holds"]
        assert (hold["waits"], new in hold["over"]) == (False, True)
        scene.wait(minutes=25)
        assert "newer" not in run("holds").out

    def test_its_pipeline_was_deleted(self, held: Scene) -> None:
        held.codepipeline.delete_pipeline(name="k8s")
        assert "the pipeline k8s no longer exists" in run("holds").words

    def test_a_hold_stays_if_its_gate_is_removed(self, held: Scene) -> None:
        take_out_gate(held)
        assert lines(run("holds"), "k8s") == ["k8s infra 12:00 (7 min) 12:10 restart"]


@pytest.mark.parametrize("mode", ["restart", "wait"])
def test_a_released_wait_has_one_row(scene: Scene, mode: str) -> None:
    hold_k8s(scene, minutes=0, hold=mode)
    run("release", "k8s", "--yes")
    (line,) = lines(run("holds"), "k8s")
    assert line.endswith("released")
    (hold,) = run("holds", "--json").json()["holds"]
    assert hold["released_by"].startswith("arn:aws:sts::123456789012:")


class TestTheOfferedRelease:
    def test_it_is_not_for_a_pipeline_that_cannot_be_released(self, held: Scene) -> None:
        take_out_gate(held)
        assert "To continue now anyway, run: gatectl release apps." in run("holds").words
        held.codepipeline.delete_pipeline(name="apps")
        assert "gatectl release" not in run("holds").out

    def test_it_is_not_for_a_pipeline_that_was_released(self, held: Scene) -> None:
        run("release", "k8s", "--yes")
        assert "To continue now anyway, run: gatectl release apps." in run("holds").words
        run("release", "apps", "--yes")
        assert "gatectl release" not in run("holds").out


def delete_retry(scene: Scene) -> None:
    delete("dev", "retry")


def shut_retry(scene: Scene) -> None:
    scene.awslambda.remove_permission(**SHUT)


class TestNothingWillStartIt:
    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            (delete_retry, "but pipeline-gate-dev-retry does not exist."),
            (shut_retry, "The gate's EventBridge rules may not invoke it: "),
        ],
    )
    def test_it_does_not_promise_a_check(
        self, held: Scene, fault: Callable[[Scene], None], why: str
    ) -> None:
        fault(held)
        said = run("holds")
        assert lines(said, "k8s") == ["k8s infra 12:00 (7 min) never restart"]
        assert "Nothing will start k8s again: " in said.words
        assert why in said.words
        assert "For details, run: gatectl doctor." in said.words
        assert "gatectl release k8s" not in said.words, "release would not work either"
        stuck = [bool(hold["stuck"]) for hold in run("holds", "--json").json()["holds"]]
        assert stuck == [True, False]

    def test_if_the_function_may_not_be_read_the_rule_counts(
        self, held: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delete("dev", "retry")
        deny(monkeypatch, "lambda:*")
        said = run("holds")
        assert (said.status, said.err) == (0, "")
        assert lines(said, "k8s") == ["k8s infra 12:00 (7 min) 12:10 restart"]

    def test_each_retry_function_is_read_once(self, held: Scene, operations: list[str]) -> None:
        held.gated("web", ask("infra", pipeline="web"))
        held.start("web")
        operations.clear()
        assert len(run("holds", "--json").json()["holds"]) == 3
        for operation in ("GetFunctionConcurrency", "GetFunctionConfiguration", "GetPolicy"):
            assert operations.count(operation) == 1


class TestStrangeRules:
    def test_a_rule_without_a_target(self, held: Scene) -> None:
        name = "pipeline-gate-dev-left-over"
        held.events.put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
        words = run("holds").words
        assert f"1 rule of Pipeline Gate holds no pipeline or cannot end a hold: {name}." in words
        assert run("holds", "--json").json()["strange_rules"] == [name]

    def test_a_rule_with_another_target(self, held: Scene) -> None:
        (rule,) = held.rules()
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
        held.events.put_targets(Rule=rule, Targets=[{"Id": "retry", "Arn": queue, "Input": "{}"}])
        assert rule in run("holds").words

    def test_a_disabled_rule_holds_forever(self, held: Scene) -> None:
        (rule,) = held.rules()
        held.events.disable_rule(Name=rule)
        said = run("holds")
        assert rule in said.words
        assert len(lines(said, "k8s")) == 1


class TestAtATerminal:
    def test_it_fits_into_80_columns_with_whole_names(self, scene: Scene) -> None:
        name = "the-applications-of-the-payment-team.production"
        scene.pipeline("infra", seconds=3600)
        scene.gated(name, ask("infra", pipeline=name, give_up_minutes=600))
        start_all(scene, "infra", name)
        scene.wait(minutes=60 * 25)
        start_all(scene, "infra", name)
        said = run("holds", columns=80)
        assert max(map(len, said.out.splitlines())) <= 80
        names = "".join(line.split()[0] for line in said.out.splitlines()[1:] if line.strip())
        assert names.startswith(name)

    def test_links_are_not_broken_on_a_narrow_terminal(self, held: Scene) -> None:
        execution = held.executions("k8s")[0]["pipelineExecutionId"]
        address = f"{CONSOLE}/k8s/executions/{execution}/timeline?region=eu-central-1"
        assert f"k8s {execution[:8]}  {address}\n" in run("holds", "--links", columns=80).out
        assert "https" not in run("holds").out
        assert run("holds", "--json").json()["holds"][0]["execution_link"] == address

    @pytest.mark.usefixtures("terminal")
    def test_names_are_links_if_the_terminal_shows_colors(self, held: Scene) -> None:
        assert f"{CONSOLE}/k8s/view?region=eu-central-1\x1b\\" in run("holds").out

    @pytest.mark.usefixtures("terminal")
    def test_watch_checks_again_until_ctrl_c(
        self, held: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The person presses Ctrl-C when no pipeline is waiting anymore."""
        wait = Mock(side_effect=[None, None, KeyboardInterrupt])

        def sleep(seconds: float) -> None:
            held.wait(minutes=30)
            wait(seconds)

        monkeypatch.setattr("gatectl.holds.sleep", sleep)
        said = run("holds", "--watch")
        assert said.status == 0
        assert wait.mock_calls == [call(15)] * 3
        assert "12:00 (7 min)" in said.out
        assert said.out.index("12:00 (7 min)") < said.out.index("No pipeline is waiting in")

    @pytest.mark.usefixtures("held", "terminal")
    def test_watch_survives_an_unanswered_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unanswered = NoAnswer("events:ListRules was not answered (ThrottlingException)")
        view = AccountReader(make_client).read_view(utcnow())
        read_view = Mock(side_effect=[view, unanswered, view])
        monkeypatch.setattr(AccountReader, "read_view", read_view)
        monkeypatch.setattr("gatectl.holds.sleep", Mock(side_effect=[0, 0, KeyboardInterrupt]))
        said = run("holds", "--watch")
        assert said.status == 0
        before, now = said.out.split(f"UTC: {unanswered}. This is older.")
        assert "12:00 (7 min)" in before[before.rindex("since (UTC)") :], "the last result stays"
        assert "12:00 (7 min)" in now

    @pytest.mark.usefixtures("terminal")
    def test_watch_says_how_many_rows_do_not_fit_on_the_terminal(
        self, held: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LINES", "12")
        for number in range(20):
            held.gated(f"team-{number}", ask("infra", pipeline=f"team-{number}"))
            held.start(f"team-{number}")
        monkeypatch.setattr("gatectl.holds.sleep", Mock(side_effect=KeyboardInterrupt))
        out = run("holds", "--watch").out
        *page, _ = out[out.rindex("since (UTC)") :].splitlines()  # the last is the cursor's
        rows = [line for line in page if line.rstrip().endswith(("restart", "wait"))]
        assert len(page) == 12
        assert len(rows) >= 5
        below = "\n".join(page)
        assert f"{22 - len(rows)} more do not fit on this terminal." in below
        assert "Checks again every 15 seconds, until Ctrl-C." in below

    @pytest.mark.usefixtures("held")
    def test_watch_needs_a_terminal(self) -> None:
        complaint = run_refused("holds", "--watch")
        assert complaint.startswith("Error: --watch needs a terminal")
