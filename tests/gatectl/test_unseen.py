"""Pipelines that the caller may not read: the commands show all others, and name these."""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.session import AWS_REFUSED
from sandbox.account import ACCOUNT
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.explaining import EVERYTHING
from tests.support.held import hold_k8s, start_all
from tests.support.person import act_as_person
from tests.support.refused import run_refused
from tests.support.scene import Scene

NOTE = "not checked: secret (codepipeline:GetPipeline was denied)"


def closed(*names: str) -> dict[str, Any]:
    arns = [f"arn:aws:codepipeline:*:{ACCOUNT}:{name}" for name in names]
    return {"Effect": "Deny", "Action": "codepipeline:*", "Resource": arns}


@pytest.fixture
def held(sound: Scene) -> Scene:
    """infra is running, k8s is waiting for it, and there is also a pipeline named `secret`."""
    sound.pipeline("secret")
    hold_k8s(sound, seconds=3600, minutes=0)
    return sound


@pytest.fixture
def secret(held: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    act_as_person(monkeypatch, EVERYTHING, closed("secret"))
    return held


@pytest.mark.usefixtures("secret")
def test_holds_shows_the_others_and_names_what_it_did_not_check() -> None:
    said = run("holds")
    assert (said.status, said.err) == (0, f"{NOTE}\n")
    assert "k8s" in said.out
    said = run("holds", "--json")
    assert [hold["pipeline"] for hold in said.json()["holds"]] == ["k8s"]
    assert said.err == f"{NOTE}\n"


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("flags", [[], ["--no-state"], ["--format", "json"], ["--format", "dot"]])
def test_graph_shows_the_others(flags: list[str]) -> None:
    said = run("graph", *flags)
    assert (said.status, said.err) == (0, f"{NOTE}\n")
    assert "k8s" in said.out
    assert "secret" not in said.out


def test_release_works_for_another_pipeline(secret: Scene) -> None:
    said = run("release", "k8s", "--yes")
    assert (said.status, said.err) == (0, f"{NOTE}\n")
    secret.wait(minutes=2)
    assert secret.statuses() == ["Succeeded"]


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("command", ["check", "doctor"])
def test_the_others_are_checked_and_the_exit_status_shows_the_gap(command: str) -> None:
    said = run(command)
    assert said.status == 254, said.out
    assert "the pipeline secret codepipeline:GetPipeline was denied." in said.words
    (gap,) = run(command, "--json").json()["not_looked_at"]
    assert gap["what"] == "the pipeline secret"


class TestAnUpstreamThatMayNotBeRead:
    @pytest.fixture(autouse=True)
    def held(self, sound: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """k8s waits for secret, which is waiting for infra."""
        sound.pipeline("infra", seconds=3600)
        sound.gated("secret", ask("infra", pipeline="secret"), seconds=3600)
        sound.k8s("secret")
        start_all(sound, "infra", "secret")
        act_as_person(monkeypatch, EVERYTHING, closed("secret"))

    def test_it_is_not_reported_as_missing(self) -> None:
        said = run("check")
        assert (said.status, "There is no pipeline" in said.out) == (254, False), said.out
        for flags in ([], ["--no-state"]):
            said = run("graph", *flags)
            assert ("Unknown" in said.out, said.err) == (False, f"{NOTE}\n"), said.out

    def test_its_own_hold_is_read_from_the_rule(self) -> None:
        said = run("holds")
        assert said.out.splitlines()[1].split()[:2] == ["secret", "infra"]


@pytest.mark.usefixtures("held")
def test_its_state_is_not_guessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act_as_person(monkeypatch, EVERYTHING, closed("infra"))
    assert "infra  not checked: access denied" in run("graph").out


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    "words", [["holds"], ["graph"], ["check"], ["release", "k8s"], ["cancel", "k8s"]]
)
def test_it_is_an_error_if_no_pipeline_may_be_read(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    names = {"Effect": "Allow", "Action": "codepipeline:ListPipelines", "Resource": "*"}
    act_as_person(monkeypatch, EVERYTHING, closed("*"), names)
    complaint = run_refused(*words, status=AWS_REFUSED)
    assert "AWS denied codepipeline:GetPipeline (" in complaint


def test_only_the_first_few_are_named(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"team-{letter}" for letter in "abcdefghijkl"]
    for name in names:
        held.pipeline(name)
    act_as_person(monkeypatch, EVERYTHING, closed("team-*"))
    (line,) = run("holds").err.splitlines()
    assert line.startswith("not checked: team-a, team-b, ")
    assert " more (codepipeline:GetPipeline was denied)" in line
    (gap,) = run("check", "--json").json()["not_looked_at"]
    assert gap["what"].startswith("the pipelines team-a, ")
