"""What a restart sends to AWS: the held execution's own variables and revisions, if the pipeline
still has them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib import runtime
from chalicelib.aws.clients import Aws
from chalicelib.errors import PipelineNotFound
from chalicelib.holds.verdict import Verdict
from chalicelib.pipelines.execution import (
    Attempt,
    Execution,
    ExecutionDetail,
    Revision,
    SourceOutput,
)
from sandbox.inprocess import DrivenWorld
from tests.support.calls import Calls
from tests.support.scene import GATE, Scene

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VARIABLES = [{"name": "image", "defaultValue": "latest"}, {"name": "zone", "defaultValue": "a"}]


def pages(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> Aws:
    """AWS answers a listing page by page."""
    aws = Aws()

    def answer(_: str, request: dict[str, Any]) -> dict[str, Any]:
        number = int(request.get("nextToken", 0))
        return {
            **answers[number],
            **({"nextToken": str(number + 1)} if number + 1 < len(answers) else {}),
        }

    monkeypatch.setattr(aws.codepipeline._client, "_make_api_call", answer)
    return aws


def asked(aws: Aws, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> dict[str, Any]:
    """The request of CodePipeline.start."""
    requests: list[dict[str, Any]] = []

    def start_pipeline_execution(**request: Any) -> dict[str, str]:
        requests.append(request)
        return {"pipelineExecutionId": "the-new-one"}

    monkeypatch.setattr(
        aws.codepipeline._client, "start_pipeline_execution", start_pipeline_execution
    )
    assert aws.codepipeline.start_pipeline(*arguments) == "the-new-one"
    (request,) = requests
    return request


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("ECR", "IMAGE_DIGEST"),
        ("S3", "S3_OBJECT_VERSION_ID"),
        ("CodeCommit", "COMMIT_ID"),
        ("CodeStarSourceConnection", "COMMIT_ID"),
    ],
)
def test_a_revision_is_of_its_providers_kind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, provider: str, kind: str
) -> None:
    request = asked(Aws(), monkeypatch, "k8s", "token", {}, [Revision("Source", provider, "c1")])
    assert request == {
        "name": "k8s",
        "clientRequestToken": "token",
        "sourceRevisions": [{"actionName": "Source", "revisionType": kind, "revisionValue": "c1"}],
    }


def test_an_empty_variable_is_left_to_its_default(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(Aws(), monkeypatch, "k8s", "token", {"image": "v1", "zone": ""}, ())
    assert request == {
        "name": "k8s",
        "clientRequestToken": "token",
        "variables": [{"name": "image", "value": "v1"}],
    }


@pytest.mark.parametrize("variables", [None, [VARIABLES[0]]])
def test_what_was_edited_away_is_left_out(scene: Scene, variables: Any) -> None:
    aws = Aws()
    scene.k8s(mode="PARALLEL", **({"variables": variables} if variables else {}))
    revisions = [
        Revision("Source", "CodeCommit", "c" * 40),
        Revision("OldSource", "CodeCommit", "d" * 40),
    ]
    id_ = aws.codepipeline.start_pipeline("k8s", "token", {"image": "v1", "zone": "b"}, revisions)
    assert aws.codepipeline.read_execution("k8s", id_).variables == (
        {"image": "v1"} if variables else {}
    )
    scene.wait(seconds=3)
    (execution,) = scene.executions()
    assert [revision["revisionId"] for revision in execution["sourceRevisions"]] == ["c" * 40]


def test_a_pipeline_that_is_deleted_meanwhile_is_named(scene: Scene) -> None:
    aws = Aws()
    assert aws.codepipeline
    with Calls(aws) as calls:
        calls.fail("StartPipelineExecution", "ValidationException")
        with pytest.raises(PipelineNotFound, match=r"^k8s$"):
            aws.codepipeline.start_pipeline("k8s", "token", {}, ())
    assert calls.made == ["StartPipelineExecution", "GetPipeline"]


def test_an_execution_is_read_as_aws_tells_of_it(scene: Scene) -> None:
    scene.pipeline("infra", seconds=60, mode="QUEUED")
    id_ = scene.start("infra")
    (execution,) = Aws().codepipeline.list_executions("infra", datetime(2026, 11, 23, tzinfo=UTC))
    (told,) = scene.executions("infra")
    assert (execution.id, execution.status, execution.mode) == (id_, "InProgress", "QUEUED")
    assert (execution.started, execution.updated) == (told["startTime"], told["lastUpdateTime"])
    assert execution.started.tzinfo is UTC
    assert execution.updated.tzinfo is UTC
    assert execution.revisions == {"Source": told["sourceRevisions"][0]["revisionId"]}
    assert execution.started_by == told["trigger"]["triggerDetail"]


def test_an_attempt_is_read_as_aws_tells_of_it(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.start("infra")
    scene.k8s()
    gate, source = Aws().codepipeline.list_attempts("k8s", scene.start("k8s"))
    assert gate == Attempt(
        "Gate",
        "Wait",
        "Failed",
        gate.started,
        "Lambda",
        GATE,
        error="JobFailed",
        message=scene.gate_message(),
        verdict=Verdict.HELD,
        mark='pipeline-gate ["2026-11-23T12:00:12+00:00"]',
        execution=scene.executions()[0]["pipelineExecutionId"],
    )
    commit = scene.executions()[0]["sourceRevisions"][0]["revisionId"]
    assert source == Attempt(
        "Source",
        "Source",
        "Succeeded",
        source.started,
        "CodeCommit",
        mark=commit,
        execution=gate.execution,
        source=SourceOutput(branch="main"),
    )
    assert gate.started.tzinfo is UTC


def test_only_the_executions_own_attempts_are_read(scene: Scene) -> None:
    scene.pipeline("k8s", seconds=1)
    first, _ = scene.start("k8s"), scene.start("k8s")
    assert [attempt.action for attempt in Aws().codepipeline.list_attempts("k8s", first)] == [
        "Deploy",
        "Source",
    ]


@pytest.mark.parametrize(
    "given", [{}, {"input": {}}, {"input": {"actionTypeId": {}, "configuration": {}}}]
)
def test_an_attempt_of_which_aws_tells_little(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    detail = {
        "stageName": "Build",
        "actionName": "Test",
        "status": "InProgress",
        "startTime": NOON,
        **given,
    }
    assert pages(monkeypatch, {"actionExecutionDetails": [detail]}).codepipeline.list_attempts(
        "k8s", "x"
    ) == (Attempt("Build", "Test", "InProgress", NOON, "", ""),)


@pytest.mark.parametrize("given", [{}, {"trigger": {}, "sourceRevisions": []}])
def test_an_execution_of_which_aws_tells_little(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    summary = {
        "pipelineExecutionId": "x",
        "status": "Failed",
        "startTime": NOON,
        "lastUpdateTime": NOON,
        **given,
    }
    assert pages(
        monkeypatch, {"pipelineExecutionSummaries": [summary]}
    ).codepipeline.list_executions("k8s", NOON) == (
        Execution("x", "Failed", NOON, NOON, "SUPERSEDED", {}, ""),
    )


def summaries(ids: str) -> dict[str, Any]:
    times = {"startTime": NOON, "lastUpdateTime": NOON}
    return {
        "pipelineExecutionSummaries": [
            {"pipelineExecutionId": id_, "status": "Failed", **times} for id_ in ids
        ]
    }


def test_the_history_is_read_as_far_as_the_held_execution(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = pages(monkeypatch, *(summaries(ids) for ids in ("ab", "cd", "ef")))
    read = aws.codepipeline.list_executions("k8s", since=NOON - timedelta(days=14), until="c")
    assert "".join(execution.id for execution in read) == "abcd"


def test_the_history_is_read_until_an_execution_began_before_the_time_that_matters(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = pages(monkeypatch, *(summaries(ids) for ids in ("ab", "cd")))
    assert len(aws.codepipeline.list_executions("k8s", since=NOON)) == 4
    assert len(aws.codepipeline.list_executions("k8s", since=NOON + timedelta(seconds=1))) == 2


def test_an_execution_without_variables_has_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Aws()
    answer = {"pipelineExecution": {"status": "InProgress"}}
    monkeypatch.setattr(aws.codepipeline._client, "get_pipeline_execution", lambda **_: answer)
    assert aws.codepipeline.read_execution("k8s", "x") == ExecutionDetail("InProgress", {})


@pytest.fixture
def small_pages(world: DrivenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions get one execution per page, so a short history needs many pages."""
    client = runtime.aws.codepipeline._client
    monkeypatch.setattr(
        client, "list_pipeline_executions", partial(client.list_pipeline_executions, maxResults=1)
    )


@pytest.mark.usefixtures("small_pages")
def test_a_held_execution_that_is_far_back_in_the_history_comes_back(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.k8s(mode="PARALLEL")
    scene.start("infra")
    for commit in "abc":
        scene.push("k8s", commit * 40)
        scene.start("k8s")
    scene.wait(minutes=12)
    assert scene.statuses() == ["Succeeded"] * 3 + ["Failed"] * 3
    assert scene.rules() == []


@pytest.mark.usefixtures("small_pages")
def test_a_check_of_a_hold_reads_no_more_history_than_it_needs(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra")
    scene.k8s()
    for _ in range(3):
        scene.start("k8s")
        scene.wait(minutes=2)
    infra = scene.start("infra")
    scene.start("k8s")
    scene.codepipeline.stop_pipeline_execution(
        pipelineName="infra", pipelineExecutionId=infra, abandon=True
    )
    calls.made.clear()
    scene.wait(seconds=1)
    assert calls.made[:3] == [
        "ListPipelineExecutions",
        "ListPipelineExecutions",
        "ListActionExecutions",
    ]


def test_variables_that_aws_did_not_tell_while_holding_are_asked_for_before_the_start(
    scene: Scene, calls: Calls
) -> None:
    scene.pipeline("infra")
    scene.k8s(variables=[VARIABLES[0]])
    scene.start("infra")
    calls.fail("GetPipelineExecution", "ThrottlingException")
    scene.start("k8s", variables=[{"name": "image", "value": "v1.2.3"}])
    calls.mend()
    scene.wait(minutes=11)
    restart, held = scene.executions()
    assert (restart["status"], held["status"]) == ("Succeeded", "Failed")
    assert Aws().codepipeline.read_execution("k8s", restart["pipelineExecutionId"]).variables == {
        "image": "v1.2.3"
    }
