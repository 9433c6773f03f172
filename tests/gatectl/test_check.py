"""`gatectl check`: problems of gates that show in the structures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.account.pipeline import Pipeline
from gatectl.check import list_findings
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.structure import Declaration
from sandbox.account import ACCOUNT, REGION
from tests.gatectl.conftest import Fail
from tests.support.ask import ask
from tests.support.cli import run
from tests.support.connections import connection_source, trigger
from tests.support.executions import NOON
from tests.support.refused import run_refused
from tests.support.scene import Scene
from tests.support.structures import gate, pipeline, stage

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"
GATE_OF_K8S = "pipeline k8s, stage Gate, action Wait"
STRICT = {"pipeline": "infra", "require": "succeeded"}
Row = tuple[str, str, str]
"""Kind, severity and place of a finding."""


def arn(name: str) -> str:
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def check(*words: str) -> list[Row]:
    return [
        (finding["kind"], finding["severity"], finding["where"])
        for finding in run("check", "--json", *words).json()["findings"]
    ]


def find_all(**pipelines: Declaration) -> dict[Row, str]:
    """Return the findings in pipelines of these names, with their problems."""
    parsed = {name: Pipeline.parse({**each, "name": name}) for name, each in pipelines.items()}
    evidence = DoctorEvidence(NOON, "aws", REGION, "", pipelines=parsed)
    return {
        (finding.kind, finding.severity, finding.where): finding.problem
        for finding in list_findings(evidence)
        if finding.kind != "no-upstream"
    }


def find(**gates: list[dict[str, Any]]) -> dict[Row, str]:
    """Return the findings in pipelines of these names, each with a stage of these gates."""
    return find_all(
        **{name: pipeline(stage("Gate", *each), stage("Deploy")) for name, each in gates.items()}
    )


def wait_for(*upstreams: Any, name: str = "Wait", **settings: Any) -> dict[str, Any]:
    return gate(name, json.dumps(ask(*upstreams, **settings)))


def test_no_problems(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s()
    result = run("check")
    assert (result.status, result.out) == (
        0,
        "No problems found: 1 gated pipeline in eu-central-1.\n",
    )


def test_without_gates_it_says_that_there_is_nothing_to_check(scene: Scene) -> None:
    result = run("check")
    assert result.status == 0
    assert result.out.startswith("No pipeline in eu-central-1 has a gate")
    scene.pipeline("infra")
    assert run("check").out == result.out


class TestRefusals:
    def test_a_wrong_parameter(self, scene: Scene) -> None:
        _, message = scene.refusal({"depend_on": ["infra"]})
        result = run("check")
        assert result.status == 1
        assert f"error  {GATE_OF_K8S}" in result.out
        assert message in result.words
        assert result.words.endswith("1 error: 1 gated pipeline in eu-central-1.")

    def test_an_unknown_upstream(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask("infar"))
        assert check() == [("no-upstream", "error", GATE_OF_K8S)]
        assert "did you mean infra?" in run("check").words

    def test_an_upstream_that_is_not_in_the_other_region(self, scene: Scene) -> None:
        scene.gated("k8s", ask(DNS))
        assert "There is no pipeline dns in us-east-1." in run("check").words
        Scene(scene.world, region="us-east-1").pipeline("dns")
        assert run("check").status == 0

    def test_a_gate_that_only_observes_gets_a_warning(self, scene: Scene) -> None:
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


class TestWarnings:
    def test_a_caution_is_a_warning_and_counts_with_strict(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.k8s(mode="QUEUED")
        assert check() == [("caution", "warning", "pipeline k8s")]
        result = run("check")
        assert (result.status, "k8s is in QUEUED mode" in result.words) == (0, True)
        assert run("check", "--strict").status == 1

    def test_what_a_restart_takes_is_a_note(self, scene: Scene) -> None:
        filters = [trigger(push=[{"tags": {"includes": ["v*"]}}])]
        scene.pipeline("infra")
        scene.k8s(sources=[connection_source()], triggers=filters)
        assert check() == [("restart", "note", "pipeline k8s")]
        result = run("check", "--strict")
        assert (result.status, "The triggers of k8s have filters." in result.words) == (0, True)
        said = run("attach", "k8s", "--depends-on", "infra", "--dry-run")
        assert "The triggers of k8s have filters." in said.words

    def test_a_gate_that_does_not_name_its_pipeline_gets_one_finding(self) -> None:
        assert list(find(k8s=[gate(text="infra")])) == [("unnamed", "warning", GATE_OF_K8S)]


class TestCycles:
    """test_cycles.py checks that these deadlocks really happen."""

    @pytest.mark.parametrize(
        ("settings", "row"),
        [
            ({}, ("turns", "note", "pipelines a and b")),
            ({"hold": "wait"}, ("turns", "note", "pipelines a and b")),
            ({"require": "succeeded"}, ("deadlock", "error", "pipelines a and b")),
        ],
    )
    def test_two_pipelines_that_wait_for_each_other(
        self, settings: dict[str, str], row: Row
    ) -> None:
        a, b = (wait_for("b", pipeline="a", **settings), wait_for("a", pipeline="b", **settings))
        assert list(find(a=[a], b=[b])) == [row]


class TestGatesOfOneStage:
    """They hold the same execution at the same time."""

    CONTRADICTION = ("contradiction", "warning", "pipeline k8s, stage Gate")

    @pytest.mark.parametrize(
        ("upstream", "hold", "problem"),
        [
            ("network", "retry", None),
            ("network", "wait", "Its gates differ in hold: retry (Wait) and wait (Second)."),
            (STRICT, "retry", "It waits for infra twice, with different conditions."),
        ],
    )
    def test_gates_that_agree_or_do_not(
        self, upstream: Any, hold: str, problem: str | None
    ) -> None:
        second = wait_for(upstream, name="Second", hold=hold)
        findings = find(k8s=[wait_for(hold="retry"), second])
        assert findings == ({self.CONTRADICTION: problem} if problem else {})

    def test_gates_of_several_deployments(self) -> None:
        second = wait_for("network", name="Second", hold="retry")
        second["configuration"]["FunctionName"] = "pipeline-gate-prod-gate"
        findings = find(k8s=[wait_for(hold="retry"), second])
        assert ("two-deployments", "error", "pipeline k8s, stage Gate") in findings

    def test_gates_of_different_stages_may_differ(self) -> None:
        stages = (
            stage("Gate", wait_for(hold="wait")),
            stage("Again", wait_for(STRICT, hold="retry")),
            stage("Deploy"),
        )
        assert find_all(k8s=pipeline(*stages), infra=pipeline()) == {}


class TestForCi:
    def test_lines_are_not_folded_without_a_terminal(self, scene: Scene) -> None:
        long, longer = "x" * 95, "y" * 100
        scene.gated(long, ask(longer, pipeline=long))
        head, text, blank, total = run("check", columns=None).out.splitlines()
        assert head == f"error  pipeline {long}, stage Gate, action Wait"
        assert (text[:3], text.rstrip(), blank) == ("  T", text, "")
        assert f"There is no pipeline {longer} in eu-central-1." in text
        assert total == "1 error: 1 gated pipeline in eu-central-1."

    def test_each_finding_is_on_one_line_however_long(self, scene: Scene) -> None:
        scene.gated("k8s", ask("infra"))
        scene.gated("web", {"depend_on": ["infra"]})
        result = run("check", "--lines", columns=80)
        assert result.status == 1
        lines = result.out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["error", "error"]
        assert lines[0].startswith(f"error: {GATE_OF_K8S}: There is no pipeline infra in")
        assert lines[0].endswith("[no-upstream]")

    def test_a_denied_check_is_named_and_is_not_a_success(self, scene: Scene, fail: Fail) -> None:
        scene.pipeline("infra")
        scene.k8s()
        fail("ListFunctions", "AccessDeniedException")
        result = run("check")
        assert result.status == 254
        denial = "AWS denied lambda:ListFunctions (not authorized)"
        assert f"not checked which functions are deployed {denial}" in result.words
        assert "No problems found, as far as could be checked" in result.words
        line = f"not checked: which functions are deployed: {denial}.\n"
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
        assert result.status == 0
        assert result.out == "No problems found: 1 gated pipeline in these files.\n"

    def test_it_finds_problems_in_the_files_alone(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.pipeline("infra")
        strict = {"pipeline": "k8s", "require": "succeeded"}
        scene.gated("k8s", ask({"pipeline": "infra", "stage": "Deplyo"}, "web"), mode="QUEUED")
        scene.gated("web", ask(strict, pipeline="web", hold="wait"))
        assert check(*files("infra", "k8s", "web")) == [
            ("no-upstream", "error", GATE_OF_K8S),
            ("caution", "warning", "pipeline k8s"),
            ("turns", "note", "pipelines k8s and web"),
        ]

    def test_an_upstream_in_no_file_is_not_checked(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.gated("k8s", ask("infra", DNS))
        result = run("check", *files("k8s"))
        gap = "the files do not say whether infra and dns (us-east-1) exist."
        assert result.status == 0
        summary = "No problems found: 1 gated pipeline in these files."
        assert result.words == f"{summary} Not checked: {gap}"
        assert run("check", "--lines", *files("k8s")).out == f"not checked: {gap}\n"

    @pytest.fixture
    def circle(self, scene: Scene, files: Callable[..., list[str]]) -> list[str]:
        """Write the files of two pipelines that wait for each other, and name each other by ARN."""
        scene.gated("a", ask(arn("b"), pipeline="a", require="succeeded"))
        scene.gated("b", ask(arn("a"), pipeline="b", require="succeeded"))
        return files("a", "b")

    def test_an_arn_of_this_region_refers_to_the_files(self, circle: list[str]) -> None:
        """The findings are the same as from AWS."""
        deadlock = [("deadlock", "error", "pipelines a and b")]
        assert check() == check(*circle) == check("--region", REGION, *circle) == deadlock
        result = run("check", *circle)
        assert result.status == 1
        assert "1 error: 2 gated pipelines in these files." in result.words
        assert "do not say" not in result.words
        assert check(*circle[:2]) == []
        assert (
            f"the files do not say whether b ({REGION}) exists." in run("check", *circle[:2]).words
        )

    @pytest.mark.parametrize("words", [("--region", "us-east-1"), ()])
    def test_an_arn_of_another_region_is_not(
        self, circle: list[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        """The same applies if no region is configured."""
        for name in ("DEFAULT_REGION", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            monkeypatch.delenv(f"AWS_{name}", raising=False)
        result = run("check", *words, *circle)
        assert result.status == 0
        assert f"do not say whether b ({REGION}) and a ({REGION}) exist." in result.words

    def test_arns_that_the_gate_would_refuse(
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
            ("[]", "is not a pipeline's structure: name, stages or actions are missing."),
            ('{"pipeline": {"name": "k8s"}}', "is not a pipeline's structure"),
            ('{"name": "k8s", "stages": [{"name": "Gate"}]}', "is not a pipeline's structure"),
        ],
    )
    def test_files_that_are_not_structures(self, tmp_path: Path, text: str, complaint: str) -> None:
        path = tmp_path / "k8s.json"
        path.write_text(text)
        words = run_refused("check", "--file", str(path))
        assert complaint in words
        assert "`aws codepipeline get-pipeline --name NAME`" in words

    def test_the_same_pipeline_in_two_files(
        self, scene: Scene, files: Callable[..., list[str]]
    ) -> None:
        scene.pipeline("infra")
        words = files("infra")
        complaint = run_refused("check", *words, *words)
        assert "contains the pipeline infra, and so does another file." in complaint


def test_the_examples_pass() -> None:
    root = Path(__file__).parents[2] / "examples"
    files = ("--file", str(root / "infra.json"), "--file", str(root / "k8s.json"))
    assert run("check", "--strict", *files).status == 0
