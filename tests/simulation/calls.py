"""Every AWS call that the two functions make passes here, below botocore's own repeats: watched,
struck by faults, interrupted.
"""

from __future__ import annotations

import json
import re
import traceback
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.simulation.clients import Caller, answer, through_moto
from tests.simulation.people import People
from tests.simulation.places import HOME, named
from tests.simulation.record import Record
from tests.simulation.weather import FarWeather, Weather

SECRET = "never-to-be-logged"
"""Stands for a credential in AWS's own error messages; no word of ours may repeat it."""
DEEPEST = 4
"""So many turns may wait for each other."""
LOOK_BACK = timedelta(days=14)

REFUSALS = {
    "throttled": (400, "ThrottlingException", f"Rate exceeded {SECRET}"),
    "broken": (500, "InternalFailure", f"Something went wrong {SECRET}"),
    "unavailable": (503, "ServiceUnavailable", f"Come back later {SECRET}"),
    "denied": (400, "AccessDeniedException", "User: somebody is not authorized to perform: this"),
    "unsigned": (
        403,
        "InvalidSignatureException",
        f"The canonical string should have been 'x-amz-security-token:{SECRET}'",
    ),
    "odd": (400, "UnheardOfException", f"Nobody expects this {SECRET}"),
    "modified": (
        400,
        "ConcurrentModificationException",
        "There is a concurrent modification on a rule",
    ),
    "full": (
        400,
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed",
    ),
    "conflict": (
        400,
        "ConflictException",
        "Your request cannot be handled because the pipeline is busy",
    ),
}
OK = 200
QUIET = (
    "ListPipelineExecutions",
    "GetPipelineExecution",
    "ListActionExecutions",
    "PutJobSuccessResult",
    "PutJobFailureResult",
)
"""Calls that the story does not tell of."""


class Calls:
    """Stands between the functions' clients and moto."""

    def __init__(
        self,
        world: DrivenWorld,
        weather: Weather,
        far: FarWeather,
        people: People,
        record: Record,
        timeout: float,
    ) -> None:
        self._world = world
        self._near = weather
        self._far = far
        self._people = people
        self._record = record
        self._timeout = timedelta(seconds=timeout)

    def send(self, caller: Caller, request: AWSPreparedRequest, event_name: str) -> AWSResponse:
        """One attempt of one call: botocore's event before-send.SERVICE.OPERATION."""
        service, operation = event_name.split(".")[1:3]
        weather = (
            self._near
            if caller.place == HOME and operation not in ("AssumeRole", "PutEvents")
            else self._far
        )
        self._interrupt(weather)
        faster = operation == "RetryStageExecution" and weather.faster_people
        if faster and weather.chance(faster):
            self._people.retry_first(_body(request)["pipelineExecutionId"])
        fault = weather.strikes(service, operation)
        if fault is None:
            response = self._through(caller, request, operation)
            self._notice(caller, request, operation, response)
        else:
            self._record.trouble(f"{operation} {fault}")
            self._record.story.tell(f"{self._record.turn.function}: {operation}: {fault}")
            response = self._struck(fault, caller, request, operation)
        self._interrupt(weather)
        return response

    def sleep(self, seconds: float) -> None:
        """In place of time.sleep: botocore waits before it repeats a call."""
        self._pass(seconds)

    def _interrupt(self, weather: Weather) -> None:
        seconds = weather.pause()
        if seconds is not None and len(self._record.running) <= DEEPEST:
            if weather.chance(weather.busy_people):
                self._people.act()
            if seconds:
                self._record.trouble()
            began = utcnow()
            self._pass(seconds)
            self._record.slow.append((began, utcnow()))

    def _pass(self, seconds: float) -> None:
        """The world goes on for so long; other turns may run meanwhile. A turn that takes longer
        than its function may is killed.
        """
        if len(self._record.running) > DEEPEST:
            return
        turn = self._record.turn
        self._world.clock.advance(timedelta(seconds=seconds))
        if utcnow() - turn.began > self._timeout:
            self._record.story.tell(f"{turn.function} is killed: it took too long")
            self._record.trouble("takes too long")
            raise SystemExit(1)

    def _struck(
        self, fault: str, caller: Caller, request: AWSPreparedRequest, operation: str
    ) -> AWSResponse:
        url, config = request.url, caller.client.meta.config
        match fault:
            case "unreachable":
                self._pass(config.connect_timeout)  # type: ignore[attr-defined]
                raise ConnectTimeoutError(endpoint_url=url)
            case "unheard":  # it took effect, and the answer got lost
                self._through(caller, request, operation)
                self._pass(config.read_timeout)  # type: ignore[attr-defined]
                raise ReadTimeoutError(endpoint_url=url)
            case "reset":
                self._through(caller, request, operation)
                raise ConnectionClosedError(endpoint_url=url)
            case "dies before":
                raise SystemExit(137)
            case "dies after":
                self._through(caller, request, operation)
                raise SystemExit(137)
            case "in part":
                entry = {
                    "TargetId": "retry",
                    "ErrorCode": "ConcurrentModificationException",
                    "ErrorMessage": SECRET,
                }
                return answer(
                    request,
                    200,
                    json.dumps(
                        {"FailedEntryCount": 1, "FailedEntries": [entry], "Entries": [entry]}
                    ),
                )
        status, code, message = REFUSALS[fault]
        if operation == "AssumeRole":  # which speaks XML
            error = (
                f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            )
            return answer(
                request, status, f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
            )
        return answer(
            request,
            status,
            json.dumps({"__type": code, "message": message}),
            {"x-amzn-ErrorType": code},
        )

    def _through(self, caller: Caller, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        """Let the call take effect, and write down what it did."""
        before = len(self._record.executions)
        try:
            response = through_moto(caller, request, operation)
        except Exception:  # botocore would take it for a call that failed
            self._record.defects.append(traceback.format_exc())
            raise
        if response.status_code != OK:
            if operation == "RetryStageExecution":
                held = self._record.executions[_body(request)["pipelineExecutionId"]]
                self._record.turn.not_retryable = held.status
            return response
        if operation == "AssumeRole":
            self._record.secrets |= set(
                re.findall(r"<(?:SecretAccessKey|SessionToken)>([^<]+)<", response.text)
            )
        elif operation in ("PutJobSuccessResult", "PutJobFailureResult"):
            self._answered(_body(request), operation)
        elif operation in ("PutRule", "PutTargets", "RemoveTargets", "PutEvents"):
            self._changed(_body(request), operation)
        elif operation == "StartPipelineExecution" and len(self._record.executions) > before:
            self._record.started(_body(request)["name"], [*self._record.executions][-1])
        elif operation == "RetryStageExecution":
            self._record.retried(_body(request)["pipelineExecutionId"])
        return response

    def _answered(self, asked: dict[str, Any], operation: str) -> None:
        if operation == "PutJobFailureResult":
            self._record.answered(asked["jobId"], False, asked["failureDetails"]["message"])
            return
        details = asked.get("executionDetails", {})
        if asked.get("continuationToken"):
            self._record.keeps_open(
                asked["jobId"], details.get("summary", ""), details.get("percentComplete")
            )
        else:
            self._record.answered(
                asked["jobId"], True, details.get("summary", ""), asked.get("outputVariables")
            )

    def _changed(self, asked: dict[str, Any], operation: str) -> None:
        match operation:
            case "PutRule":
                self._record.words.append(asked.get("Description", ""))
            case "PutTargets":
                self._record.ruled(asked["Rule"][-36:], asked["Targets"][0]["Input"])
            case "RemoveTargets":
                self._record.ruled(asked["Rule"][-36:], None)
            case "PutEvents":
                self._record.turn.events += asked["Entries"]
                self._record.words += [entry["Detail"] for entry in asked["Entries"]]

    def _notice(
        self, caller: Caller, request: AWSPreparedRequest, operation: str, response: AWSResponse
    ) -> None:
        """Write down what the function gets to read."""
        if operation == "ListPipelineExecutions" and response.status_code == OK:
            body = _body(request)
            pipeline = named(caller.place, body["pipelineName"])
            self._record.listed(
                pipeline, body, json.loads(response.content), (utcnow() - LOOK_BACK).timestamp()
            )
        elif operation == "GetPipelineState" and response.status_code == OK:
            self._record.looked(named(caller.place, _body(request)["name"]))
        if operation not in QUIET:
            self._record.story.tell(f"{self._record.turn.function}: {operation}")


def _body(request: AWSPreparedRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body or b"{}")  # type: ignore[arg-type]
    return body
