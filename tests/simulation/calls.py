"""Every AWS call that the two functions make passes here, below botocore's own repeats: watched, struck by faults, interrupted."""

from __future__ import annotations

import json
import traceback
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.simulation.clients import answer, through_moto
from tests.simulation.people import People
from tests.simulation.record import Record
from tests.simulation.weather import Weather

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
    "unsigned": (403, "InvalidSignatureException", f"The canonical string should have been 'x-amz-security-token:{SECRET}'"),
    "odd": (400, "UnheardOfException", f"Nobody expects this {SECRET}"),
    "modified": (400, "ConcurrentModificationException", "There is a concurrent modification on a rule"),
    "full": (400, "LimitExceededException", "The requested resource exceeds the maximum number allowed"),
    "conflict": (400, "ConflictException", "Your request cannot be handled because the pipeline is busy"),
}
TOO_LATE = 15 * 60
"""Seconds after which no turn goes on, whatever the time-out of the function."""


class Calls:
    """Stands between the functions' clients and moto."""

    def __init__(self, world: DrivenWorld, weather: Weather, people: People, record: Record, timeout: float) -> None:
        self._world = world
        self._weather = weather
        self._people = people
        self._record = record
        self._timeout = timedelta(seconds=timeout)
        self.count = 0

    def send(self, client: BaseClient, request: AWSPreparedRequest, event_name: str) -> AWSResponse:
        """One attempt of one call: botocore's event before-send.SERVICE.OPERATION."""
        service, operation = event_name.split(".")[1:3]
        self._interrupt()
        self.count += 1
        fault = self._weather.strikes(service, operation)
        if fault is None:
            response = self._through(request, operation)
            self._notice(request, operation, response)
        else:
            self._record.trouble(f"{operation} {fault}")
            self._record.story.tell(f"{self._record.turn.function}: {operation}: {fault}")
            response = self._struck(fault, client, request, operation)
        self._interrupt()
        return response

    def sleep(self, seconds: float) -> None:
        """In place of time.sleep: botocore waits before it repeats a call."""
        self._pass(seconds)

    def _interrupt(self) -> None:
        seconds = self._weather.pause()
        if seconds is not None and len(self._record.running) <= DEEPEST:
            if self._weather.chance(self._weather.busy_people):
                self._people.act()
            if seconds:
                self._record.trouble()
            self._pass(seconds)

    def _pass(self, seconds: float) -> None:
        """The world goes on for so long; other turns may run meanwhile. A turn that takes longer than its function may is killed."""
        if len(self._record.running) > DEEPEST:
            return
        turn = self._record.turn
        self._world.clock.advance(timedelta(seconds=seconds))
        if utcnow() - turn.began > self._timeout:
            self._record.story.tell(f"{turn.function} is killed: it took too long")
            self._record.trouble("takes too long")
            raise SystemExit(1)

    def _struck(self, fault: str, client: BaseClient, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        url, config = request.url, client.meta.config
        match fault:
            case "unreachable":
                self._pass(config.connect_timeout)  # type: ignore[attr-defined]
                raise ConnectTimeoutError(endpoint_url=url)
            case "unheard":  # it took effect, and the answer got lost
                self._through(request, operation)
                self._pass(config.read_timeout)  # type: ignore[attr-defined]
                raise ReadTimeoutError(endpoint_url=url)
            case "reset":
                self._through(request, operation)
                raise ConnectionClosedError(endpoint_url=url)
            case "dies before":
                raise SystemExit(137)
            case "dies after":
                self._through(request, operation)
                raise SystemExit(137)
            case "in part":
                entry = {"TargetId": "retry", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": SECRET}
                return answer(request, 200, json.dumps({"FailedEntryCount": 1, "FailedEntries": [entry]}))
        status, code, message = REFUSALS[fault]
        return answer(request, status, json.dumps({"__type": code, "message": message}), {"x-amzn-ErrorType": code})

    def _through(self, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        """Let the call take effect, and write down what it did."""
        before = len(self._record.executions)
        try:
            response = through_moto(request, operation)
        except Exception:  # botocore would take it for a call that failed
            self._record.defects.append(traceback.format_exc())
            raise
        if response.status_code == 200:
            asked = _body(request)
            match operation:
                case "PutJobSuccessResult":
                    if not asked.get("continuationToken"):
                        self._record.answered(asked["jobId"], True, str(asked.get("executionDetails", {}).get("summary", "")))
                case "PutJobFailureResult":
                    self._record.answered(asked["jobId"], False, asked["failureDetails"]["message"])
                case "StartPipelineExecution":
                    if len(self._record.executions) > before:
                        self._record.started(asked["name"], [*self._record.executions][-1])
                case "RetryStageExecution":
                    self._record.retried(asked["pipelineExecutionId"])
                case "PutTargets":
                    self._record.ruled(asked["Rule"][-36:], True)
                case "RemoveTargets":
                    self._record.ruled(asked["Rule"][-36:], False)
                case "PutRule":
                    self._record.words.append(asked.get("Description", ""))
        return response

    def _notice(self, request: AWSPreparedRequest, operation: str, response: AWSResponse) -> None:
        """Write down what the function gets to read."""
        if operation == "ListPipelineExecutions" and response.status_code == 200:
            self._record.listed(_body(request), json.loads(response.content), (utcnow() - LOOK_BACK).timestamp())
        elif operation not in ("GetPipelineExecution", "ListActionExecutions", "PutJobSuccessResult", "PutJobFailureResult"):
            self._record.story.tell(f"{self._record.turn.function}: {operation}")


def _body(request: AWSPreparedRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body or b"{}")  # type: ignore[arg-type]
    return body
