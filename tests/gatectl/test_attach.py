"""Tests of `gatectl attach`, which gives a pipeline a gate and changes nothing else."""

from __future__ import annotations

import json
import re
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
from tests.support.person import EVERYTHING, act_as_person, role_may
from tests.support.person import deny as deny_statement
from tests.support.refused import run_refused
from tests.support.scene import EXECUTION, Scene
from tests.support.structures import GATE, action, entry, gate, pipeline, rule, stage

OTHER_REGION = "us-east-1"
PROD_GATE = "pipeline-gate-prod-gate"
DONE = "k8s already has this gate. Nothing was changed.\n"


@pytest.fixture
def ungated(scene: Scene) -> Scene:
    """infra and k8s, without a gate."""
    scene.pipeline("infra")
    scene.pipeline("k8s", seconds=60)
    return scene


def deploy(stage: str) -> None:
    """Deploy another gate, as far as attach checks it."""
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
    """Attach with --yes, which must succeed."""
    result = attach(*words, "--yes", upstream=upstream)
    assert result.status == 0, result.err
    return result


def refuse(text: str, *words: str, upstream: str = "infra") -> str:
    """Attach with --yes, which must be refused with an error that begins with `text`."""
    complaint = run_refused("attach", "k8s", "--depends-on", upstream, *words, "--yes")
    assert complaint.startswith(f"Error: {text}")
    return complaint


def declared(scene: Scene) -> Any:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]


def create(scene: Scene, structure: Any) -> None:
    scene.codepipeline.create_pipeline(pipeline=structure)


def stages(scene: Scene) -> list[str]:
    return [stage["name"] for stage in declared(scene)["stages"]]


def configuration(scene: Scene) -> Any:
    """Return the configuration of k8s's gate action."""
    (gate,) = [stage for stage in declared(scene)["stages"] if stage["name"] == "Gate"]
    return gate["actions"][0]["configuration"]


def parameters(scene: Scene) -> Any:
    return json.loads(configuration(scene)["UserParameters"])


class TestTheGate:
    def test_holds_and_releases_until_it_is_detached(self, ungated: Scene) -> None:
        attached()
        start_all(ungated, "infra", "k8s")
        assert ungated.statuses() == ["Failed"]
        assert ungated.gate_message().startswith("k8s has been waiting for infra since 12:00 UTC.")
        assert ungated.outputs() == {}
        ungated.wait(minutes=15)
        assert ungated.statuses() == ["Succeeded", "Failed"]
        assert ungated.outputs()["UpstreamPipelines"] == "infra"
        assert run("detach", "k8s", "--yes").status == 0
        start_all(ungated, "infra", "k8s")
        ungated.wait(minutes=2)
        assert (ungated.statuses("infra")[0], ungated.statuses()[0]) == ("InProgress", "Succeeded")

    def test_each_option_is_a_key_of_the_gate(self, ungated: Scene) -> None:
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
        assert "the pipeline continues anyway." in ungated.gate_message()

    def test_observe(self, ungated: Scene) -> None:
        words = attached("--observe").words
        assert "From its next execution on, k8s only reports whether it would have" in words
        start_all(ungated, "infra", "k8s")
        assert ungated.gate_message().startswith(
            "Observe only: the gate would have held this pipeline"
        )

    def test_is_the_one_in_the_readme(self, ungated: Scene) -> None:
        """attach writes what the README says to write by hand."""
        ungated.codepipeline.delete_pipeline(name="k8s")
        ungated.k8s()
        assert EXECUTION in json.dumps(parameters(ungated))
        assert attach().out == DONE


class TestItsLastSentences:
    @pytest.mark.parametrize(
        ("require", "text"),
        [
            ("idle", "infra. It continues when infra finishes, successfully or not. To wait for"),
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
            "waits for infra, dns and network. It continues when dns and network finish, "
            "successfully or not."
        )


class TestItsRole:
    """What the doctor would report afterwards is shown before the question."""

    def test_may_not_invoke_the_gate(self, ungated: Scene) -> None:
        role_may("pipelines")
        before, _, after = attach(typed="y\n").out.partition("Change k8s? [y/N]: y\n")
        caution = rf"Caution: Role pipelines: This role.* may not invoke {GATE}\. The gate action"
        assert re.search(caution, " ".join(before.split()))
        assert "Its role may not invoke the gate yet" in after
        assert "`gatectl doctor --mend`" in " ".join(after.split())
        ungated.start("k8s")
        assert ungated.gate_action()["errorDetails"]["code"] == "PermissionError"
        assert run("doctor", "--mend", typed="y\n" * 9).status in (0, 1)
        ungated.start("k8s")
        ungated.wait(minutes=2)
        assert ungated.statuses()[0] == "Succeeded"

    def test_is_denied_explicitly(self, ungated: Scene) -> None:
        role_may("pipelines", deny_statement("lambda:InvokeFunction"))
        words = attached().words
        assert "an explicit deny forbids it. The gate action fails" in words
        assert words.endswith("`gatectl doctor` says why.")

    def test_is_allowed_by_the_functions_own_policy(self, ungated: Scene) -> None:
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
    def test_cannot_be_checked(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        role_may("pipelines")
        deny(monkeypatch, denied)
        result = attached()
        assert "Caution" not in result.out
        assert "Its role must be allowed to invoke the gate" in result.words


class TestBeforeTheQuestion:
    def test_it_shows_the_change(self, ungated: Scene) -> None:
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
        assert " ".join(after.split()).startswith(
            "From its next execution on, k8s waits for infra."
        )
        assert stages(ungated) == ["Source", "Gate", "Deploy"]

    def test_no_line_of_the_change_is_wrapped(self, ungated: Scene) -> None:
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
            assert result.out.endswith("Dry run: nothing was changed.\n")
            assert '+      "name": "Gate"' in result.out
        assert declared(ungated)["version"] == 1

    def test_for_programs(self, ungated: Scene) -> None:
        assert "Use --yes to make the change, or --dry-run" in attach("--json").complaint
        assert attach("--json").status == 252
        dry = attach("--json", "--dry-run").json()
        done = attach("--json", "--yes").json()
        assert dry == done | {"changed": False}
        assert (done["pipeline"], done["changed"], done["warnings"]) == ("k8s", True, [])
        assert '+      "name": "Gate",' in done["diff"]
        again = attach("--json").json()
        assert again == dry | {"changed": False, "diff": []}

    def test_it_warns_of_problems_with_a_hold(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.staged("k8s", ("Build", 5), ("Deploy", 5), mode="QUEUED")
        before = attach("--after", "Build", typed="n\n").out.partition("Change k8s?")[0]
        warnings = attach("--after", "Build", "--dry-run", "--json").json()["warnings"]
        repeated_work, queue_order = warnings
        assert "the stage Build" in repeated_work
        assert queue_order.startswith("k8s is in QUEUED mode")
        for warning in warnings:
            assert f"Caution: {warning}" in " ".join(before.split())

    @pytest.mark.parametrize(
        ("mode", "recommended"),
        [("SUPERSEDED", "retry"), ("QUEUED", "wait"), ("PARALLEL", "retry")],
    )
    def test_it_recommends_a_hold_mode_unless_one_is_chosen(
        self, scene: Scene, mode: str, recommended: str
    ) -> None:
        scene.pipeline("infra")
        scene.pipeline("k8s", mode=mode)
        before, question, _ = attach(typed="n\n").words.partition("Change k8s?")
        assert question
        advice = before.partition("Hold mode: restart (the default).")[2]
        assert re.findall(r"--hold (\w+) \(see attach --help\)\.", advice) == [recommended]
        for hold in MODES:
            assert "Hold mode:" not in attach("--hold", hold, typed="n\n").out

    def test_it_does_not_recommend_a_mode_for_a_gate_that_has_one(self, ungated: Scene) -> None:
        attached()
        assert "Hold mode:" not in attach().out
        assert "Hold mode:" in attach("--observe", "--dry-run").out
        attached("--hold", "wait")
        assert "Hold mode:" not in attach("--dry-run").out

    def test_it_warns_that_the_change_cancels_what_is_running(self, ungated: Scene) -> None:
        execution = ungated.start("k8s")
        caution = f"Caution: k8s is running (execution {execution[:8]}), and this change would"
        assert caution in attach("--dry-run").words
        assert attached().out.splitlines()[-2:] == [
            f"This change cancelled execution {execution[:8]} of k8s. To start k8s again:",
            "  aws codepipeline start-pipeline-execution --name k8s",
        ]
        assert ungated.statuses() == ["Cancelled"]
        assert "is running" not in attach("--dry-run", "--observe").words

    @pytest.mark.parametrize("hold", MODES)
    def test_it_names_the_pipelines_that_are_waiting_for_what_it_cancels(
        self, ungated: Scene, hold: str
    ) -> None:
        ungated.gated("apps", ask("k8s", pipeline="apps", hold=hold))
        ungated.gated("web", ask("infra", pipeline="web", hold=hold))
        start_all(ungated, "infra", "k8s", "apps", "web")
        ungated.wait(seconds=10)
        caution = "Caution: apps is waiting for k8s, and may continue when k8s is cancelled in the"
        assert caution in attach("--dry-run").words
        ungated.wait(minutes=15)
        assert "apps" not in attach("--dry-run").out

    def test_it_does_not_need_permission_to_name_them(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ungated.start("k8s")
        deny(monkeypatch, "events:ListRules")
        assert "Caution: k8s is running" in attach("--dry-run").words


class TestADeadlock:
    """Two pipelines that need each other to succeed first: the second attach warns of it."""

    def test_is_announced_and_happens(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.pipeline("k8s")
        words = ("attach", "infra", "--depends-on", "k8s", "--require", "succeeded", "--yes")
        assert run(*words).status == 0
        before = attach("--require", "succeeded", typed="y\n").out.partition("Change k8s?")[0]
        caution = "Caution: infra waits for k8s, which waits for infra. Each needs the next one"
        assert caution in " ".join(before.split())
        start_all(scene, "infra", "k8s")
        assert scene.gate_message().startswith("Deadlock: k8s waits for infra")

    def test_along_a_chain(self, scene: Scene) -> None:
        network, k8s = ({"pipeline": name, "require": "succeeded"} for name in ("network", "k8s"))
        scene.gated("infra", ask(network, pipeline="infra"))
        scene.gated("network", ask(k8s, "gone", pipeline="network"))
        scene.pipeline("k8s")
        words = ("--require", "succeeded", "--dry-run", "--json")
        (warning,) = attach(*words).json()["warnings"]
        chain = "infra waits for network, which waits for k8s, which waits for infra."
        assert warning.startswith(chain)

    def test_is_not_reported_if_they_take_turns_or_only_observe(self, scene: Scene) -> None:
        scene.gated("infra", ask("k8s", pipeline="infra", require="succeeded"))
        scene.pipeline("k8s")
        for words in ((), ("--require", "succeeded", "--observe")):
            assert "Caution" not in attach(*words, "--dry-run").out

    def test_a_pipeline_that_may_not_be_read_is_left_out(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        not_infra = {
            "Effect": "Deny",
            "Action": "codepipeline:GetPipeline",
            "Resource": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra",
        }
        act_as_person(monkeypatch, EVERYTHING, not_infra)
        assert attach("--dry-run").status == 0


class TestAnExistingGate:
    @pytest.fixture(autouse=True)
    def once(self, ungated: Scene) -> None:
        attached()

    def test_is_not_changed_by_the_same_command(self, ungated: Scene) -> None:
        result = attach()
        assert (result.status, result.out) == (0, DONE)
        assert declared(ungated)["version"] == 2

    def test_loses_a_setting_that_is_left_out(self, ungated: Scene) -> None:
        attached("--hold", "wait")
        assert parameters(ungated)["hold"] == "wait"
        lines = attached().out.splitlines()
        assert parameters(ungated) == ask()
        assert [line[0] for line in lines if '"UserParameters"' in line] == ["-", "+"]

    def test_is_moved_by_move(self, ungated: Scene) -> None:
        for words in (("--after", "Deploy", "--move", "Gate"), ()):
            attached(*words)
            assert stages(ungated) == ["Source", "Deploy", "Gate"]

    def test_stays_if_another_is_added(self, ungated: Scene) -> None:
        words = ("--after", "Deploy", "--hold", "retry")
        attached(*words)
        assert stages(ungated) == ["Source", "Gate", "Deploy", "Gate-2"]
        assert parameters(ungated) == ask()
        assert attach(*words).out.endswith(DONE)
        refuse("k8s has several gates (Gate/Wait and Gate-2/Wait). To say which one, add --after")
        assert run("detach", "k8s", "--after", "Deploy", "--yes").status == 0
        assert stages(ungated) == ["Source", "Gate", "Deploy"]

    def test_keeps_its_function(self, ungated: Scene) -> None:
        deploy("prod")
        assert attach().status == 0
        attached("--function", PROD_GATE)
        assert attach().out == DONE
        assert configuration(ungated)["FunctionName"] == PROD_GATE
        boto3.client("lambda").delete_function(FunctionName=PROD_GATE)
        assert f"{GATE}." in refuse(f"There is no function {PROD_GATE} in {REGION}")
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


class TestEverythingElseStays:
    @pytest.mark.parametrize("structure", [V2, V1], ids=["V2", "V1"])
    def test_in_the_structure(self, scene: Scene, structure: dict[str, Any]) -> None:
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
    def test_settings_that_this_boto3_does_not_know_are_not_lost(
        self, ungated: Scene, value: object
    ) -> None:
        kept = codepipeline_backends[ACCOUNT][REGION].pipelines["k8s"].pipeline
        kept["stages"][1]["actions"][0]["newThing"] = value
        for words in (("attach", "k8s", "--depends-on", "infra"), ("detach", "k8s")):
            complaint = run_refused(*words, "--yes")
            assert "would lose" in complaint
            assert "stages.actions.newThing. Nothing was changed." in complaint
        assert declared(ungated)["version"] == 1

    def test_a_change_by_someone_else_in_the_meantime(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def agreed(place: Place, question: str) -> bool:
            now = declared(ungated)
            now["executionMode"] = "QUEUED"
            ungated.codepipeline.update_pipeline(pipeline=now)
            return True

        monkeypatch.setattr(Place, "confirm", agreed)
        complaint = "Error: Someone else has changed k8s since this command read it. This command"
        assert run_refused("attach", "k8s", "--depends-on", "infra").startswith(complaint)
        assert (declared(ungated)["version"], declared(ungated)["executionMode"]) == (2, "QUEUED")


class TestDependsOn:
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
    def test_takes_names_arns_and_json(self, words: list[str], entries: list[object]) -> None:
        assert parse_entries(words) == entries

    @pytest.mark.parametrize(
        ("word", "text"),
        [
            (" , ", "--depends-on is empty. Name the pipelines to wait for."),
            ('{"pipeline": infra}', '--depends-on {"pipeline": infra} is not valid JSON'),
        ],
    )
    def test_refuses_an_invalid_entry(self, word: str, text: str) -> None:
        with pytest.raises(Refused) as error:
            parse_entries([word])
        assert error.value.message.startswith(text)

    def test_takes_several_pipelines_with_different_settings(self, ungated: Scene) -> None:
        ungated.staged("network", ("Plan", 5), ("Apply", 5))
        infra = {"pipeline": "infra", "require": "succeeded"}
        attached("--depends-on", "network/Apply", upstream=json.dumps(infra))
        network = {"pipeline": "network", "stage": "Apply"}
        assert parameters(ungated)["depends_on"] == [infra, network]
        ungated.start("k8s")
        ungated.wait(minutes=2)
        assert ungated.statuses() == ["Failed"]

    def test_a_single_stage_holds_only_until_the_upstream_leaves_it(self, ungated: Scene) -> None:
        result = attached(upstream="infra/Source")
        assert "From its next execution on, k8s waits for infra's stage Source." in result.words
        start_all(ungated, "infra", "k8s")
        assert "infra's stage Source does not count" in ungated.gate_message()

    def test_another_region(self, ungated: Scene) -> None:
        Scene(ungated.world, OTHER_REGION).pipeline("infra")
        arn = f"arn:aws:codepipeline:{OTHER_REGION}:{ACCOUNT}:infra"
        result = attached(upstream=f"{arn}/Deploy")
        assert f"k8s waits for infra ({OTHER_REGION})'s stage Deploy." in result.words
        assert parameters(ungated)["depends_on"] == [{"pipeline": arn, "stage": "Deploy"}]

    def test_another_account_requires_a_role(self, ungated: Scene) -> None:
        arn = f"arn:aws:codepipeline:{REGION}:210987654321:infra"
        refuse(
            f"infra is in account 210987654321, but the gate is in {ACCOUNT}. Add a role_arn",
            upstream=arn,
        )
        entry = {"pipeline": arn, "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look"}
        attached(upstream=json.dumps(entry))
        assert parameters(ungated)["depends_on"] == [entry]

    def test_refuses_what_does_not_exist(self, ungated: Scene) -> None:
        ungated.staged("network", ("Plan", 5), ("Apply", 5))
        for word, text in {
            "infa": f"There is no pipeline infa in {REGION}; did you mean infra?",
            "zzz": f"There is no pipeline zzz in {REGION}; there are infra, k8s and network.",
            "NETWORK": f"There is no pipeline NETWORK in {REGION}; did you mean network? Names",
            "network/apply": "network has no stage apply; it has Source, Plan and Apply. Names",
            "network/Aply": "network has no stage Aply; it has Source, Plan and Apply.",
            "network/": "stage must be the name of one of the upstream's stages",
            f"arn:aws:codepipeline:{OTHER_REGION}:{ACCOUNT}:infra": "There is no pipeline infra in "
            f"{OTHER_REGION}, nor any other. Is this the right region",
            "k8s": "k8s depends on itself",
            f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:k8s": "k8s depends on itself",
            "two words": 'depends_on has "two words", which is not a pipeline\'s name',
            " , ": "--depends-on is empty.",
            '{"pipelin": "infra"}': 'An entry of depends_on has an unknown key "pipelin".',
            '{"pipeline": "infra", "require": "green"}': 'require is "green", but must be one of',
        }.items():
            refuse(text, upstream=word)
        assert declared(ungated)["version"] == 1


class TestImpossibleRequests:
    def test_are_refused_in_a_sentence(self, ungated: Scene) -> None:
        for words, text in {
            ("--after", "source"): "k8s has no stage source; it has Source and Deploy.",
            ("--move", "Gate"): "--move moves a gate after another stage. Add --after and that",
            ("--on-give-up", "stop"): "on_give_up says what happens after give_up_minutes, which",
            ("--function", PROD_GATE): f"There is no function {PROD_GATE} in {REGION}",
        }.items():
            refuse(text, *words)
        assert "pipeline-gate-STAGE-gate" in refuse("other is no", "--function", "other")
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
            ("on-give-up", ON_GIVE_UP),
            ("revisions", REVISIONS),
            ("parked", PARKED),
        ):
            _, _, after = output.partition(f"--{option} [{'|'.join(values)}]")
            text = after.partition("[default: ")[0]
            assert text
            assert all(f"{value}: " in text for value in values)
        explanation = output.partition("How an execution is held (--hold): ")[2]
        assert re.findall(r"(restart|retry|wait) +It ", explanation) == list(MODES)

    def test_a_region_without_a_gate(self, ungated: Scene) -> None:
        other = Scene(ungated.world, OTHER_REGION)
        other.pipeline("infra")
        other.pipeline("k8s")
        refuse(f"No gate is deployed in {OTHER_REGION}.", "--region", OTHER_REGION)

    def test_several_gates_deployed(self, ungated: Scene) -> None:
        deploy("prod")
        complaint = refuse(f"Several gates are deployed in {REGION}")
        assert "--function" in complaint
        assert f"{GATE} or {PROD_GATE}" in complaint

    def test_a_gate_whose_rules_would_have_names_that_are_too_long(self, ungated: Scene) -> None:
        long = f"pipeline-gate-{'s' * 14}-gate"
        text = f"{long} can"
        deploy("s" * 14)
        refuse(text, "--function", long)
        boto3.client("lambda").delete_function(FunctionName=GATE)
        refuse(text)
        assert declared(ungated)["version"] == 1

    def test_a_named_function_is_used_even_if_functions_may_not_be_listed(
        self, ungated: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actions = ["codepipeline:*", "iam:PassRole"]
        act_as_person(monkeypatch, {"Effect": "Allow", "Action": actions, "Resource": "*"})
        assert attach("--yes").status == 254
        caution = rf"Caution: [^.]* function {GATE} [^.]*: AWS denied lambda:ListFunctions"
        assert re.search(caution, attached("--function", GATE).words)
        assert declared(ungated)["version"] == 2
