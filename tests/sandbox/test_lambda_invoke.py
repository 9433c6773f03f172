"""The Invoke operation through boto3."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.awslambda.models import LambdaFunction

from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda import list_finished_runs
from sandbox.clock import DrivenClock
from sandbox.executor import Invocation, RunOutcome
from tests.sandbox.functions import deploy, lambda_world
from tests.support.clients import client, refused


class Echo:
    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        error = "Unhandled" if "fail" in invocation.payload else None
        return RunOutcome(invocation.payload, error, "printed ä\n")


@pytest.fixture(autouse=True)
def clock() -> Iterator[DrivenClock]:
    with lambda_world(Echo()) as clock:
        deploy()
        yield clock


def invoke(payload: str, **options: Any) -> Any:
    return client("lambda").invoke(FunctionName="f", Payload=payload.encode(), **options)


def test_the_answer_is_the_functions_own() -> None:
    answer = invoke('{"a": "ä"}', LogType="Tail")
    assert json.load(answer["Payload"]) == {"a": "ä"}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert "printed ä\nEND RequestId" in base64.b64decode(answer["LogResult"]).decode()


def test_an_error_is_named_in_the_answer() -> None:
    answer = invoke('"fail"')
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"]) == "fail"
    assert "LogResult" not in answer


def test_an_event_is_queued_and_not_waited_for(clock: DrivenClock) -> None:
    assert invoke("{}", InvocationType="Event")["StatusCode"] == 202
    assert list_finished_runs(ACCOUNT, REGION) == []
    clock.settle()
    assert len(list_finished_runs(ACCOUNT, REGION)) == 1


def test_a_dry_run_runs_nothing(clock: DrivenClock) -> None:
    assert invoke("{}", InvocationType="DryRun")["StatusCode"] == 204
    clock.settle()
    assert list_finished_runs(ACCOUNT, REGION) == []


def test_a_payload_that_is_no_json_is_refused() -> None:
    with refused("InvalidRequestContentException", "Could not parse request body into json"):
        invoke("{a}")
