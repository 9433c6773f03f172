"""`gatectl check`: what is wrong with the gates, before they run into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.account.pipeline import Pipeline
from chalicelib.errors import NotPermitted
from gatectl.check import list_findings
from gatectl.doctor.evidence import DoctorEvidence
from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.scene import Scene
from tests.support.structures import gate, pipeline, stage

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"
GATE_OF_K8S = "pipeline k8s, stage Gate, action Wait"
Row = tuple[str, str, str]
"""Kind, severity and place of a finding."""


def arn(name: str) -> str:
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def check(*words: str) -> list[Row]:
    return [
        (finding["kind"], finding["severity"], finding["where"])
        for finding in run("check", "--json", *words).json()["findings"]
    ]


def find(**gates: list[dict[str, Any]]) -> dict[Row, str]:
    """The findings, and what they say, in pipelines of these names with a stage of these gates."""
    pipelines = {
        name: Pipeline.parse({**pipeline(stage("Gate", *actions), stage("Deploy")), "name": name})
        for name, actions in gates.items()
    }
    findings = list_findings(
        DoctorEvidence(datetime.now(UTC), "aws", REGION, "", pipelines=pipelines)
    )
    return {
        (finding.kind, finding.severity, finding.where): finding.problem
        for finding in findings
        if finding.kind != "no-upstream"
    }


def wait_for(*upstreams: Any, name: str = "Wait", **settings: Any) -> dict[str, Any]:
    return gate(name, json.dumps(ask(*upstreams, **settings)))


def test_where_nothing_is_wrong_it_says_so(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    result = run("check")
    assert result.status == 0
    assert result.out == "Nothing is wrong: 1 gated pipeline in eu-central-1.\n"


def test_where_nothing_is_gated_it_does_not_say_that_nothing_is_wrong(scene: Scene) -> None:
    result = run("check")
    assert (result.status, result.out) == (
        0,
        "No pipeline in eu-central-1 has a gate, so there is nothing to check.\n",
    )
    scene.pipeline("infra")
    assert run("check").out == result.out


class TestWhatTheGateWouldRefuse:
    def test_a_wrong_parameter(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        result = run("check")
        assert result.status == 1
        assert f"error  {GATE_OF_K8S}" in result.out
        assert message in result.words
        assert result.words.endswith("1 error: 1 gated pipeline in eu-central-1.")

    @pytest.mark.parametrize(
        "upstream",
        [
            {"pipeline": "infra", "stage": "Deplyo"},
            arn("k8s"),
            "arn:aws:codepipeline:eu-central-1:210987654321:infra",
        ],
    )
    def test_a_wrong_upstream_in_the_gates_own_words(self, scene: Scene, upstream: Any) -> None:
        scene.pipeline("infra")
        _, message = scene.refusal(ask(upstream))
        assert message in run("check").words

    def test_an_unknown_upstream(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infar"))
        result = run("check")
        assert result.status == 1
        assert "There is no pipeline infar in eu-central-1; did you mean infra?" in result.words

    def test_an_upstream_that_is_not_in_the_other_region(self, scene: Scene) -> None:
        scene.gated("k8s", ask(DNS))
        assert "There is no pipeline dns in us-east-1." in run("check").words
        Scene(scene.world, region="us-east-1").pipeline("dns")
        assert run("check").status == 0

    def test_one_that_only_observes_stops_nothing(self, scene: Scene) -> None:
        scene.gated("k8s", ask("infra", observe=True))
        assert check() == [("no-upstream", "warning", GATE_OF_K8S)]
        assert run("check").status == 0

    def test_a_function_that_is_not_deployed(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s()
        scene.awslambda.delete_function(FunctionName="pipeline-gate-dev-gate")
        assert check() == [("gate-not-deployed", "error", "function pipeline-gate-dev-gate")]

    def test_the_name_of_another_pipeline(self) -> None:
        assert list(find(k8s=[wait_for(pipeline="web")])) == [
            ("other-pipeline", "error", GATE_OF_K8S)
        ]


class TestWhatAHoldWouldTripOver:
    def test_a_caution_is_a_warning_and_counts_if_asked(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(mode="QUEUED")
        assert check() == [("caution", "warning", "pipeline k8s")]
        result = run("check")
        assert (result.status, "k8s is in QUEUED mode" in result.words) == (0, True)
        assert run("check", "--strict").status == 1

    def test_a_gate_that_does_not_say_whose_it_is_is_told_once(self) -> None:
        assert list(find(k8s=[gate(text="infra")])) == [("unnamed", "warning", GATE_OF_K8S)]


class TestCircles:
    """When it comes to a deadlock, test_circles.py plays."""

    @pytest.mark.parametrize(
        ("settings", "row"),
        [
            ({}, ("turns", "note", "pipelines a and b")),
            ({"hold": "wait"}, ("deadlock", "warning", "pipelines a and b")),
            ({"require": "succeeded"}, ("deadlock", "error", "pipelines a and b")),
        ],
    )
    def test_two_that_wait_for_each_other(self, settings: dict[str, str], row: Row) -> None:
        a, b = (wait_for("b", pipeline="a", **settings), wait_for("a", pipeline="b", **settings))
        assert list(find(a=[a], b=[b])) == [row]


class TestGatesOfOneStage:
    """They hold the same execution at the same time."""

    CONTRADICTION = ("contradiction", "warning", "pipeline k8s, stage Gate")

    def test_that_hold_in_different_ways(self) -> None:
        second = wait_for("network", name="Second", hold="wait")
        assert find(k8s=[wait_for(hold="retry"), second]) == {
            self.CONTRADICTION: "Its gates differ in hold: retry (Wait) and wait (Second)."
        }

    def test_that_ask_different_things_of_the_same_pipeline(self) -> None:
        infra = {"pipeline": "infra", "require": "succeeded"}
        second = wait_for(infra, name="Second", hold="retry")
        assert find(k8s=[wait_for(hold="retry"), second]) == {
            self.CONTRADICTION: "It waits for infra twice, and asks different things of it."
        }

    def test_of_several_deployments(self) -> None:
        second = wait_for("network", name="Second", hold="retry")
        second["configuration"]["FunctionName"] = "pipeline-gate-prod-gate"
        assert ("two-deployments", "error", "pipeline k8s, stage Gate") in find(
            k8s=[wait_for(hold="retry"), second]
        )

    def test_that_agree(self) -> None:
        second = wait_for("network", name="Second", hold="retry")
        assert find(k8s=[wait_for(hold="retry"), second]) == {}

    def test_gates_of_different_stages_may_differ(self) -> None:
        infra = {"pipeline": "infra", "require": "succeeded"}
        structure = pipeline(
            stage("Gate", wait_for(hold="wait")),
            stage("Again", wait_for(infra, hold="retry")),
            stage("Deploy"),
        )
        facts = DoctorEvidence(
            datetime.now(UTC),
            "aws",
            REGION,
            "",
            pipelines={
                "k8s": Pipeline.parse(structure),
                "infra": Pipeline.parse({**pipeline(), "name": "infra"}),
            },
        )
        assert list_findings(facts) == []


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
        result = run("check", "--lines", columns=80)
        assert result.status == 1
        lines = result.out.splitlines()
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
            raise NotPermitted("lambda:ListFunctions", "no")

        monkeypatch.setattr("gatectl.check.list_deployments", denied)
        result = run("check")
        assert result.status == 254
        assert (
            "not looked at which functions are deployed AWS denied lambda:ListFunctions (no)."
            in result.words
        )
        assert result.words.endswith(
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
        result = run("check", *words)
        assert (result.status, result.out) == (
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
        assert check(*files("infra", "k8s", "web")) == [
            ("no-upstream", "error", "pipeline k8s, stage Gate, action Wait"),
            ("caution", "warning", "pipeline k8s"),
            ("deadlock", "warning", "pipelines k8s and web"),
        ]

    def test_whom_no_file_has_is_said_and_no_fault(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.gated("k8s", ask("infra", DNS))
        result = run("check", *files("k8s"))
        untold = "Whether there is infra and dns (us-east-1), no file tells."
        assert (result.status, result.out) == (
            0,
            f"Nothing is wrong: 1 gated pipeline in these files. {untold}\n",
        )
        assert run("check", "--lines", *files("k8s")).out == f"not looked at: {untold}\n"

    def test_an_arn_of_this_region_is_the_files_own(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        """As check finds it when it asks AWS."""
        scene.gated("a", ask(arn("b"), pipeline="a", require="succeeded"))
        scene.gated("b", ask(arn("a"), pipeline="b", require="succeeded"))
        words = files("a", "b")
        assert (
            check()
            == check(*words)
            == check("--region", REGION, *words)
            == [("deadlock", "error", "pipelines a and b")]
        )
        result = run("check", *words)
        assert (
            result.status,
            "1 error: 2 gated pipelines in these files." in result.words,
            "no file tells" in result.words,
        ) == (1, True, False)
        assert check(*files("a")) == []
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
        scene.gated("a", ask(arn("b"), pipeline="a", require="succeeded"))
        scene.gated("b", ask(arn("a"), pipeline="b", require="succeeded"))
        words += tuple(files("a", "b"))
        for name in (
            "AWS_DEFAULT_REGION",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ):
            monkeypatch.delenv(name, raising=False)
        result = run("check", *words)
        assert (
            result.status,
            f"Whether there is b ({REGION}) and a ({REGION}), no file tells." in result.words,
        ) == (0, True)

    def test_what_the_gate_refuses_of_an_arn_is_check(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.gated("k8s", ask("arn:aws:codepipeline:us-east-1:210987654321:infra"))
        scene.gated("web", ask(arn("web"), pipeline="web"))
        assert check() == check(*files("k8s", "web"))
        assert [row[:2] for row in check()[:2]] == [("gate-refuses", "error")] * 2
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
        result = run("check", "--file", str(path))
        assert result.status == 252
        assert complaint in result.complaint
        assert (
            "Right is what `aws codepipeline get-pipeline --name NAME` prints." in result.complaint
        )

    def test_one_pipeline_twice(self, scene: Scene, files: Callable[..., list[str]]) -> None:
        scene.pipeline("infra")
        words = files("infra")
        result = run("check", *words, *words)
        assert (result.status, "another file has the pipeline infra, too" in result.complaint) == (
            252,
            True,
        )


def test_the_examples_pass() -> None:
    root = Path(__file__).parents[2] / "examples"
    files = ("--file", str(root / "infra.json"), "--file", str(root / "k8s.json"))
    assert run("check", "--strict", *files).status == 0
