"""The errors, sorted by what has to be done about them.

    Misconfigured     the user has to correct something         -> the action fails and says what
    NotPermitted      AWS denied a call                         -> the action fails, names the call
    NoAnswer          AWS did not answer, or said "later"       -> Lambda or the rule tries again
    CredentialsRejected  such an answer: they may be replaced   -> a person signs in again
    UnexpectedAnswer  AWS refused a call for an unknown reason  -> a defect of the gate
    NotFound          such an answer: there is no such thing    -> the caller decides
    RefusedInput      the event is not for this function        -> nothing is changed
    ClosedCondition   the gate does not let a stage begin       -> CodePipeline sees the error
    NoRoom, NotRetryable, TakenOver, StartRefused, PipelineNotFound, NoSuchRegion
                                                                -> the caller decides

`translate_errors` turns botocore's errors into these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

FailureType = Literal["JobFailed", "ConfigurationError", "PermissionError", "SystemUnavailable"]
"""The failure types of a job that the gate uses (model: FailureType). A hold is a JobFailed."""
REFUSALS = frozenset({"ConfigurationError", "PermissionError", "SystemUnavailable"})
"""The failure types of a gate that refused to hold: nothing continues automatically after them.

That AWS shows them in ErrorDetails.code is (practice); the model only says "system ID or number
code". If AWS stopped doing so, the retry would ask a gate that refused again every retry_minutes.
"""


class Misconfigured(Exception):
    """The user asked for something impossible.

    The message says what is wrong, where, and what would be right.
    """

    failure_type: FailureType = "ConfigurationError"


class NotPermitted(Exception):
    """AWS denied `call`, such as "events:PutRule".

    `detail`: AWS's words, which say which principal was denied.
    `elsewhere`: the call went through a role in another account, which has to allow it.
    """

    failure_type: FailureType = "PermissionError"

    def __init__(self, call: str, detail: str, *, elsewhere: bool = False) -> None:
        super().__init__(f"AWS denied {call} ({detail})")
        self.call = call
        self.detail = detail
        self.elsewhere = elsewhere


class NoAnswer(Exception):
    """AWS did not answer a call, not even when botocore repeated it.

    The call may have taken effect anyway.
    """


class CredentialsRejected(NoAnswer):
    """AWS did not accept the credentials: they are being replaced, have expired or are wrong.

    `code`: AWS's error code.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class UnexpectedAnswer(Exception):
    """AWS refused a call in a way that the gate does not handle: a defect of the gate.

    The message contains AWS's error code, but not its words.
    """


class NotFound(UnexpectedAnswer):
    """There is no such function, rule, role or other resource."""


class NoRoom(Exception):
    """An AWS quota is used up, so for example a rule cannot be created now."""


class NotRetryable(Exception):
    """AWS does not retry the stage: its pipeline was edited, or nothing in it has failed."""


class TakenOver(Exception):
    """AWS does not retry the stage: a newer execution has entered it."""


class StartRefused(Exception):
    """AWS does not start the pipeline with these variables and source revisions, now or later."""


class PipelineNotFound(Exception):
    """This account and region have no such pipeline, or the pipeline no such execution."""


class NoSuchRegion(PipelineNotFound):
    """The pipeline's region does not exist, has no CodePipeline, or is in another partition."""


class RefusedInput(ValueError):
    """The event is not one that this function handles. Nothing was changed."""


class ClosedCondition(Exception):
    """The gate, as a stage's condition, has answered its job and keeps the stage closed.

    It ends the invocation in an error. So the stage stays closed, whatever CodePipeline judges the
    condition by: the job's result, the function's error or what it returns (undocumented: guide,
    rule-reference-LambdaInvoke).
    """


_DENIED_CODES = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
_NO_PIPELINE_CODES = {"PipelineNotFoundException", "PipelineExecutionNotFoundException"}
_NOT_FOUND_CODES = {"ResourceNotFoundException", "NoSuchEntity"}
# Errors that pass: throttling, limits of what may run at once, and internal faults (model: the
# errors of each service). botocore retries most of them first. An HTTP status of 500 or more also
# counts as one of them.
_TRANSIENT_CODES = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ConcurrentModificationException",
    "ConcurrentPipelineExecutionsLimitExceededException",
    "ConflictException",
    "InternalException",
    "InternalFailure",
    "InternalError",
    "ServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
}
_REJECTED_CREDENTIALS_CODES = {
    "IncompleteSignature",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
}


def read_error_code(error: ClientError) -> str:
    """Return AWS's error code, such as "AccessDeniedException"; "" if the answer has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def read_error_message(error: ClientError) -> str:
    """Return AWS's own words, which must not be passed on; "" if the answer has none."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_aws_error(error: Exception, *codes: str) -> bool:
    """Return whether AWS answered with one of these error codes."""
    return isinstance(error, ClientError) and read_error_code(error) in codes


def translate_error(
    error: ClientError | BotoCoreError, call: str, pipeline: str | None = None
) -> Exception:
    """Return the error to raise for what botocore raised during a call.

    `call` is its name, such as "codepipeline:StartPipelineExecution". The result is NotPermitted,
    NoAnswer, NotFound or UnexpectedAnswer; PipelineNotFound if the call was about `pipeline`.
    botocore's complaint about an argument is returned unchanged. AWS's words are only passed on if
    it denied the call. In other errors they can repeat what a request was signed with.
    """
    if isinstance(error, ClientError):
        code = read_error_code(error)
        if pipeline and code in _NO_PIPELINE_CODES:
            return PipelineNotFound(pipeline)
        if code in _DENIED_CODES:
            return NotPermitted(call, error.response["Error"].get("Message", code))
        if code in _REJECTED_CREDENTIALS_CODES:
            return CredentialsRejected(f"{call} was not answered ({code})", code)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _TRANSIENT_CODES or status >= 500:
            return NoAnswer(f"{call} was not answered ({code})")
        refusal = NotFound if code in _NOT_FOUND_CODES else UnexpectedAnswer
        return refusal(f"{call} answered {code}")
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        return NoAnswer(f"{call} was not answered ({type(error).__name__})")
    return error


@contextmanager
def translate_errors(call: str, pipeline: str | None = None) -> Iterator[None]:
    """Raise what `translate_error` returns for botocore's errors in this block."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate_error(error, call, pipeline) from error
