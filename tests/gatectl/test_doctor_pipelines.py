"""What `gatectl doctor` says of the pipelines' gates and of what they wait for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from gatectl.findings.reading import Reading
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.condition import conditioned
from tests.support.deployment import findings, the_finding
from tests.support.scene import EXECUTION, Scene
from tests.test_docs import in_the_other_account

ELSEWHERE = "arn:aws:codepipeline:us-east-1:123456789012:infra"
THEIRS = "arn:aws:codepipeline:us-east-1:210987654321:infra"


def test_one_that_is_not_there_is_told_with_the_place_and_the_name_that_was_meant(
    sound: Scene,
) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", ask("infraa", "Infra", "infra"))
    said = run("doctor", columns=200)
    assert said.status == 1
    assert "error  pipeline k8s, stage Gate, action Wait" in said.out
    assert "There is no pipeline infraa in eu-central-1; did you mean infra?" in said.words
    assert "There is no pipeline Infra in eu-central-1; did you mean infra?" in said.words
    sound.start("k8s")  # and that is what the gate says, too
    assert sound.gate_action()["errorDetails"]["message"].startswith(
        "There is no pipeline infraa in account 123456789012"
    )


def test_a_stage_that_is_not_there(sound: Scene) -> None:
    sound.pipeline("infra")
    sound.gated(
        "k8s",
        ask({"pipeline": "infra", "stage": "Deploi"}, {"pipeline": "infra", "stage": "Deploy"}),
    )
    message = the_finding("no-upstream")["what"]
    sound.start("k8s")
    assert sound.gate_message() == message


def test_an_upstream_in_another_region_is_looked_for_there(sound: Scene) -> None:
    sound.gated("k8s", ask(ELSEWHERE))
    assert the_finding("no-upstream")["what"] == "There is no pipeline infra in us-east-1."
    Scene(sound.world, "us-east-1").pipeline("infra")
    assert findings() == []


def test_a_region_that_does_not_answer_keeps_nothing_else_from_being_seen(
    sound: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound.gated("k8s", ask(ELSEWHERE.replace("us-east-1", "us-nowhere-1"), "nowhere"))

    def silent(*_: object) -> None:
        raise EndpointConnectionError(
            endpoint_url="https://codepipeline.us-nowhere-1.amazonaws.com"
        )

    monkeypatch.setattr(Reading, "_stages", silent)
    assert the_finding("no-upstream")["what"] == "There is no pipeline nowhere in eu-central-1."
    (unseen,) = run("doctor", "--json").json()["not_looked_at"]
    assert unseen["why"] == "codepipeline:GetPipeline was not answered (EndpointConnectionError)"


def test_its_stage_too(sound: Scene) -> None:
    Scene(sound.world, "us-east-1").pipeline("infra")
    sound.gated("k8s", ask({"pipeline": ELSEWHERE, "stage": "Deploi"}))
    assert the_finding("no-upstream")["what"].startswith(
        "infra has no stage Deploi; it has Source and Deploy."
    )


def test_ones_own_region_may_be_named_by_an_arn(sound: Scene) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", ask("arn:aws:codepipeline:eu-central-1:123456789012:infra"))
    assert findings() == []
    sound.codepipeline.delete_pipeline(name="infra")
    assert the_finding("no-upstream")["what"] == "There is no pipeline infra in eu-central-1."


def test_nothing_is_said_of_pipelines_in_other_accounts(sound: Scene) -> None:
    """Their account's role lets the gate look, not whoever runs doctor."""
    sound.gated(
        "k8s",
        ask({"pipeline": THEIRS, "role_arn": "arn:aws:iam::210987654321:role/pipeline-gate-look"}),
    )
    assert findings() == []


@pytest.mark.parametrize(
    "asked",
    [
        {"depend_on": ["infra"]},
        {"depends_on": []},
        ask("infra", retry_minutes=7),
        ask("k8s"),
        ask("arn:aws:codepipeline:eu-central-1:123456789012:k8s"),
        ask(THEIRS),
    ],
)
def test_what_the_gate_would_refuse_is_told_in_its_words(
    sound: Scene, asked: dict[str, Any]
) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", asked)
    message = the_finding("gate-refuses")["what"]
    sound.start("k8s")
    assert sound.gate_message() == message


@pytest.mark.parametrize(
    "asked", [{"depends_on": ["nowhere"], "observe": True}, {"depends_on": [], "observe": True}]
)
def test_one_that_only_observes_stops_nobody(sound: Scene, asked: dict[str, Any]) -> None:
    sound.gated("k8s", {**asked, "pipeline": "k8s", "execution": EXECUTION})
    (found,) = findings()
    assert found["severity"] == "warning"
    assert found["means"].startswith("The gate only observes, so nothing is stopped")


def test_one_that_says_it_is_another_pipeline(sound: Scene) -> None:
    for name in ("infra", "apps"):
        sound.pipeline(name)
    sound.gated("k8s", {"depends_on": ["infra"], "pipeline": "apps", "execution": EXECUTION})
    found = the_finding("other-pipeline")
    assert found["what"] == 'It says "pipeline": "apps", which is another pipeline.'
    sound.start("infra")
    sound.start("k8s")
    assert sound.gate_action()["errorDetails"]["message"].startswith("apps has no execution ")


@pytest.mark.parametrize("asked", ["infra", {"depends_on": ["infra"], "pipeline": "k8s"}])
def test_one_that_does_not_say_whose_it_is(sound: Scene, asked: object) -> None:
    sound.pipeline("infra")
    sound.gated("k8s", asked)
    found = the_finding("unnamed")
    assert found["severity"] == "warning"
    assert found["how"] == f'Add "pipeline": "k8s", "execution": "{EXECUTION}" to UserParameters.'


def test_a_gate_in_a_condition_is_looked_at_too(sound: Scene) -> None:
    sound.pipeline("infra")
    conditioned(sound, depends_on=["nowhere"])
    found = the_finding("no-upstream")
    assert found["where"] == "pipeline k8s, stage Deploy, rule Wait"


# Nothing is wrong


def test_an_account_in_which_all_is_well(sound: Scene) -> None:
    """Holds of each kind go on, and gates of each kind are there."""
    sound.world.dials.continuation_seconds = 120
    Scene(sound.world, "us-east-1").pipeline("infra")
    in_the_other_account(sound, "us-east-1")
    sound.pipeline("infra", seconds=3600)
    sound.k8s()
    sound.gated(
        "apps",
        {**ask("k8s", {"pipeline": "infra", "stage": "Deploy"}, hold="retry"), "pipeline": "apps"},
    )
    sound.gated("dns", {**ask("infra", hold="wait", give_up_minutes=90), "pipeline": "dns"})
    sound.gated(
        "web",
        {**ask(ELSEWHERE, bypass="#{variables.bypass}"), "pipeline": "web"},
        variables=[{"name": "bypass", "defaultValue": "false"}],
    )
    sound.start("infra")
    for name in ("k8s", "apps", "dns", "web"):
        sound.start(name)
        assert findings() == [], name
    for _ in range(8):
        sound.wait(minutes=10)
        assert findings() == []
    assert sound.rules() == []
    assert {
        name: sound.statuses(name)[0] for name in ("k8s", "apps", "dns", "web")
    } == dict.fromkeys(("k8s", "apps", "dns", "web"), "Succeeded")
    said = run("doctor")
    assert said.status == 0
    assert said.words.startswith(
        "All is well in eu-central-1, account 123456789012: the gate is deployed as dev, 4 "
        "pipelines have it"
    )


def test_a_gate_without_parameters_is_told(sound: Scene) -> None:
    sound.gated("k8s", None)
    assert the_finding("gate-refuses")["what"].startswith("The action has no UserParameters.")
    assert json.loads(run("doctor", "--json").out)["not_looked_at"] == []
