"""`gatectl attach`: a pipeline gets its gate, and keeps all else."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from moto.codepipeline.models import codepipeline_backends

from chalicelib.holds.mode import MODES
from chalicelib.parameters import ON_GIVE_UP, REVISIONS
from chalicelib.pipelines.dependency import PARKED, REQUIRE, Dependency, Require
from gatectl.arguments import parse_entries
from gatectl.attach import describe_wait
from gatectl.session import Place, Refused
from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION, create_role
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.explaining import deny
from tests.support.held import start_all
from tests.support.refused import run_refused
from tests.support.scene import EXECUTION, Scene
from tests.support.somebody import EVERYTHING, as_somebody, role_may
from tests.support.somebody import deny as deny_statement
from tests.support.structures import GATE, action, entry, gate, pipeline, rule, stage

OTHER_REGION = "us-east-1"
PROD_GATE = "pipeline-gate-prod-gate"
DONE = "k8s has this gate already. Nothing was changed.\n"


@pytest.fixture
def ungated(scene: Scene) -> Scene:
    """infra and k8s, without a gate."""
    scene.pipeline("infra")
    scene.pipeline("k8s", seconds=60)
    return scene


def deploy(stage: str) -> None:
    """Deploy another gate, as far as attach looks."""
    name = f"pipeline-gate-{stage}-gate"
    boto3.client("lambda").create_function(
        FunctionName=name,
        Role=create_role(name, "lambda.amazonaws.com").arn,
        Code={"ZipFile": b""},
        Handler="app.gate",
        Runtime="python3.11",
    )


def attach(*words: str, upstream: str = "infra", **options: Any) -> Said:
    return run("attach", "k8s", "--depends-on", upstream, *words, **options)


def attached(*words: str, upstream: str = "infra") -> Said:
    """With a yes; it must have been done."""
    result = attach(*words, "--yes", upstream=upstream)
    assert result.status == 0, result.err
    return result


def refuse(text: str, *words: str, upstream: str = "infra") -> None:
    """With a yes; it must have been refused with a complaint that begins so."""
    complaint = run_refused("attach", "k8s", "--depends-on", upstream, *words, "--yes")
    assert complaint.startswith(f"Error: {text}")


def declared(scene: Scene) -> Any:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]


def create(scene: Scene, structure: Any) -> None:
    scene.codepipeline.create_pipeline(pipeline=structure)


def stages(scene: Scene) -> list[str]:
    return [stage["name"] for stage in declared(scene)["stages"]]


def configuration(scene: Scene) -> Any:
    """Of the gate action of k8s."""
    (gate,) = [stage for stage in declared(scene)["stages"] if stage["name"] == "Gate"]
    return gate["actions"][0]["configuration"]


def parameters(scene: Scene) -> Any:
    return json.loads(configuration(scene)["UserParameters"])


class TestTheStory:
    def test_attached_it_holds_and_lets_go_and_detached_it_does_not(self, ungated: Scene) -> None:
        attached()
        start_all(ungated, "infra", "k8s")
        assert ungated.statuses() == ["Failed"]
        assert ungated.gate_message().startswith("k8s waits for infra since 12:00 UTC.")
        assert ungated.outputs() == {}
        ungated.wait(minutes=15)
        assert ungated.statuses() == ["Succeeded", "Failed"]
        assert ungated.outputs()["UpstreamPipelines"] == "infra"
        assert run("detach", "k8s", "--yes").status == 0
        start_all(ungated, "infra", "k8s")
        ungated.wait(minutes=2)
        assert (ungated.statuses("infra")[0], ungated.statuses()[0]) == ("InProgress", "Succeeded")

    def test_each_option_is_a_key_that_the_gate_takes(self, ungated: Scene) -> None:
        attached(
            *("--require", "succeeded", "--hold", "retry", "--retry-minutes", "10"),
            *("--give-up-minutes", "30", "--on-give-up", "continue", "--revisions", "held"),
            *("--parked", "pass", "--bypass"),
        )
        assert parameters(ungated) == ask(
            require="succeeded",
            hold="retry",
            retry_minutes=10,
            give_up_minutes=30,
            on_give_up="continue",
            revisions="held",
            parked="pass",
            bypass="#{variables.bypass}",
        )
        ungated.start("infra")
        ungated.start("k8s", variables=[{"name": "bypass", "value": "true"}])
        assert ungated.gate_message().startswith("Bypassed:")
        ungated.start("k8s")
        ungated.wait(minutes=1)
        assert "it goes on all the same." in ungated.gate_message()

    def test_observe(self, ungated: Scene) -> None:
        words = attached("--observe").words
        assert "From its next execution on k8s only says whether it would have waited" in words
        start_all(ungated, "infra", "k8s")
        assert ungated.gate_message().startswith("Observe only: would have held this pipeline")

    def test_the_documents_gate_is_this_gate(self, ungated: Scene) -> None:
        """What the README has people write by hand, attach would write too."""
        ungated.codepipeline.delete_pipeline(name="k8s")
        ungated.k8s()
        assert EXECUTION in json.dumps(parameters(ungated))
        assert attach().out == DONE


class TestWhatItSaysInTheEnd:
    @pytest.mark.parametrize(
        ("require", "text"),
        [
            ("idle", "infra. It goes on when infra has ended, also after a failure: --require"),
            ("succeeded", "infra to succeed."),
        ],
    )
    def test_whether_a_failure_ends_the_wait(self, require: Require, text: str) -> None:
        words = describe_wait([Dependency("infra", require=require)], observe=False)
        assert words.startswith(f"waits for {text}")

    def test_each_upstream_has_its_own_require(self) -> None:
        upstreams = [
            Dependency("infra", require="succeeded"),
            Dependency("dns"),
            Dependency("network"),
        ]
        assert describe_wait(upstreams, observe=False).startswith(
            "waits for infra, dns and network. It goes on when dns and network have ended, also "
            "after a failure"
        )


class TestItsRole:
    """What the doctor would say afterwards is said before the question."""

    def test_one_that_may_not_invoke_the_gate(self, ungated: Scene) -> None:
        role_may("pipelines")
        before, _, after = attach(typed="y\n").out.partition("Change k8s? [y/N]: y\n")
        assert (
            f"Caution: Role pipelines: This role, which k8s has, may not invoke {GATE}. The gate "
            "action fails at once, and nothing goes past it."
        ) in " ".join(before.split())
        assert " ".join(after.split()).endswith(
            "Its role may not invoke the gate yet, and the gate action fails: `gatectl doctor "
            "--mend` lets it, and asks first."
        )
        ungated.start("k8s")
        assert ungated.gate_action()["errorDetails"]["code"] == "PermissionError"
        assert run("doctor", "--mend", typed="y\n" * 9).status in (0, 1)
        ungated.start("k8s")
        ungated.wait(minutes=2)
        assert ungated.statuses()[0] == "Succeeded"

    def test_one_that_somebody_forbids_it(self, ungated: Scene) -> None:
        role_may("pipelines", deny_statement("lambda:InvokeFunction"))
        words = attached().words
        assert "an explicit deny forbids it. The gate action fails at once" in words
        assert words.endswith("`gatectl doctor` says why.")

    def test_one_that_the_functions_own_policy_lets_in(self, ungated: Scene) -> None:
        role_may("pipelines")
        ungated.awslambda.add_permission(
            FunctionName=GATE,
            StatementId="pipelines",
            Action="lambda:InvokeFunction",
            Principal=f"arn:aws:iam::{ACCOUNT}:role/pipelines",
        )
        result = attached()
        assert "Caution" not in result.out
        assert result.words.endswith("Its role may invoke the gate.")

    @pytest.mark.parametrize("denied", ["iam:SimulatePrincipalPolicy", "lambda:GetPolicy"])
    def test_one_that_may_not_be_looked_at(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        role_may("pipelines")
        deny(monkeypatch, denied)
        result = attached()
        assert "Caution" not in result.out
        assert result.words.endswith("`gatectl doctor` looks whether it is.")


class TestTheLook:
    def test_what_would_change_stands_there_before_the_question(self, ungated: Scene) -> None:
        result = attach(typed="y\n")
        assert result.status == 0, result.err
        before, question, after = result.out.partition("Change k8s? [y/N]: y\n")
        assert question
        lines = before.splitlines()
        assert lines[:2] == ["--- now", "+++ then"]
        assert not [line for line in lines[2:] if line.startswith("-")]
        added = [line[1:].strip().rstrip(",") for line in lines[2:] if line.startswith("+")]
        new = stage("Gate", gate(text=json.dumps(ask()), runOrder=1, namespace="gate"))
        expected = json.dumps(new, indent=2).splitlines()
        assert sorted(added) == sorted(line.strip().rstrip(",") for line in expected)
        assert " ".join(after.split()).startswith("From its next execution on k8s waits for infra.")
        assert stages(ungated) == ["Source", "Gate", "Deploy"]

    def test_no_line_of_it_is_broken(self, ungated: Scene) -> None:
        for columns in (40, 80):
            output = attach("--dry-run", columns=columns).out
            assert f'"UserParameters": "{json.dumps(json.dumps(ask()))[1:-1]}"' in output

    def test_a_no_and_a_dry_run_change_nothing(self, ungated: Scene) -> None:
        for typed in ("n\n", "\n"):
            result = attach(typed=typed)
            assert (result.status, result.out.splitlines()[-1]) == (1, "Nothing was changed.")
        for words in (("--dry-run",), ("--dry-run", "--yes")):
            result = attach(*words)
            assert result.status == 0
            assert result.out.endswith("A dry run: nothing was changed.\n")
            assert '+      "name": "Gate"' in result.out
        assert declared(ungated)["version"] == 1

    def test_for_programs(self, ungated: Scene) -> None:
        assert "add --yes to do it, or --dry-run" in attach("--json").complaint
        assert attach("--json").status == 252
        dry = attach("--json", "--dry-run").json()
        done = attach("--json", "--yes").json()
        assert dry == done | {"changed": False}
        assert (done["pipeline"], done["changed"], done["warnings"]) == ("k8s", True, [])
        assert '+      "name": "Gate",' in done["diff"]
        again = attach("--json").json()
        assert again == dry | {"changed": False, "diff": []}

    def test_what_a_hold_would_trip_over_stands_there_before_the_question(
        self, scene: Scene
    ) -> None:
        scene.pipeline("infra")
        scene.staged("k8s", ("Build", 5), ("Deploy", 5), mode="QUEUED")
        before = attach("--after", "Build", typed="n\n").out.partition("Change k8s?")[0]
        warnings = attach("--after", "Build", "--dry-run", "--json").json()["warnings"]
        assert [warning[:20] for warning in warnings] == [
            "Before the gate of k",
            "k8s is in QUEUED mod",
        ]
        for warning in warnings:
            assert f"Caution: {warning}" in " ".join(before.split())

    def test_that_a_change_cancels_what_runs_is_said_and_so(self, ungated: Scene) -> None:
        execution = ungated.start("k8s")
        caution = f"Caution: k8s runs now (execution {execution[:8]}), and CodePipeline cancels"
        assert caution in attach("--dry-run").words
        assert attached().out.splitlines()[-2:] == [
            f"Execution {execution[:8]} of k8s was cancelled by this change. To start k8s anew:",
            "  aws codepipeline start-pipeline-execution --name k8s",
        ]
        assert ungated.statuses() == ["Cancelled"]
        assert "runs now" not in attach("--dry-run", "--observe").words


class TestADeadlock:
    """Two that need each other's success first: whoever says yes to the second gate shall know."""

    def test_is_told_before_the_question_and_is_one(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.pipeline("k8s")
        words = ("attach", "infra", "--depends-on", "k8s", "--require", "succeeded", "--yes")
        assert run(*words).status == 0
        before = attach("--require", "succeeded", typed="y\n").out.partition("Change k8s?")[0]
        caution = "Caution: infra waits for k8s, which waits for infra. Each needs the next one's"
        assert caution in " ".join(before.split())
        start_all(scene, "infra", "k8s")
        assert scene.gate_message().startswith("Deadlock: k8s waits for infra")

    def test_along_a_chain(self, scene: Scene) -> None:
        scene.gated("infra", ask("network", pipeline="infra", hold="wait"))
        scene.gated("network", ask("k8s", "gone", pipeline="network", hold="wait"))
        scene.pipeline("k8s")
        (warning,) = attach("--hold", "wait", "--dry-run", "--json").json()["warnings"]
        chain = "infra waits for network, which waits for k8s, which waits for infra."
        assert warning.startswith(chain)

    def test_taking_turns_is_none_and_who_observes_waits_for_nobody(self, scene: Scene) -> None:
        scene.gated("infra", ask("k8s", pipeline="infra", require="succeeded"))
        scene.pipeline("k8s")
        for words in ((), ("--require", "succeeded", "--observe")):
            assert "Caution" not in attach(*words, "--dry-run").out

    def test_one_that_may_not_be_seen_is_left_out(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        not_infra = {
            "Effect": "Deny",
            "Action": "codepipeline:GetPipeline",
            "Resource": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra",
        }
        as_somebody(monkeypatch, EVERYTHING, not_infra)
        assert attach("--dry-run").status == 0


class TestTwice:
    @pytest.fixture(autouse=True)
    def once(self, ungated: Scene) -> None:
        attached()

    def test_says_so_and_writes_nothing(self, ungated: Scene) -> None:
        result = attach()
        assert (result.status, result.out) == (0, DONE)
        assert declared(ungated)["version"] == 2

    def test_without_an_option_takes_that_back(self, ungated: Scene) -> None:
        attached("--hold", "wait")
        assert parameters(ungated)["hold"] == "wait"
        lines = attached().out.splitlines()
        assert parameters(ungated) == ask()
        assert [line[0] for line in lines if '"UserParameters"' in line] == ["-", "+"]

    def test_with_after_moves_it(self, ungated: Scene) -> None:
        for words in (("--after", "Deploy"), ()):
            attached(*words)
            assert stages(ungated) == ["Source", "Deploy", "Gate"]

    def test_it_keeps_the_function_that_it_names(self, ungated: Scene) -> None:
        deploy("prod")
        assert attach().status == 0
        attached("--function", PROD_GATE)
        assert attach().out == DONE
        assert configuration(ungated)["FunctionName"] == PROD_GATE
        boto3.client("lambda").delete_function(FunctionName=PROD_GATE)
        refuse(f"There is no function {PROD_GATE} in {REGION}; there is {GATE}.")
        attached("--function", GATE)


V2 = pipeline(
    stage(
        "Build",
        action("Build", runOrder=1, namespace="gate", roleArn=PIPELINE_ROLE, region=REGION),
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
KEY = {"id": "key", "type": "KMS"}
V1 = pipeline(
    stage("Deploy", action("Deploy", runOrder=3)),
    pipelineType="V1",
    artifactStore={"type": "S3", "location": "artifacts", "encryptionKey": KEY},
)


class TestAllElseStays:
    @pytest.mark.parametrize("structure", [V2, V1], ids=["V2", "V1"])
    def test_what_the_pipeline_has(self, scene: Scene, structure: dict[str, Any]) -> None:
        scene.pipeline("infra")
        create(scene, structure)
        before = declared(scene)
        attached("--hold", "wait")
        after = declared(scene)
        assert after["stages"].pop(1)["name"] == "Gate"
        assert after | {"version": 1} == before
        assert run("detach", "k8s", "--yes").status == 0
        assert declared(scene) | {"version": 1} == before

    @pytest.mark.parametrize("value", [True, {"minutes": 5}, []])
    def test_what_this_boto3_does_not_know_is_not_lost(self, ungated: Scene, value: object) -> None:
        kept = codepipeline_backends[ACCOUNT][REGION].pipelines["k8s"].pipeline
        kept["stages"][1]["actions"][0]["newThing"] = value
        for words in (("attach", "k8s", "--depends-on", "infra"), ("detach", "k8s")):
            complaint = run_refused(*words, "--yes")
            assert "would drop" in complaint
            assert "stages.actions.newThing. Nothing was changed." in complaint
        assert declared(ungated)["version"] == 1

    def test_what_somebody_else_changes_meanwhile(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def agreed(place: Place, question: str) -> bool:
            now = declared(ungated)
            now["executionMode"] = "QUEUED"
            ungated.codepipeline.update_pipeline(pipeline=now)
            return True

        monkeypatch.setattr(Place, "confirm", agreed)
        complaint = "Error: Somebody changed k8s while you looked at the difference. Nothing was"
        assert run_refused("attach", "k8s", "--depends-on", "infra").startswith(complaint)
        assert (declared(ungated)["version"], declared(ungated)["executionMode"]) == (2, "QUEUED")


class TestWhatItWaitsFor:
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
            (["arn:aws:codepipeline:eu-central-1:123456789012:infra"],) * 2,
        ],
    )
    def test_is_typed_in_short_or_as_json(self, words: list[str], entries: list[object]) -> None:
        assert parse_entries(words) == entries

    @pytest.mark.parametrize(
        ("word", "text"),
        [
            (" , ", "--depends-on names no pipeline: say which ones shall be waited for."),
            ('{"pipeline": infra}', '--depends-on {"pipeline": infra} is not valid JSON'),
        ],
    )
    def test_what_is_no_entry_is_refused(self, word: str, text: str) -> None:
        with pytest.raises(Refused) as error:
            parse_entries([word])
        assert error.value.message.startswith(text)

    def test_several_of_which_one_has_settings(self, ungated: Scene) -> None:
        ungated.staged("network", ("Plan", 5), ("Apply", 5))
        infra = {"pipeline": "infra", "require": "succeeded"}
        attached("--depends-on", "network/Apply", upstream=json.dumps(infra))
        network = {"pipeline": "network", "stage": "Apply"}
        assert parameters(ungated)["depends_on"] == [infra, network]
        ungated.start("k8s")
        ungated.wait(minutes=2)
        assert ungated.statuses() == ["Failed"]

    def test_one_stage_holds_only_while_that_is_to_come(self, ungated: Scene) -> None:
        result = attached(upstream="infra/Source")
        assert "From its next execution on k8s waits for infra's stage Source." in result.words
        start_all(ungated, "infra", "k8s")
        assert "infra's stage Source does not count" in ungated.gate_message()

    def test_another_region(self, ungated: Scene) -> None:
        Scene(ungated.world, OTHER_REGION).pipeline("infra")
        arn = f"arn:aws:codepipeline:{OTHER_REGION}:{ACCOUNT}:infra"
        result = attached(upstream=f"{arn}/Deploy")
        assert f"k8s waits for infra ({OTHER_REGION})'s stage Deploy." in result.words
        assert parameters(ungated)["depends_on"] == [{"pipeline": arn, "stage": "Deploy"}]

    def test_another_account_takes_a_role(self, ungated: Scene) -> None:
        arn = f"arn:aws:codepipeline:{REGION}:210987654321:infra"
        refuse(
            f"infra is in account 210987654321, and the gate in {ACCOUNT}. Add a role_arn",
            upstream=arn,
        )
        entry = {"pipeline": arn, "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look"}
        attached(upstream=json.dumps(entry))
        assert parameters(ungated)["depends_on"] == [entry]

    def test_what_is_not_there_is_refused(self, ungated: Scene) -> None:
        ungated.staged("network", ("Plan", 5), ("Apply", 5))
        for word, text in {
            "infa": f"There is no pipeline infa in {REGION}; did you mean infra?",
            "zzz": f"There is no pipeline zzz in {REGION}; there are infra, k8s and network.",
            "NETWORK": f"There is no pipeline NETWORK in {REGION}; did you mean network? Upper and",
            "network/apply": "network has no stage apply; it has Source, Plan and Apply. Upper and",
            "network/Aply": "network has no stage Aply; it has Source, Plan and Apply.",
            "network/": "stage must be the name of one of the upstream's stages",
            f"arn:aws:codepipeline:{OTHER_REGION}:{ACCOUNT}:infra": "There is no pipeline infra in "
            f"{OTHER_REGION}, nor any other. Is this the region",
            "k8s": "k8s depends on itself",
            f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:k8s": "k8s depends on itself",
            "two words": 'depends_on has "two words", which is no pipeline\'s name',
            " , ": "--depends-on names no pipeline",
            '{"pipelin": "infra"}': 'An entry of depends_on has an unknown key "pipelin".',
            '{"pipeline": "infra", "require": "green"}': 'require is "green", but must be one of',
        }.items():
            refuse(text, upstream=word)
        assert declared(ungated)["version"] == 1


class TestWhatCannotBe:
    def test_is_said_in_a_sentence(self, ungated: Scene) -> None:
        for words, text in {
            ("--after", "source"): "k8s has no stage source; it has Source and Deploy.",
            ("--on-give-up", "stop"): "on_give_up says what happens after give_up_minutes, which",
            ("--function", "other"): "other is no gate's function: those are named",
            ("--function", PROD_GATE): f"There is no function {PROD_GATE} in {REGION}; there is",
        }.items():
            refuse(text, *words)
        assert declared(ungated)["version"] == 1

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["--hold", "pause"], "Invalid value for '--hold': 'pause' is not one of"),
            (["--no"], "No such option '--no'."),
            (
                ["--give-up-minutes", "30m"],
                "Invalid value for '--give-up-minutes': '30m' is not a valid integer range.",
            ),
            (["--give-up-minutes", "0"], "Invalid value for '--give-up-minutes': 0 is not in"),
            (["--give-up-minutes", "20161"], "Invalid value for '--give-up-minutes': 20161 is"),
            (
                ["--retry-minutes", "7"],
                "Invalid value for '--retry-minutes': '7' is not one of '1', '2', '3', '4', '5', "
                "'6', '10', '12', '15', '20', '30', '60'.",
            ),
        ],
    )
    def test_wrong_use(self, words: list[str], text: str) -> None:
        result = attach(*words, "--yes")
        assert result.status == 252
        assert result.err.startswith("Usage: gatectl attach [OPTIONS] PIPELINE\n")
        assert f"Error: {text}" in result.complaint

    def test_help_says_what_each_value_means(self) -> None:
        output = run("attach", "--help").words
        for option, values in (
            ("require", REQUIRE),
            ("hold", MODES),
            ("on-give-up", ON_GIVE_UP),
            ("revisions", REVISIONS),
            ("parked", PARKED),
        ):
            _, _, after = output.partition(f"--{option} [{'|'.join(values)}]")
            text = after.partition("[default: ")[0]
            assert text
            assert all(f"{value}: " in text for value in values)

    def test_a_region_without_a_gate(self, ungated: Scene) -> None:
        other = Scene(ungated.world, OTHER_REGION)
        other.pipeline("infra")
        other.pipeline("k8s")
        refuse(f"No gate is deployed in {OTHER_REGION}.", "--region", OTHER_REGION)

    def test_several_gates_deployed(self, ungated: Scene) -> None:
        deploy("prod")
        refuse(f"Several gates are deployed in {REGION}: say with --function which one, {GATE} or")

    def test_a_gate_whose_rules_would_have_too_long_names(self, ungated: Scene) -> None:
        long = f"pipeline-gate-{'s' * 14}-gate"
        text = f"{long} can hold nobody."
        deploy("s" * 14)
        refuse(text, "--function", long)
        boto3.client("lambda").delete_function(FunctionName=GATE)
        refuse(text)
        assert declared(ungated)["version"] == 1

    def test_a_function_that_is_named_is_taken_where_nobody_may_look(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actions = ["codepipeline:*", "iam:PassRole"]
        as_somebody(monkeypatch, {"Effect": "Allow", "Action": actions, "Resource": "*"})
        assert attach("--yes").status == 254
        caution = f"Caution: Whether there is a function {GATE} could not be looked: AWS denied"
        assert caution in attached("--function", GATE).words
        assert declared(ungated)["version"] == 2
