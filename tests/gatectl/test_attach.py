"""`gatectl attach`: a pipeline gets its gate, and keeps all else."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.client
import pytest
from moto.codepipeline.models import codepipeline_backends

from chalicelib.holds.mode import MODES
from chalicelib.parameters import ON_GIVE_UP, REVISIONS
from chalicelib.pipelines.dependency import PARKED, REQUIRE
from gatectl.session import Place
from sandbox.account import ACCOUNT, REGION, create_role
from tests.gatectl.test_doctor_roles import role_may
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.scene import EXECUTION, Scene
from tests.support.somebody import as_somebody
from tests.support.structures import GATE, action, entry, gate, pipeline, rule, stage

THERE = "us-east-1"


@pytest.fixture
def two(scene: Scene) -> Scene:
    """infra and k8s, without a gate."""
    scene.pipeline("infra")
    scene.pipeline("k8s", seconds=60)
    return scene


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The AWS calls, in order."""
    operations: list[str] = []
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        operations.append(operation)
        return real(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    return operations


def deploy(stage: str) -> None:
    """One gate more, as far as attach looks."""
    name = f"pipeline-gate-{stage}-gate"
    role = create_role(name, "lambda.amazonaws.com").arn
    boto3.client("lambda").create_function(
        FunctionName=name,
        Role=role,
        Code={"ZipFile": b""},
        Handler="app.gate",
        Runtime="python3.11",
    )


def attach(*words: str, **more: Any) -> Said:
    return run("attach", "k8s", *(words or ("--depends-on", "infra")), **more)


def attached(*words: str) -> Said:
    """With a yes; it must have been done."""
    said = attach(*(words or ("--depends-on", "infra")), "--yes")
    assert said.status == 0, said.err
    return said


def declared(scene: Scene, name: str = "k8s") -> Any:
    return scene.codepipeline.get_pipeline(name=name)["pipeline"]


def stages(scene: Scene) -> list[str]:
    return [one["name"] for one in declared(scene)["stages"]]


def asked(scene: Scene) -> Any:
    """What the gate stage of k8s asks."""
    (found,) = [one for one in declared(scene)["stages"] if one["name"] == "Gate"]
    return json.loads(found["actions"][0]["configuration"]["UserParameters"])


class TestTheStory:
    def test_attached_it_holds_and_lets_go_and_detached_it_does_not(self, two: Scene) -> None:
        attached()
        two.start("infra")
        two.start("k8s")
        assert two.statuses() == ["Failed"]
        assert two.gate_action()["errorDetails"]["message"].startswith(
            "k8s waits for infra since 12:00 UTC."
        )
        assert two.outputs() == {}
        two.wait(minutes=15)
        assert two.statuses() == ["Succeeded", "Failed"]
        assert two.outputs()["UpstreamPipelines"] == "infra"
        assert run("detach", "k8s", "--yes").status == 0
        two.start("infra")
        two.start("k8s")
        two.wait(minutes=2)
        assert (two.statuses("infra")[0], two.statuses()[0]) == ("InProgress", "Succeeded")

    def test_each_option_is_a_key_that_the_gate_takes(self, two: Scene) -> None:
        attached(
            *(
                "--depends-on",
                "infra",
                "--require",
                "succeeded",
                "--hold",
                "retry",
                "--retry-minutes",
                "10",
                "--give-up-minutes",
                "30",
            ),
            *("--on-give-up", "continue", "--revisions", "held", "--parked", "pass", "--bypass"),
        )
        assert asked(two) == ask(
            require="succeeded",
            hold="retry",
            retry_minutes=10,
            give_up_minutes=30,
            on_give_up="continue",
            revisions="held",
            parked="pass",
            bypass="#{variables.bypass}",
        )
        two.start("infra")
        two.start("k8s", variables=[{"name": "bypass", "value": "true"}])
        assert two.gate_action()["summary"].startswith("Bypassed:")
        two.start("k8s")
        two.wait(minutes=1)
        assert "it goes on all the same." in two.gate_action()["errorDetails"]["message"]

    def test_observe(self, two: Scene) -> None:
        said = attached("--depends-on", "infra", "--observe")
        assert (
            "From its next execution on k8s only says whether it would have waited for infra, and "
            "never waits. Its role" in said.words
        )
        two.start("infra")
        two.start("k8s")
        assert two.gate_action()["summary"].startswith(
            "Observe only: would have held this pipeline for infra."
        )


class TestWhatItSaysInTheEnd:
    @pytest.fixture
    def failing(self, scene: Scene) -> Scene:
        scene.pipeline("infra", outcome="Failed")
        scene.pipeline("k8s", seconds=60)
        return scene

    def test_that_a_failure_ends_the_wait_too_and_what_prevents_that(self, failing: Scene) -> None:
        said = attached()
        assert said.words.endswith(
            "From its next execution on k8s waits for infra. It goes on when infra has ended, "
            "also after a failure: --require succeeded "
            "prevents that. Its role may invoke the gate."
        )
        failing.start("infra")
        failing.start("k8s")
        failing.wait(minutes=15)
        assert failing.statuses() == ["Succeeded", "Failed"]

    def test_not_where_it_is_prevented(self, failing: Scene) -> None:
        said = attached("--depends-on", "infra", "--require", "succeeded")
        assert (
            "From its next execution on k8s waits for infra (require succeeded). Its role"
            in said.words
        )
        failing.start("infra")
        failing.start("k8s")
        failing.wait(minutes=15)
        assert failing.statuses() == ["Failed"]

    def test_of_each_upstream_what_is_so_of_it(self, two: Scene) -> None:
        for name in ("dns", "network"):
            two.pipeline(name)
        said = attached(
            "--depends-on",
            '{"pipeline": "infra", "require": "succeeded"}',
            "--depends-on",
            "dns,network",
        )
        assert (
            "waits for infra, dns and network. It goes on when dns and network have ended, also "
            "after a failure" in said.words
        )

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (
                ["--hold", "wait", "--give-up-minutes", "30"],
                "(hold wait, gives up after 30 minutes)",
            ),
            (
                ["--give-up-minutes", "1", "--on-give-up", "continue"],
                "(gives up after 1 minute and goes on all the same)",
            ),
            (
                ["--retry-minutes", "1", "--revisions", "held", "--parked", "pass"],
                "(revisions held, parked pass, looks again every minute)",
            ),
            (
                ["--bypass", "--retry-minutes", "10"],
                "(looks again every 10 minutes, its variable bypass opens the gate)",
            ),
        ],
    )
    def test_what_was_set(self, two: Scene, words: list[str], told: str) -> None:
        assert (
            f"From its next execution on k8s waits for infra {told}. It goes on"
            in attached("--depends-on", "infra", *words).words
        )

    def test_not_what_is_so_by_itself(self, two: Scene) -> None:
        words = ("--require", "idle", "--hold", "restart", "--parked", "wait")
        assert "k8s waits for infra. It goes on" in attached("--depends-on", "infra", *words).words


class TestItsRole:
    """What the doctor would say afterwards is said before the question."""

    def test_one_that_may_not_invoke_the_gate(self, two: Scene) -> None:
        role_may("pipelines")
        said = attach(typed="y\n")
        before, _, after = said.out.partition("Change k8s? [y/N]: y\n")
        assert (
            f"Caution: Role pipelines: This role, which k8s has, may not invoke {GATE}. The gate "
            "action fails at once, and nothing goes "
            "past it. Afterwards `gatectl doctor --mend` lets it invoke the gate, and asks first."
        ) in " ".join(before.split())
        assert " ".join(after.split()).endswith(
            "Its role may not invoke the gate yet, and the gate action fails: `gatectl doctor "
            "--mend` lets it, and asks first."
        )
        two.start("k8s")
        assert two.gate_action()["errorDetails"]["code"] == "PermissionError"
        assert run("doctor", "--mend", typed="y\n" * 9).status in (0, 1)
        two.start("k8s")
        two.wait(minutes=2)
        assert two.statuses()[0] == "Succeeded"

    def test_one_that_somebody_forbids_it(self, two: Scene) -> None:
        role_may(
            "pipelines", {"Effect": "Deny", "Action": "lambda:InvokeFunction", "Resource": "*"}
        )
        said = attached()
        assert (
            "an explicit deny forbids it. The gate action fails at once, and nothing goes past "
            "it. Whoever made that policy" in said.words
        )
        assert said.words.endswith(
            "Its role may not invoke the gate yet, and the gate action fails: `gatectl doctor` "
            "says why."
        )

    def test_one_that_the_functions_own_policy_lets_in(self, two: Scene) -> None:
        role_may("pipelines")
        two.awslambda.add_permission(
            FunctionName=GATE,
            StatementId="pipelines",
            Action="lambda:InvokeFunction",
            Principal=f"arn:aws:iam::{ACCOUNT}:role/pipelines",
        )
        said = attached()
        assert ("Caution" in said.out, said.words.endswith("Its role may invoke the gate.")) == (
            False,
            True,
        )

    @pytest.mark.parametrize("denied", ["iam:SimulatePrincipalPolicy", "lambda:GetPolicy"])
    def test_where_it_may_not_be_looked_at_who_looks_is_said(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        role_may("pipelines")
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        as_somebody(monkeypatch, everything, {"Effect": "Deny", "Action": denied, "Resource": "*"})
        said = attached()
        assert "Caution" not in said.out
        assert said.words.endswith(
            "Its role must be allowed to invoke the gate: `gatectl doctor` looks whether it is."
        )


class TestTheLook:
    def test_what_would_change_stands_there_before_the_question(self, two: Scene) -> None:
        said = attach(typed="y\n")
        assert said.status == 0, said.err
        before, question, after = said.out.partition("Change k8s? [y/N]: y\n")
        assert question
        lines = before.splitlines()
        assert lines[:2] == ["--- now", "+++ then"]
        assert not [line for line in lines[2:] if line.startswith("-")]
        added = [line[1:].strip().rstrip(",") for line in lines[2:] if line.startswith("+")]
        stage_lines = json.dumps(
            {
                "name": "Gate",
                "actions": [gate(text=json.dumps(ask()), runOrder=1, namespace="gate")],
            },
            indent=2,
        )
        assert sorted(added) == sorted(
            line.strip().rstrip(",") for line in stage_lines.splitlines()
        )
        assert " ".join(after.split()).startswith("From its next execution on k8s waits for infra.")
        assert stages(two) == ["Source", "Gate", "Deploy"]

    @pytest.mark.parametrize("columns", [40, 80])
    def test_no_line_of_it_is_broken(self, two: Scene, columns: int) -> None:
        said = attach("--depends-on", "infra", "--dry-run", columns=columns)
        assert f'"UserParameters": "{json.dumps(json.dumps(ask()))[1:-1]}"' in said.out

    def test_a_no_changes_nothing(self, two: Scene) -> None:
        for typed in ("n\n", "\n"):
            said = attach(typed=typed)
            assert (said.status, said.out.splitlines()[-1]) == (1, "Nothing was changed.")
        assert declared(two)["version"] == 1

    def test_a_dry_run_asks_and_changes_nothing(self, two: Scene, made: list[str]) -> None:
        for more in ((), ("--yes",)):
            said = attach("--depends-on", "infra", "--dry-run", *more)
            assert (said.status, said.out.splitlines()[-1]) == (
                0,
                "A dry run: nothing was changed.",
            )
            assert '+      "name": "Gate"' in said.out
        assert "UpdatePipeline" not in made

    def test_for_programs(self, two: Scene) -> None:
        refused = attach("--depends-on", "infra", "--json")
        assert (refused.status, refused.out) == (252, "")
        assert "add --yes to do it, or --dry-run" in refused.complaint
        dry = attach("--depends-on", "infra", "--json", "--dry-run").json()
        done = attach("--depends-on", "infra", "--json", "--yes").json()
        assert dry == done | {"changed": False}
        assert (done["pipeline"], done["changed"], done["warnings"]) == ("k8s", True, [])
        assert '+      "name": "Gate",' in done["diff"]
        assert attach("--depends-on", "infra", "--json").json() == {
            "pipeline": "k8s",
            "changed": False,
            "cancelled": [],
            "warnings": [],
            "diff": [],
        }

    def test_what_a_hold_would_trip_over_stands_there_before_the_question(
        self, scene: Scene
    ) -> None:
        scene.pipeline("infra")
        scene.staged("k8s", ("Build", 5), ("Deploy", 5), mode="QUEUED")
        said = attach("--depends-on", "infra", "--after", "Build", typed="n\n")
        told = " ".join(said.out.partition("Change k8s?")[0].split())
        assert "Caution: Before the gate of k8s runs the stage Build." in told
        assert "Caution: k8s is in QUEUED mode" in told
        warnings = attach(
            "--depends-on", "infra", "--after", "Build", "--dry-run", "--json"
        ).json()["warnings"]
        assert [warning.split(":")[0][:20] for warning in warnings] == [
            "Before the gate of k",
            "k8s is in QUEUED mod",
        ]

    def test_that_a_change_cancels_what_runs_is_said_and_so(self, two: Scene) -> None:
        execution = two.start("k8s")
        told = attach("--depends-on", "infra", "--dry-run").words
        assert (
            f"Caution: k8s runs now (execution {execution[:8]}), and CodePipeline cancels what "
            "runs in a pipeline that is changed." in told
        )
        assert attached().out.splitlines()[-2:] == [
            f"Execution {execution[:8]} of k8s was cancelled by this change. To start k8s anew:",
            "  aws codepipeline start-pipeline-execution --name k8s",
        ]
        assert two.statuses() == ["Cancelled"]
        assert "runs now" not in attach("--depends-on", "infra", "--dry-run", "--observe").words


class TestADeadlock:
    """Two that need each other's success first: whoever says yes to the second gate shall know."""

    def test_is_told_before_the_question_and_is_one(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.pipeline("k8s")
        assert (
            run("attach", "infra", "--depends-on", "k8s", "--require", "succeeded", "--yes").status
            == 0
        )
        said = attach("--depends-on", "infra", "--require", "succeeded", typed="y\n")
        told = " ".join(said.out.partition("Change k8s?")[0].split())
        assert (
            "Caution: infra waits for k8s, which waits for infra. Each needs the next one's "
            "success first: until all have succeeded once, "
            "and after any failure, none can ever go on. The gate that sees it fails its action "
            "then. Take one of them out"
        ) in told
        scene.start("infra")
        scene.start("k8s")
        assert scene.gate_action()["errorDetails"]["message"].startswith(
            "Deadlock: k8s waits for infra"
        )

    def test_along_a_chain(self, scene: Scene) -> None:
        scene.gated("infra", ask("network", pipeline="infra", hold="wait"))
        scene.gated("network", ask("k8s", "gone", pipeline="network", hold="wait"))
        scene.pipeline("k8s")
        (warning,) = attach(
            "--depends-on", "infra", "--hold", "wait", "--dry-run", "--json"
        ).json()["warnings"]
        assert warning.startswith(
            "infra waits for network, which waits for k8s, which waits for infra. When they wait "
            "at the same time"
        )

    def test_taking_turns_is_none_and_who_observes_waits_for_nobody(self, scene: Scene) -> None:
        scene.gated("infra", ask("k8s", pipeline="infra", require="succeeded"))
        scene.pipeline("k8s")
        assert "Caution" not in attach("--depends-on", "infra", "--dry-run").out
        assert (
            "Caution"
            not in attach(
                "--depends-on", "infra", "--require", "succeeded", "--observe", "--dry-run"
            ).out
        )

    def test_one_that_may_not_be_seen_is_left_out(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        not_infra = {
            "Effect": "Deny",
            "Action": "codepipeline:GetPipeline",
            "Resource": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra",
        }
        as_somebody(monkeypatch, everything, not_infra)
        assert attach("--depends-on", "infra", "--dry-run").status == 0


class TestTwice:
    @pytest.fixture(autouse=True)
    def once(self, two: Scene) -> None:
        attached()

    def test_says_so_and_writes_nothing(self, two: Scene, made: list[str]) -> None:
        said = attach()
        assert (said.status, said.out) == (0, "k8s has this gate already. Nothing was changed.\n")
        assert "UpdatePipeline" not in made
        assert declared(two)["version"] == 2

    def test_without_an_option_takes_that_back(self, two: Scene) -> None:
        attached("--depends-on", "infra", "--hold", "wait")
        assert asked(two)["hold"] == "wait"
        said = attached()
        assert asked(two) == ask()
        assert [line[0] for line in said.out.splitlines() if '"UserParameters"' in line] == [
            "-",
            "+",
        ]

    def test_with_after_moves_it(self, two: Scene) -> None:
        attached("--depends-on", "infra", "--after", "Deploy")
        assert stages(two) == ["Source", "Deploy", "Gate"]
        attached()
        assert stages(two) == ["Source", "Deploy", "Gate"]

    def test_it_keeps_the_function_that_it_names(self, two: Scene) -> None:
        deploy("prod")
        assert attach().status == 0
        attached("--depends-on", "infra", "--function", "pipeline-gate-prod-gate")
        assert attach().out == "k8s has this gate already. Nothing was changed.\n"
        assert (
            declared(two)["stages"][1]["actions"][0]["configuration"]["FunctionName"]
            == "pipeline-gate-prod-gate"
        )


EVERYTHING = pipeline(
    stage(
        "Build",
        action(
            "Build",
            runOrder=1,
            namespace="gate",
            roleArn="arn:aws:iam::123456789012:role/builds",
            region=REGION,
        ),
    ),
    stage(
        "Deploy",
        action(
            "Deploy",
            inputArtifacts=[{"name": "source"}],
            outputArtifacts=[{"name": "out"}],
            timeoutInMinutes=9,
            commands=["make"],
        ),
        beforeEntry=entry(rule("Alarm", "ours")),
        onSuccess=entry(rule("Smoke", "ours")),
        onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}},
    ),
    executionMode="QUEUED",
    variables=[{"name": "region", "defaultValue": "eu", "description": "where to"}],
    triggers=[
        {
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {
                "sourceActionName": "Source",
                "push": [{"branches": {"includes": ["main"]}}],
            },
        }
    ],
)
OLD = pipeline(
    stage("Deploy", action("Deploy", runOrder=3)),
    pipelineType="V1",
    artifactStore={
        "type": "S3",
        "location": "artifacts",
        "encryptionKey": {"id": "key", "type": "KMS"},
    },
)


class TestAllElseStays:
    @pytest.mark.parametrize("whole", [EVERYTHING, OLD], ids=["V2", "V1"])
    def test_what_the_pipeline_has(self, scene: Scene, whole: dict[str, Any]) -> None:
        scene.pipeline("infra")
        scene.codepipeline.create_pipeline(pipeline=whole)  # type: ignore[arg-type]
        before = declared(scene)
        attached("--depends-on", "infra", "--hold", "wait")
        after = declared(scene)
        assert after["stages"].pop(1)["name"] == "Gate"
        assert after | {"version": 1} == before
        assert run("detach", "k8s", "--yes").status == 0
        assert declared(scene) | {"version": 1} == before

    @pytest.mark.parametrize("value", [True, {"minutes": 5}, []])
    def test_what_this_boto3_does_not_know_is_not_lost(
        self, two: Scene, made: list[str], value: object
    ) -> None:
        kept = codepipeline_backends[ACCOUNT][REGION].pipelines["k8s"].pipeline
        kept["stages"][1]["actions"][0]["newThing"] = value
        for said in (attach("--depends-on", "infra", "--yes"), run("detach", "k8s", "--yes")):
            assert (said.status, said.complaint) == (
                252,
                "Error: k8s has settings that your boto3 does not know and would drop when it "
                "writes the pipeline back: "
                "stages.actions.newThing. Nothing was changed. Upgrade it: pip install --upgrade "
                "boto3.",
            )
        assert "UpdatePipeline" not in made

    def test_what_somebody_else_changes_meanwhile(
        self, two: Scene, made: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def agreed(place: Place, question: str) -> bool:
            now = declared(two)
            now["executionMode"] = "QUEUED"
            two.codepipeline.update_pipeline(pipeline=now)
            made.clear()
            return True

        monkeypatch.setattr(Place, "agreed", agreed)
        said = attach()
        assert (said.status, said.complaint) == (
            252,
            "Error: Somebody changed k8s while you looked at the difference. Nothing was changed: "
            "run this command again.",
        )
        assert "UpdatePipeline" not in made
        assert declared(two)["executionMode"] == "QUEUED"


class TestWhatItWaitsFor:
    @pytest.fixture(autouse=True)
    def network(self, two: Scene) -> None:
        two.staged("network", ("Plan", 5), ("Apply", 5))

    @pytest.mark.parametrize(
        ("words", "entries"),
        [
            (["infra", "network"], ["infra", "network"]),
            (["infra, network", "infra"], ["infra", "network"]),
            (["network/Apply,infra"], [{"pipeline": "network", "stage": "Apply"}, "infra"]),
            (
                ['{"pipeline": "infra", "require": "succeeded"}', "network"],
                [{"pipeline": "infra", "require": "succeeded"}, "network"],
            ),
            (
                [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra"],
                [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra"],
            ),
        ],
    )
    def test_is_said_in_short_or_as_json(
        self, two: Scene, words: list[str], entries: list[object]
    ) -> None:
        attached(*(word for one in words for word in ("--depends-on", one)))
        assert asked(two)["depends_on"] == entries
        two.start("k8s")
        two.wait(minutes=2)
        assert two.statuses() == (
            ["Failed"]
            if {"pipeline": "infra", "require": "succeeded"} in entries
            else ["Succeeded"]
        )

    def test_one_stage_holds_only_while_that_is_to_come(self, two: Scene) -> None:
        said = attached("--depends-on", "infra/Source")
        assert "From its next execution on k8s waits for infra's stage Source." in said.words
        two.start("infra")
        two.start("k8s")
        assert "infra's stage Source does not count" in two.gate_action()["summary"]

    def test_another_region(self, two: Scene) -> None:
        Scene(two.world, THERE).pipeline("infra")
        arn = f"arn:aws:codepipeline:{THERE}:{ACCOUNT}:infra"
        said = attached("--depends-on", f"{arn}/Deploy")
        assert f"k8s waits for infra ({THERE})'s stage Deploy." in said.words
        assert asked(two)["depends_on"] == [{"pipeline": arn, "stage": "Deploy"}]

    def test_another_account_takes_a_role(self, two: Scene) -> None:
        arn = f"arn:aws:codepipeline:{REGION}:210987654321:infra"
        said = attach("--depends-on", arn)
        assert said.status == 252
        assert (
            f"infra is in account 210987654321, and the gate in {ACCOUNT}. Add a role_arn"
            in said.complaint
        )
        entry = {"pipeline": arn, "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look"}
        attached("--depends-on", json.dumps(entry))
        assert asked(two)["depends_on"] == [entry]

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("infa", f"There is no pipeline infa in {REGION}; did you mean infra?"),
            ("zzz", f"There is no pipeline zzz in {REGION}; there are infra, k8s and network."),
            (
                "Infra",
                f"There is no pipeline Infra in {REGION}; did you mean infra? Upper and lower "
                "case count.",
            ),
            (
                "NETWORK",
                f"There is no pipeline NETWORK in {REGION}; did you mean network? Upper and lower "
                "case count.",
            ),
            (
                "network/apply",
                "network has no stage apply; it has Source, Plan and Apply. Upper and lower case "
                "count.",
            ),
            ("network/Aply", "network has no stage Aply; it has Source, Plan and Apply."),
            (
                "network/",
                "stage must be the name of one of the upstream's stages, 1 to 100 letters, "
                'digits and . @ - _, not "".',
            ),
            (
                f"arn:aws:codepipeline:{THERE}:{ACCOUNT}:infra",
                f"There is no pipeline infra in {THERE}, nor any other. Is this the region",
            ),
            (
                "k8s",
                "k8s depends on itself: it runs while it asks, so it would wait for ever. Take it "
                "out of depends_on.",
            ),
            (f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:k8s", "k8s depends on itself"),
            ("two words", 'depends_on has "two words", which is no pipeline\'s name'),
            (" , ", "--depends-on names no pipeline: say which ones shall be waited for."),
            ('{"pipeline": infra}', '--depends-on {"pipeline": infra} is not valid JSON'),
            ('{"pipelin": "infra"}', 'An entry of depends_on has an unknown key "pipelin".'),
            (
                '{"pipeline": "infra", "require": "green"}',
                'require is "green", but must be one of idle, succeeded.',
            ),
        ],
    )
    def test_what_is_not_there_is_refused(self, two: Scene, word: str, told: str) -> None:
        said = attach("--depends-on", word, "--yes")
        assert said.status == 252
        assert said.complaint.startswith(f"Error: {told}")
        assert declared(two)["version"] == 1


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (
                ["--after", "source"],
                "k8s has no stage source; it has Source and Deploy. Upper and lower case count. "
                "Nothing was changed.",
            ),
            (
                ["--after", "Sourc"],
                "k8s has no stage Sourc; it has Source and Deploy. Nothing was changed.",
            ),
            (
                ["--on-give-up", "stop"],
                "on_give_up says what happens after give_up_minutes, which is not there",
            ),
            (
                ["--function", "other"],
                "other is no gate's function: those are named pipeline-gate-STAGE-gate",
            ),
            (
                ["--function", "pipeline-gate-prod-gate"],
                f"There is no function pipeline-gate-prod-gate in {REGION}; there is {GATE}.",
            ),
        ],
    )
    def test_is_said_in_a_sentence(self, two: Scene, words: list[str], told: str) -> None:
        said = attach("--depends-on", "infra", *words, "--yes")
        assert said.status == 252
        assert said.complaint.startswith(f"Error: {told}")
        assert declared(two)["version"] == 1

    @pytest.mark.parametrize(
        "words",
        [
            ["--retry-minutes", "7"],
            ["--give-up-minutes", "0"],
            ["--give-up-minutes", "20161"],
            ["--hold", "pause"],
            ["--no"],
        ],
    )
    def test_wrong_use(self, two: Scene, words: list[str]) -> None:
        said = attach("--depends-on", "infra", *words, "--yes")
        assert said.status == 252
        assert said.err.startswith("Usage: gatectl attach [OPTIONS] PIPELINE\n")

    @pytest.mark.parametrize(
        ("option", "value", "told"),
        [
            ("--give-up-minutes", "30m", "'30m' is not a whole number of minutes, 1 to 20160."),
            ("--give-up-minutes", "0", "'0' is not a whole number of minutes, 1 to 20160."),
            (
                "--retry-minutes",
                "5m",
                "'5m' is not a whole number of minutes that divides 60: 1, 2, 3, 4, 5, 6, 10, 12, "
                "15, 20, 30 or 60.",
            ),
        ],
    )
    def test_what_is_no_number_of_minutes(
        self, two: Scene, option: str, value: str, told: str
    ) -> None:
        said = attach("--depends-on", "infra", option, value)
        assert said.complaint.endswith(f"Error: Invalid value for '{option}': {told}")

    def test_help_says_what_each_value_means(self) -> None:
        said = run("attach", "--help").words
        for option, values in (
            ("require", REQUIRE),
            ("hold", MODES),
            ("on-give-up", ON_GIVE_UP),
            ("revisions", REVISIONS),
            ("parked", PARKED),
        ):
            told = said.partition(f"--{option} [{'|'.join(values)}]")[2].partition("[default: ")[0]
            assert told
            assert all(f"{value}: " in told for value in values)

    def test_a_pipeline_that_is_not_there(self, two: Scene) -> None:
        for command in (["attach", "k9s", "--depends-on", "infra"], ["detach", "k9s"]):
            said = run(*command, "--yes")
            assert (said.status, said.complaint) == (
                252,
                f"Error: There is no pipeline k9s in {REGION}; did you mean k8s?",
            )

    def test_more_than_a_thousand_characters(self, two: Scene) -> None:
        names = [f"{letter * 60}" for letter in "abcdefghijklmno"]
        for name in names:
            two.pipeline(name)
        said = attach("--depends-on", ",".join(names), "--yes")
        assert said.status == 252
        assert (
            "characters, and CodePipeline takes 1000: let this gate wait for fewer pipelines"
            in said.complaint
        )

    def test_a_region_without_a_gate(self, two: Scene) -> None:
        there = Scene(two.world, THERE)
        there.pipeline("infra")
        there.pipeline("k8s")
        said = attach("--depends-on", "infra", "--region", THERE, "--yes")
        assert said.status == 252
        assert said.complaint.startswith(
            f"Error: No gate is deployed in {THERE}. Deploy it first (chalice deploy --stage prod)"
        )
        assert declared(two)["version"] == 1

    def test_several_gates_deployed(self, two: Scene) -> None:
        deploy("prod")
        said = attach("--depends-on", "infra", "--yes")
        assert (said.status, said.complaint) == (
            252,
            f"Error: Several gates are deployed in {REGION}: say with --function which one, "
            f"{GATE} or pipeline-gate-prod-gate.",
        )

    LONG = f"pipeline-gate-{'s' * 14}-gate"

    @pytest.mark.parametrize("words", [(), ("--function", LONG)])
    def test_a_gate_whose_rules_would_have_too_long_names(
        self, two: Scene, words: tuple[str, ...]
    ) -> None:
        deploy("s" * 14)
        if not words:
            boto3.client("lambda").delete_function(FunctionName=GATE)
        said = attach("--depends-on", "infra", *words, "--yes")
        assert said.status == 252
        assert said.complaint.startswith(
            f"Error: {self.LONG} can hold nobody. The Chalice stage '{'s' * 14}' has 14 characters;"
        )
        assert declared(two)["version"] == 1

    def test_a_function_that_is_named_is_taken_where_nobody_may_look(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        everything = {"Effect": "Allow", "Action": "codepipeline:*", "Resource": "*"}
        as_somebody(
            monkeypatch, everything, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
        )
        assert attach("--depends-on", "infra", "--yes").status == 254
        said = attached("--depends-on", "infra", "--function", GATE)
        assert (
            f"Caution: Whether there is a function {GATE} could not be looked: AWS denied "
            "lambda:ListFunctions (" in said.words
        )
        assert declared(two)["version"] == 2

    def test_a_gate_whose_function_is_gone(self, two: Scene) -> None:
        attached()
        deploy("prod")
        boto3.client("lambda").delete_function(FunctionName=GATE)
        said = attach("--depends-on", "infra", "--yes")
        assert (
            f"There is no function {GATE} in {REGION}; there is pipeline-gate-prod-gate. Name it "
            "with --function." in said.complaint
        )
        attached("--depends-on", "infra", "--function", "pipeline-gate-prod-gate")

    def test_a_pipeline_with_several_gates(self, scene: Scene) -> None:
        scene.pipeline("infra")
        whole = pipeline(stage("Gate", gate()), stage("Deploy", beforeEntry=entry(rule("Again"))))
        scene.codepipeline.create_pipeline(pipeline=whole)  # type: ignore[arg-type]
        said = attach("--depends-on", "infra", "--yes")
        assert said.status == 252
        assert said.complaint.startswith(
            "Error: k8s has several gates (Gate/Wait and Deploy/Again), and which one is meant "
            "cannot be told"
        )


def test_the_gate_in_a_condition_is_changed_there_and_works(scene: Scene) -> None:
    scene.pipeline("infra")
    gated = pipeline(stage("Deploy", beforeEntry=entry(rule("Wait"))))
    scene.codepipeline.create_pipeline(pipeline=gated)  # type: ignore[arg-type]
    attached("--depends-on", "infra", "--hold", "retry")
    (there,) = declared(scene)["stages"][1]["beforeEntry"]["conditions"][0]["rules"]
    assert json.loads(there["configuration"]["UserParameters"]) == ask(hold="retry")
    scene.start("infra")
    scene.start("k8s")
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=15)
    assert scene.statuses() == ["Succeeded"]


def test_the_documents_gate_is_this_gate(two: Scene) -> None:
    """What the README has people write by hand, attach would write too."""
    two.codepipeline.delete_pipeline(name="k8s")
    two.k8s()
    assert EXECUTION in json.dumps(asked(two))
    assert attach().out == "k8s has this gate already. Nothing was changed.\n"
