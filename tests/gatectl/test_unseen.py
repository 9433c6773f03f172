"""Pipelines that the caller may not look at: all others are shown, and these named."""

from __future__ import annotations

from typing import Any

import pytest

from gatectl.session import AWS_REFUSED
from sandbox.account import ACCOUNT
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.explaining import EVERYTHING
from tests.support.held import hold_k8s, start_all
from tests.support.refused import run_refused
from tests.support.scene import Scene
from tests.support.somebody import as_somebody

NOTE = "not looked at: secret (codepipeline:GetPipeline was denied)"


def closed(*names: str) -> dict[str, Any]:
    arns = [f"arn:aws:codepipeline:*:{ACCOUNT}:{name}" for name in names]
    return {"Effect": "Deny", "Action": "codepipeline:*", "Resource": arns}


@pytest.fixture
def held(sound: Scene) -> Scene:
    """infra runs, and k8s waits for it; there is also a pipeline with the name of `secret`."""
    sound.pipeline("secret")
    hold_k8s(sound, seconds=3600, minutes=0)
    return sound


@pytest.fixture
def secret(held: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    as_somebody(monkeypatch, EVERYTHING, closed("secret"))
    return held


@pytest.mark.usefixtures("secret")
def test_holds_shows_the_others_and_says_what_it_did_not_look_at() -> None:
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


def test_release_lets_go_another(secret: Scene) -> None:
    said = run("release", "k8s", "--yes")
    assert (said.status, said.err) == (0, f"{NOTE}\n")
    secret.wait(minutes=2)
    assert secret.statuses() == ["Succeeded"]


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("command", ["check", "doctor"])
def test_the_others_are_checked_and_the_exit_status_says_that_not_all_were(command: str) -> None:
    said = run(command)
    assert said.status == 254, said.out
    assert "not looked at the pipeline secret codepipeline:GetPipeline was denied." in said.words
    (gap,) = run(command, "--json").json()["not_looked_at"]
    assert gap["what"] == "the pipeline secret"


class TestOneThatOthersWaitFor:
    @pytest.fixture(autouse=True)
    def held(self, sound: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """secret, which waits itself, is what k8s waits for."""
        sound.pipeline("infra", seconds=3600)
        sound.gated("secret", ask("infra", pipeline="secret"), seconds=3600)
        sound.k8s("secret")
        start_all(sound, "infra", "secret")
        as_somebody(monkeypatch, EVERYTHING, closed("secret"))

    def test_it_is_there(self) -> None:
        said = run("check")
        assert (said.status, "There is no pipeline" in said.out) == (254, False), said.out
        for flags in ([], ["--no-state"]):
            said = run("graph", *flags)
            assert ("Unknown" in said.out, said.err) == (False, f"{NOTE}\n"), said.out

    def test_its_own_hold_is_told_as_its_rule_tells_it(self) -> None:
        said = run("holds")
        assert "Nobody waits any more" not in said.out
        assert said.out.splitlines()[1].split()[:2] == ["secret", "infra"]


@pytest.mark.usefixtures("held")
def test_how_one_stands_that_may_not_be_looked_at_is_not_guessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_somebody(monkeypatch, EVERYTHING, closed("infra"))
    assert "infra  may not be looked at" in run("graph").out


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("words", [["holds"], ["graph"], ["check"], ["release", "k8s"]])
def test_where_nothing_may_be_looked_at_it_is_an_error(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    names = {"Effect": "Allow", "Action": "codepipeline:ListPipelines", "Resource": "*"}
    as_somebody(monkeypatch, EVERYTHING, closed("*"), names)
    complaint = run_refused(*words, status=AWS_REFUSED)
    assert "AWS denied codepipeline:GetPipeline (" in complaint


def test_of_many_the_first_few_are_named(held: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"team-{letter}" for letter in "abcdefghijkl"]
    for name in names:
        held.pipeline(name)
    as_somebody(monkeypatch, EVERYTHING, closed("team-*"))
    (line,) = run("holds").err.splitlines()
    assert line.startswith("not looked at: team-a, team-b, ")
    assert " more (codepipeline:GetPipeline was denied)" in line
    (gap,) = run("check", "--json").json()["not_looked_at"]
    assert gap["what"].startswith("the pipelines team-a, ")
