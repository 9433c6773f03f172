"""Every AWS call of the two functions, below botocore's repeats: noted, struck, interrupted."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from sandbox.clock import utcnow
from sandbox.inprocess import DrivenWorld
from tests.simulation.clients import Caller, answer, through_moto
from tests.simulation.faults import FarFaults, Faults
from tests.simulation.people import People
from tests.simulation.places import HOME, named
from tests.simulation.record import Record

SECRET = "never-to-be-logged"
"""Stands for a credential in AWS's own error messages; the functions must never repeat it."""
DEEPEST = 4
"""How many invocations may wait for each other."""

MODIFIED = "ConcurrentModificationException"
REFUSALS = {
    "throttled": (400, "ThrottlingException", f"Rate exceeded {SECRET}"),
    "broken": (500, "InternalFailure", f"Something went wrong {SECRET}"),
    "unavailable": (503, "ServiceUnavailable", f"Come back later {SECRET}"),
    "denied": (400, "AccessDeniedException", "User: ann is not authorized to perform: this"),
    "unsigned": (
        403,
        "InvalidSignatureException",
        f"The canonical string should have been {SECRET}",
    ),
    "odd": (400, "UnheardOfException", f"This is unexpected {SECRET}"),
    "modified": (400, MODIFIED, "There is a concurrent modification on a rule"),
    "full": (400, "LimitExceededException", "The requested resource exceeds the maximum allowed"),
    "conflict": (400, "ConflictException", "Your request cannot be handled: the pipeline is busy"),
    "crowded": (400, "ConcurrentPipelineExecutionsLimitExceededException", f"Too many {SECRET}"),
    "updating": (409, "ResourceConflictException", f"An update is in progress for {SECRET}"),
}
OK = 200
QUIET = (
    "ListPipelineExecutions",
    "GetPipelineExecution",
    "ListActionExecutions",
    "PutJobSuccessResult",
    "PutJobFailureResult",
)
"""Calls that the story leaves out."""


@dataclass(frozen=True)
class Call:
    """One attempt of a call."""

    caller: Caller
    request: AWSPreparedRequest
    operation: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.request.body or b"{}")  # type: ignore[arg-type]
        return body


class Calls:
    """All calls of the functions' clients on their way to moto."""

    def __init__(
        self,
        world: DrivenWorld,
        near: Faults,
        far: FarFaults,
        people: People,
        record: Record,
        timeout: float,
    ) -> None:
        self._world = world
        self._near = near
        self._far = far
        self._people = people
        self._record = record
        self._timeout = timedelta(seconds=timeout)

    def send(self, caller: Caller, request: AWSPreparedRequest, event_name: str) -> AWSResponse:
        """One attempt of one call: botocore's event before-send.SERVICE.OPERATION."""
        service, operation = event_name.split(".")[1:3]
        call = Call(caller, request, operation)
        is_far = caller.place != HOME or operation in ("AssumeRole", "PutEvents")
        faults = self._far if is_far else self._near
        self._interrupt(faults)
        faster = operation == "RetryStageExecution" and faults.faster_people
        if faster and faults.chance(faster):
            self._people.retry_first(call.body["pipelineExecutionId"])
        fault = faults.strikes(service, operation)
        if fault is None:
            response = self._carry_out(call)
            self._note_answer(call, response)
        else:
            self._record.note_disturbance(f"{operation} {fault}")
            self._record.story.tell(f"{self._record.invocation.function}: {operation}: {fault}")
            response = self._strike(fault, call)
        self._interrupt(faults)
        return response

    def _interrupt(self, faults: Faults) -> None:
        seconds = faults.pause()
        if seconds is not None and len(self._record.under_way) <= DEEPEST:
            if faults.chance(faults.busy_people):
                self._people.act()
            if seconds:
                self._record.note_disturbance()
            began = utcnow()
            self.pass_time(seconds)
            self._record.slow_periods.append((began, utcnow()))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, also instead of time.sleep. An invocation that exceeds its function's
        timeout is killed.
        """
        if len(self._record.under_way) > DEEPEST:
            self._record.left_out_pause = utcnow()
            return
        invocation = self._record.invocation
        self._world.clock.advance(timedelta(seconds=seconds))
        if utcnow() - invocation.began > self._timeout:
            self._record.story.tell(f"{invocation.function} is killed: it took too long")
            self._record.note_disturbance("takes too long")
            raise SystemExit(1)

    def _strike(self, fault: str, call: Call) -> AWSResponse:
        """Return what botocore gets from a call that a fault strikes."""
        request, config = call.request, call.caller.client.meta.config
        if fault in ("unheard", "reset", "dies after"):  # it takes effect, and the answer gets lost
            self._carry_out(call)
        match fault:
            case "unreachable":
                self.pass_time(config.connect_timeout)  # type: ignore[attr-defined]
                raise ConnectTimeoutError(endpoint_url=request.url)
            case "unheard":
                self.pass_time(config.read_timeout)  # type: ignore[attr-defined]
                raise ReadTimeoutError(endpoint_url=request.url)
            case "reset":
                raise ConnectionClosedError(endpoint_url=request.url)
            case "dies before" | "dies after":
                raise SystemExit(137)
            case "in part":
                entry = {"TargetId": "retry", "ErrorCode": MODIFIED, "ErrorMessage": SECRET}
                body = {"FailedEntryCount": 1, "FailedEntries": [entry], "Entries": [entry]}
                return answer(request, OK, json.dumps(body))
        status, code, message = REFUSALS[fault]
        if call.operation == "AssumeRole":  # which speaks XML
            error = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
            xml = f"<Error>{error}</Error><RequestId>0</RequestId>"
            return answer(request, status, f"<ErrorResponse>{xml}</ErrorResponse>")
        text = json.dumps({"__type": code, "message": message})
        return answer(request, status, text, {"x-amzn-ErrorType": code})

    def _carry_out(self, call: Call) -> AWSResponse:
        """Let the call take effect, and note what it did."""
        before = len(self._record.executions)
        try:
            response = through_moto(call.caller, call.request, call.operation)
        except Exception:  # botocore would treat it as a failed call
            self._record.defects.append(traceback.format_exc())
            raise
        if response.status_code == OK:
            self._note_effect(call, response, before)
        elif call.operation == "RetryStageExecution":
            held = self._record.executions[call.body["pipelineExecutionId"]]
            self._record.invocation.not_retryable = held.status
        return response

    def _note_effect(self, call: Call, response: AWSResponse, before: int) -> None:
        """`before`: how many executions there were."""
        record = self._record
        if call.operation == "AssumeRole":
            pattern = r"<(?:SecretAccessKey|SessionToken)>([^<]+)<"
            record.secrets |= set(re.findall(pattern, response.text))
            return
        body = call.body
        details = body.get("executionDetails", {})
        summary = details.get("summary", "")
        match call.operation:
            case "PutJobFailureResult":
                record.note_answer(body["jobId"], False, body["failureDetails"]["message"])
            case "PutJobSuccessResult" if body.get("continuationToken"):
                record.note_kept_open(body["jobId"], summary, details.get("percentComplete"))
            case "PutJobSuccessResult":
                record.note_answer(body["jobId"], True, summary, body.get("outputVariables"))
            case "StartPipelineExecution" if len(record.executions) > before:
                record.note_start([*record.executions.values()][-1])
            case "RetryStageExecution":
                record.note_retry(record.executions[body["pipelineExecutionId"]])
            case "PutRule":
                record.texts.append(body.get("Description", ""))
            case "PutTargets":
                record.note_rule(body["Rule"][-36:], body["Targets"][0]["Input"])
            case "RemoveTargets":
                record.note_rule(body["Rule"][-36:], None)
            case "PutEvents":
                record.invocation.events += body["Entries"]
                record.texts += [entry["Detail"] for entry in body["Entries"]]

    def _note_answer(self, call: Call, response: AWSResponse) -> None:
        """Note what the function reads."""
        if call.operation == "ListPipelineExecutions" and response.status_code == OK:
            pipeline = named(call.caller.place, call.body["pipelineName"])
            self._record.note_list(pipeline, call.body, json.loads(response.content))
        elif call.operation == "GetPipelineState" and response.status_code == OK:
            self._record.note_positions(named(call.caller.place, call.body["name"]))
        if call.operation not in QUIET:
            self._record.story.tell(f"{self._record.invocation.function}: {call.operation}")
