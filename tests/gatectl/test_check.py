"""`gatectl check`: what is wrong with the gates, before they run into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.scene import Scene, gate_stage

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"


def own_arn(name: str) -> str:
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def found(*words: str) -> list[tuple[str, str, str]]:
    """Kind, severity and place of each finding."""
    return [
        (one["kind"], one["severity"], one["where"])
        for one in run("check", "--json", *words).json()["findings"]
    ]


def edit(scene: Scene, change: Callable[[Any], None], name: str = "k8s") -> None:
    declared: Any = scene.codepipeline.get_pipeline(name=name)["pipeline"]
    change(declared)
    scene.codepipeline.update_pipeline(pipeline=declared)


def test_where_nothing_is_wrong_it_says_so(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    said = run("check")
    assert (said.status, said.out) == (0, "Nothing is wrong: 1 gated pipeline in eu-central-1.\n")


def test_where_nothing_is_gated_it_does_not_say_that_nothing_is_wrong(scene: Scene) -> None:
    said = run("check")
    assert (said.status, said.out) == (
        0,
        "No pipeline in eu-central-1 has a gate, so there is nothing to check.\n",
    )
    scene.pipeline("infra")
    assert run("check").out == said.out


class TestWhatTheGateWouldRefuse:
    """Each is what the gate itself then says."""

    def test_a_wrong_parameter(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        said = run("check")
        assert said.status == 1
        assert "error  pipeline k8s, stage Gate, action Wait" in said.out
        assert message in said.words
        assert said.words.endswith("1 error: 1 gated pipeline in eu-central-1.")

    def test_an_unknown_upstream(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infar"))
        said = run("check")
        assert said.status == 1
        assert "There is no pipeline infar in eu-central-1; did you mean infra?" in said.words

    def test_an_unknown_stage_of_an_upstream(self, scene: Scene) -> None:
        scene.pipeline("infra")
        _, message = scene.refusal(ask({"pipeline": "infra", "stage": "Deplyo"}))
        assert message in run("check").words

    def test_itself_by_its_arn(self, scene: Scene) -> None:
        _, message = scene.refusal(ask("arn:aws:codepipeline:eu-central-1:123456789012:k8s"))
        assert message in run("check").words

    def test_another_account_without_a_role(self, scene: Scene) -> None:
        _, message = scene.refusal(ask("arn:aws:codepipeline:eu-central-1:210987654321:infra"))
        assert message in run("check").words

    def test_an_upstream_that_is_not_in_the_other_region(self, scene: Scene) -> None:
        scene.gated("k8s", ask(DNS))
        assert "There is no pipeline dns in us-east-1." in run("check").words
        Scene(scene.world, region="us-east-1").pipeline("dns")
        assert run("check").status == 0

    def test_one_that_only_observes_stops_nothing(self, scene: Scene) -> None:
        scene.gated("k8s", ask("infra", observe=True))
        assert found() == [("no-upstream", "warning", "pipeline k8s, stage Gate, action Wait")]
        assert run("check").status == 0

    def test_a_function_that_is_not_deployed(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.awslambda.delete_function(FunctionName="pipeline-gate-dev-gate")
        assert found() == [("gate-not-deployed", "error", "function pipeline-gate-dev-gate")]

    def test_the_name_of_another_pipeline(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infra", pipeline="web"))
        assert found() == [("other-pipeline", "error", "pipeline k8s, stage Gate, action Wait")]


class TestWhatAHoldWouldTripOver:
    def test_a_caution_is_a_warning_and_counts_if_asked(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(mode="QUEUED")
        assert found() == [("caution", "warning", "pipeline k8s")]
        said = run("check")
        assert (said.status, "k8s is in QUEUED mode" in said.words) == (0, True)
        assert run("check", "--strict").status == 1

    def test_a_gate_that_does_not_say_whose_it_is_is_told_once(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", "infra")
        assert found() == [("unnamed", "warning", "pipeline k8s, stage Gate, action Wait")]


class TestCircles:
    """When it comes to a deadlock, test_circles.py plays."""

    def two(self, scene: Scene, **more: str) -> None:
        scene.gated("a", ask("b", pipeline="a", **more))
        scene.gated("b", ask("a", pipeline="b", **more))

    def test_taking_turns_is_a_note(self, scene: Scene) -> None:
        self.two(scene)
        assert found("--strict") == [("turns", "note", "pipelines a and b")]
        assert run("check", "--strict").status == 0

    def test_what_may_come_to_a_deadlock_is_a_warning(self, scene: Scene) -> None:
        self.two(scene, hold="wait")
        assert found() == [("deadlock", "warning", "pipelines a and b")]

    def test_what_ends_in_one_after_any_failure_is_an_error(self, scene: Scene) -> None:
        self.two(scene, require="succeeded")
        assert found() == [("deadlock", "error", "pipelines a and b")]
        assert run("check").status == 1

    @pytest.mark.parametrize(
        ("length", "noted"), [(10, []), (11, [("long-chain", "note", "pipeline p11")])]
    )
    def test_a_chain_that_is_longer_than_a_gate_looks(
        self, scene: Scene, length: int, noted: list[Any]
    ) -> None:
        scene.pipeline("p00")
        for number in range(1, length + 1):
            scene.gated(f"p{number:02}", ask(f"p{number - 1:02}", pipeline=f"p{number:02}"))
        assert found() == noted


class TestGatesOfOneStage:
    """They hold the same execution at the same time."""

    def both(self, scene: Scene, first: object, second: object, **more: Any) -> None:
        for name in ("infra", "network"):
            scene.pipeline(name)
        scene.gated("k8s", first)
        action = {**gate_stage(second)["actions"][0], "name": "Second"}
        action["configuration"] |= more
        edit(scene, lambda declared: declared["stages"][1]["actions"].append(action))

    def test_that_hold_in_different_ways(self, scene: Scene) -> None:
        self.both(scene, ask("infra", hold="retry"), ask("network", hold="wait"))
        assert found() == [("contradiction", "warning", "pipeline k8s, stage Gate")]
        assert "Its gates differ in hold: retry (Wait) and wait (Second)." in run("check").words

    def test_that_ask_different_things_of_the_same_pipeline(self, scene: Scene) -> None:
        wanted = {"pipeline": "infra", "require": "succeeded"}
        self.both(scene, ask("infra", hold="retry"), ask(wanted, hold="retry"))
        assert "It waits for infra twice, and asks different things of it." in run("check").words

    def test_of_several_deployments(self, scene: Scene) -> None:
        self.both(
            scene,
            ask("infra", hold="retry"),
            ask("network", hold="retry"),
            FunctionName="pipeline-gate-prod-gate",
        )
        assert ("two-deployments", "error", "pipeline k8s, stage Gate") in found()

    def test_that_agree(self, scene: Scene) -> None:
        self.both(scene, ask("infra", hold="retry"), ask("network", hold="retry"))
        assert found() == []

    def test_gates_of_different_stages_may_differ(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infra", hold="wait"))
        later = gate_stage(
            ask({"pipeline": "infra", "require": "succeeded"}, hold="retry"), "Again"
        )
        edit(scene, lambda declared: declared["stages"].insert(2, later))
        assert found() == []


class TestForCi:
    def test_no_name_is_folded_where_no_terminal_reads(self, scene: Scene) -> None:
        long, longer = "x" * 95, "y" * 100
        scene.gated(long, ask(longer, pipeline=long))
        head, text, blank, total = run("check", columns=None).out.splitlines()
        assert head == f"error  pipeline {long}, stage Gate, action Wait"
        assert (text[:3], text.rstrip(), blank) == ("  T", text, "")
        assert f"There is no pipeline {longer} in eu-central-1." in text
        assert total == "1 error: 1 gated pipeline in eu-central-1."

    def test_a_line_for_each_finding_however_long(self, scene: Scene) -> None:
        scene.gated("k8s", ask("infra"))
        scene.gated("web", {"depend_on": ["infra"]})
        said = run("check", "--lines", columns=80)
        assert said.status == 1
        lines = said.out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["error", "error"]
        assert lines[0].startswith(
            "error: pipeline k8s, stage Gate, action Wait: There is no pipeline infra in "
            "eu-central-1"
        )
        assert lines[0].endswith("[no-upstream]")

    def test_what_is_denied_is_named_and_is_no_success(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.pipeline("infra")
        scene.k8s()

        def denied(_: object) -> None:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListFunctions"
            )

        monkeypatch.setattr("gatectl.check.deployed", denied)
        said = run("check")
        assert said.status == 254
        assert (
            "not looked at which functions are deployed AWS denied lambda:ListFunctions (no)."
            in said.words
        )
        assert said.words.endswith(
            "Nothing is wrong, as far as could be looked: 1 gated pipeline in eu-central-1."
        )
        line = (
            "not looked at: which functions are deployed: AWS denied lambda:ListFunctions (no).\n"
        )
        assert run("check", "--lines").out == line
        scene.gated("web", "infar")
        assert run("check").status == 1


class TestFromFiles:
    @pytest.fixture
    def files(self, scene: Scene, tmp_path: Path) -> Callable[..., list[str]]:
        def written(*names: str) -> list[str]:
            words = []
            for name in names:
                path = tmp_path / f"{name}.json"
                path.write_text(json.dumps(scene.codepipeline.get_pipeline(name=name), default=str))
                words += ["--file", str(path)]
            return words

        return written

    def test_without_region_and_credentials(
        self, scene: Scene, files: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.pipeline("infra")
        scene.k8s()
        words = files("infra", "k8s")
        for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_PROFILE", "of-another-machine")
        said = run("check", *words)
        assert (said.status, said.out) == (
            0,
            "Nothing is wrong: 1 gated pipeline in these files.\n",
        )

    def test_it_finds_what_the_files_alone_tell(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask({"pipeline": "infra", "stage": "Deplyo"}, "web"), mode="QUEUED")
        scene.gated(
            "web", ask({"pipeline": "k8s", "require": "succeeded"}, pipeline="web", hold="wait")
        )
        assert found(*files("infra", "k8s", "web")) == [
            ("no-upstream", "error", "pipeline k8s, stage Gate, action Wait"),
            ("caution", "warning", "pipeline k8s"),
            ("deadlock", "warning", "pipelines k8s and web"),
        ]

    def test_whom_no_file_has_is_said_and_no_fault(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.gated("k8s", ask("infra", DNS))
        said = run("check", *files("k8s"))
        untold = "Whether there is infra and dns (us-east-1), no file tells."
        assert (said.status, said.out) == (
            0,
            f"Nothing is wrong: 1 gated pipeline in these files. {untold}\n",
        )
        assert run("check", "--lines", *files("k8s")).out == f"not looked at: {untold}\n"

    def test_an_arn_of_this_region_is_the_files_own(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        """As check finds it when it asks AWS."""
        scene.gated("a", ask(own_arn("b"), pipeline="a", require="succeeded"))
        scene.gated("b", ask(own_arn("a"), pipeline="b", require="succeeded"))
        words = files("a", "b")
        assert (
            found()
            == found(*words)
            == found("--region", REGION, *words)
            == [("deadlock", "error", "pipelines a and b")]
        )
        said = run("check", *words)
        assert (
            said.status,
            "1 error: 2 gated pipelines in these files." in said.words,
            "no file tells" in said.words,
        ) == (1, True, False)
        assert found(*files("a")) == []
        assert f"Whether there is b ({REGION}), no file tells." in run("check", *files("a")).words

    @pytest.mark.parametrize("words", [("--region", "us-east-1"), ()])
    def test_an_arn_of_another_region_is_not(
        self,
        scene: Scene,
        files: Callable[..., list[str]],
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
    ) -> None:
        """Nor is one where nobody says of which region the files are."""
        scene.gated("a", ask(own_arn("b"), pipeline="a", require="succeeded"))
        scene.gated("b", ask(own_arn("a"), pipeline="b", require="succeeded"))
        words += tuple(files("a", "b"))
        for name in (
            "AWS_DEFAULT_REGION",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ):
            monkeypatch.delenv(name, raising=False)
        said = run("check", *words)
        assert (
            said.status,
            f"Whether there is b ({REGION}) and a ({REGION}), no file tells." in said.words,
        ) == (0, True)

    def test_what_the_gate_refuses_of_an_arn_is_found(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.gated("k8s", ask("arn:aws:codepipeline:us-east-1:210987654321:infra"))
        scene.gated("web", ask(own_arn("web"), pipeline="web"))
        assert found() == found(*files("k8s", "web"))
        assert [one[:2] for one in found()[:2]] == [("gate-refuses", "error")] * 2
        assert "web depends on itself" in run("check", *files("web")).words

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("{", "is not valid JSON (Expecting property name"),
            ("[]", "is no pipeline's structure: name, stages or their actions are missing."),
            ('{"pipeline": {"name": "k8s"}}', "is no pipeline's structure"),
            ('{"name": "k8s", "stages": [{"name": "Gate"}]}', "is no pipeline's structure"),
        ],
    )
    def test_what_is_no_structure(self, tmp_path: Path, text: str, complaint: str) -> None:
        path = tmp_path / "k8s.json"
        path.write_text(text)
        said = run("check", "--file", str(path))
        assert said.status == 252
        assert complaint in said.complaint
        assert "Right is what `aws codepipeline get-pipeline --name NAME` prints." in said.complaint

    def test_one_pipeline_twice(self, scene: Scene, files: Callable[..., list[str]]) -> None:
        scene.pipeline("infra")
        words = files("infra")
        said = run("check", *words, *words)
        assert (said.status, "another file has the pipeline infra, too" in said.complaint) == (
            252,
            True,
        )


def test_the_examples_pass() -> None:
    root = Path(__file__).parents[2] / "examples"
    assert (
        run(
            "check",
            "--strict",
            "--file",
            str(root / "infra.json"),
            "--file",
            str(root / "k8s.json"),
        ).status
        == 0
    )
