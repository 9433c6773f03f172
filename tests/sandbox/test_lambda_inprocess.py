"""The in-process world, with a small Chalice app of its own."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from chalice import Chalice
from moto.logs.models import logs_backends

from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.awslambda import invoke_async, list_finished_runs
from sandbox.executor import RunOutcome
from sandbox.inprocess import MONDAY_NOON, ChaliceExecutor, DrivenWorld, function_name, in_process

UNABLE = "Unable to marshal response: Object of type"
app = Chalice("small")


@app.lambda_function(name="gate")
def gate(event: Any, context: Any) -> Any:
    print("printed")
    app.log.error("logged by the app")
    logging.getLogger("other").warning("logged by another")
    if event.get("exit"):
        raise SystemExit(1)
    if event.get("fail"):
        raise ValueError("no")
    return {"event": event, "color": os.environ.get("COLOR")} if "answer" not in event else {1, 2}


@app.lambda_function(name="retry")
def retry(event: Any, context: Any) -> Any:
    return [rule["Name"] for rule in boto3.client("events").list_rules()["Rules"]]


@pytest.fixture
def executor(tmp_path: Path) -> ChaliceExecutor:
    stages = {"test": {"environment_variables": {"COLOR": "green"}}}
    config = {"version": "2.0", "app_name": "small", "stages": stages}
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice/config.json").write_text(json.dumps(config))
    return ChaliceExecutor(app, tmp_path, stage="test")


def invoke(world: DrivenWorld, function_arn: str, event: Any = None) -> RunOutcome:
    service = "codepipeline.amazonaws.com"
    invoke_async(ACCOUNT, REGION, function_arn, json.dumps(event), service=service)
    world.clock.settle()
    return list_finished_runs(ACCOUNT, REGION)[0].outcome


def run(executor: ChaliceExecutor, event: dict[str, Any]) -> RunOutcome:
    """Run the gate in a world of its own."""
    with in_process(executor) as world:
        return invoke(world, function_name(executor, "gate"), event)


def test_the_apps_function_runs_with_the_stages_variables(executor: ChaliceExecutor) -> None:
    outcome = run(executor, {"a": "ü"})
    assert outcome.error is None
    assert json.loads(outcome.payload) == {"event": {"a": "ü"}, "color": "green"}
    printed = "printed\nsmall - ERROR - logged by the app\n[WARNING]\tlogged by another\n"
    assert outcome.log == printed
    assert "COLOR" not in os.environ


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"fail": True}, "ValueError", "no"),
        ({"exit": True}, "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ({"answer": "a set"}, "Runtime.MarshalError", f"{UNABLE} set is not JSON serializable"),
    ],
)
def test_errors_are_lambdas(
    executor: ChaliceExecutor, event: dict[str, Any], kind: str, message: str
) -> None:
    outcome = run(executor, event)
    error = json.loads(outcome.payload)
    assert outcome.error == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == (kind, message)
    assert f"[ERROR] {kind}: {message}" in outcome.log


def test_an_app_finds_the_world_through_boto3(executor: ChaliceExecutor) -> None:
    with in_process(executor) as world:
        boto3.client("events").put_rule(Name="hold", ScheduleExpression="rate(5 minutes)")
        assert invoke(world, os.environ["RETRY_FUNCTION_ARN"]).payload == '["hold"]'
        assert boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"] == PIPELINE_ROLE
        assert boto3.client("lambda").invoke(FunctionName="small-test-gate")["StatusCode"] == 200
        assert "/aws/lambda/small-test-gate" in logs_backends[ACCOUNT][REGION].groups


def test_each_world_is_new_and_leaves_nothing(
    executor: ChaliceExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "host")
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    with in_process(executor) as world:
        assert world.clock.next_call() is None
        assert "AWS_PROFILE" not in os.environ
        boto3.client("events").put_rule(Name="hold", ScheduleExpression="rate(5 minutes)")
    assert (dict(os.environ), boto3.DEFAULT_SESSION) == (before, session)
    with in_process(executor, start=MONDAY_NOON.replace(hour=13)):
        assert boto3.client("events").list_rules()["Rules"] == []
        function = boto3.client("lambda").get_function(FunctionName="small-test-retry")
        assert function["Configuration"]["LastModified"].startswith("2026-11-23T13")
