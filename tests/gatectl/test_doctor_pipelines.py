"""What `gatectl doctor` finds about the pipelines' gates and their upstreams."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.account.pipeline import Pipeline
from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import NoAnswer
from gatectl.doctor import pipelines
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from sandbox.account import ACCOUNT
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.declared import gated
from tests.support.deployment import findings, list_kinds, name_the_gate, the_finding
from tests.support.held import start_all
from tests.support.scene import EXECUTION, GATE, Scene

ELSEWHERE = f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:infra"
THEIRS = "arn:aws:codepipeline:us-east-1:210987654321:infra"


def check(evidence: DoctorEvidence, *changed: Pipeline, **changes: Any) -> list[Finding]:
    """Return the findings about the account's pipelines if it also has these."""
    added = {pipeline.name: pipeline for pipeline in changed}
    evidence = replace(evidence, pipelines={**(evidence.pipelines or {}), **added}, **changes)
    return list(pipelines.findings(evidence))


def test_an_upstream_that_does_not_exist(sound: Scene) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", ask("infraa", "Infra", "infra"))
    said = run("doctor", columns=200)
    assert said.status == 1
    assert "error  pipeline k8s, stage Gate, action Wait" in said.out
    assert "There is no pipeline infraa in eu-central-1; did you mean infra?" in said.words
    sound.start("k8s")  # and the gate says so too
    assert sound.gate_message().startswith("There is no pipeline infraa in account 123456789012")


def test_an_upstream_in_another_region(sound: Scene) -> None:
    sound.gated("k8s", ask(ELSEWHERE, {"pipeline": ELSEWHERE, "stage": "Deploi"}))
    problems = [finding["what"] for finding in findings()]
    assert problems == ["There is no pipeline infra in us-east-1."] * 2
    Scene(sound.world, "us-east-1").pipeline("infra")
    assert the_finding("no-upstream")["what"].startswith("infra has no stage Deploi; it has")


def test_if_a_region_does_not_answer_the_others_are_still_checked(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound.gated("k8s", ask(ELSEWHERE, "nowhere"))
    read_declaration = CodePipeline.read_declaration

    def read(client: CodePipeline, pipeline: str) -> Any:
        if client.region == "us-east-1":
            raise NoAnswer("codepipeline:GetPipeline was not answered")
        return read_declaration(client, pipeline)

    monkeypatch.setattr(CodePipeline, "read_declaration", read)
    answer = run("doctor", "--json").json()
    (finding,) = answer["findings"]
    assert finding["what"] == "There is no pipeline nowhere in eu-central-1."
    (gap,) = answer["not_looked_at"]
    assert gap["what"] == f"the pipeline {ELSEWHERE}"


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_a_correction_of_a_pipeline_with_a_connection_needs_one_more_right(
    evidence: DoctorEvidence, service: str
) -> None:
    pipeline = gated("k8s", ask("gone"))
    (finding,) = check(evidence, pipeline)
    assert "PassConnection" not in finding.how
    declared = copy.deepcopy(dict(pipeline.declared))
    arn = f"arn:aws:{service}:eu-central-1:{ACCOUNT}:connection/11111111"
    declared["stages"][0]["actions"] = [{"configuration": {"ConnectionArn": arn}}]
    (finding,) = check(evidence, replace(pipeline, declared=declared))
    right = f"To update k8s, you also need {service}:PassConnection on its connection."
    assert finding.how.endswith(right)


def test_an_upstream_in_this_region_may_be_named_by_its_arn(evidence: DoctorEvidence) -> None:
    arn = f"arn:aws:codepipeline:eu-central-1:{ACCOUNT}"
    assert check(evidence, gated("k8s", ask(f"{arn}:infra"))) == []
    (finding,) = check(evidence, gated("k8s", ask(f"{arn}:gone")))
    assert finding.kind == "no-upstream"
    assert finding.problem == "There is no pipeline gone in eu-central-1."


def test_pipelines_in_other_accounts_are_not_checked(evidence: DoctorEvidence) -> None:
    """The role in their account lets the gate read them, but not the caller."""
    theirs = {"pipeline": THEIRS, "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look"}
    assert check(evidence, gated("k8s", ask(theirs))) == []


def test_a_refusal_is_described_in_the_words_of_the_gate(sound: Scene) -> None:
    sound.pipeline("infra")
    refused: dict[str, Any] = {
        "a": {"depend_on": ["infra"]},
        "b": {"depends_on": []},
        "c": ask("infra", pipeline="c", retry_minutes=7),
        "d": ask("d", pipeline="d"),
        "e": ask(f"arn:aws:codepipeline:eu-central-1:{ACCOUNT}:e", pipeline="e"),
        "f": ask(THEIRS, pipeline="f"),
        "g": ask({"pipeline": "infra", "stage": "Deploi"}, pipeline="g"),
        "h": None,
    }
    for name, parameters in refused.items():
        sound.gated(name, parameters)
    described = findings()
    kinds = [finding["kind"] for finding in described]
    assert kinds == ["gate-refuses"] * 6 + ["no-upstream", "gate-refuses"]
    for name, finding in zip(refused, described, strict=True):
        assert finding["where"] == f"pipeline {name}, stage Gate, action Wait"
        sound.start(name)
        assert sound.gate_message(name) == finding["what"]


@pytest.mark.parametrize(
    "parameters", [ask("nowhere", observe=True), ask(observe=True) | {"depends_on": []}]
)
def test_a_gate_that_only_observes_gets_a_warning(
    evidence: DoctorEvidence, parameters: dict[str, Any]
) -> None:
    (finding,) = check(evidence, gated("k8s", parameters))
    assert finding.severity == "warning"
    assert finding.means.startswith("The gate only observes, so nothing is stopped")


def test_a_gate_that_names_another_pipeline(sound: Scene) -> None:
    for name in ("infra", "apps"):
        sound.pipeline(name)
    sound.gated("k8s", ask("infra", pipeline="apps"))
    finding = the_finding("other-pipeline")
    assert finding["what"] == 'Its "pipeline" is "apps", although it is in k8s.'
    start_all(sound, "infra", "k8s")
    assert sound.gate_message().startswith("This action is in the pipeline k8s, but")


@pytest.mark.parametrize("parameters", ["infra", {"depends_on": ["infra"], "pipeline": "k8s"}])
def test_a_gate_that_does_not_name_pipeline_and_execution(
    evidence: DoctorEvidence, parameters: object
) -> None:
    (finding,) = check(evidence, gated("k8s", parameters))
    assert (finding.kind, finding.severity) == ("unnamed", "warning")
    assert finding.how == f'Add "pipeline": "k8s", "execution": "{EXECUTION}" to UserParameters.'


def test_a_gate_in_a_condition_is_checked_too(sound: Scene) -> None:
    sound.pipeline("infra")
    conditioned(sound, depends_on=["nowhere"])
    assert the_finding("no-upstream")["where"] == "pipeline k8s, stage Deploy, rule Wait"


def test_a_gate_function_of_another_account_is_not_called_missing(evidence: DoctorEvidence) -> None:
    apps = gated("apps", ask("infra", pipeline="apps"))
    theirs = f"arn:aws:lambda:eu-central-1:210987654321:function:{GATE}"
    elsewhere = replace(apps.gates[0], function=theirs, deployed_as="theirs")
    (finding,) = check(evidence, replace(apps, gates=(elsewhere,)))
    assert (finding.kind, finding.severity) == ("gate-elsewhere", "note")
    assert finding.problem.endswith("it is in eu-central-1, account 210987654321.")
    assert finding.means.startswith("It was not checked")
    assert check(evidence, replace(apps, gates=(elsewhere,)), deployed=None) == []


def test_check_does_not_call_it_missing_either(sound: Scene) -> None:
    sound.pipeline("infra")
    sound.k8s()
    name_the_gate(sound, "k8s", f"arn:aws:lambda:eu-central-1:210987654321:function:{GATE}")
    said = run("check")
    assert said.status == 0, said.out
    assert "It was not checked" in said.words


def test_a_pipeline_that_may_not_be_read_is_not_called_missing(evidence: DoctorEvidence) -> None:
    secret = Pipeline("secret", unseen="codepipeline:GetPipeline was denied")
    assert check(evidence, secret, gated("k8s", ask("secret"))) == []
    assert list_kinds(check(evidence, gated("k8s", ask("secret")))) == ["no-upstream"]


# No problems


def test_an_account_without_problems(sound: Scene) -> None:
    """It has holds and gates of each kind."""
    sound.world.dials.continuation_seconds = 120
    Scene(sound.world, "us-east-1").pipeline("infra")
    sound.pipeline("infra", seconds=3600)
    sound.k8s()
    stage = {"pipeline": "infra", "stage": "Deploy"}
    sound.gated("apps", ask("k8s", stage, hold="retry", pipeline="apps"))
    sound.gated("dns", ask("infra", hold="wait", give_up_minutes=90, pipeline="dns"))
    sound.gated(
        "web",
        ask(ELSEWHERE, bypass="#{variables.bypass}", pipeline="web"),
        variables=[{"name": "bypass", "defaultValue": "false"}],
    )
    names = ("k8s", "apps", "dns", "web")
    start_all(sound, "infra", *names)
    assert findings() == []
    for _ in range(4):
        sound.wait(minutes=20)
        assert findings() == []
    assert sound.rules() == []
    assert [sound.statuses(name)[0] for name in names] == ["Succeeded"] * 4
    assert "4 pipelines have a gate, and no executions are held." in run("doctor").words
