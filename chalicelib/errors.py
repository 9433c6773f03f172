"""What can go wrong, by what is to be done about it.

    Misconfigured     the user has to correct something       -> the action fails and says what
    NotPermitted      AWS denied a call                       -> the action fails and names the call
    NoAnswer          AWS did not answer, or said "later"     -> Lambda or the rule tries again
    UnexpectedAnswer  AWS refused a call for no known reason  -> a defect of the gate
    RefusedInput      the event is not for this function      -> nothing is touched
    NoRoom, NotRetryable, TakenOver, PipelineNotFound         -> answers that the caller decides on

`translate_error` is the one place that sorts botocore's errors into these.
"""

from __future__ import annotations

from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

FailureType = Literal["JobFailed", "ConfigurationError", "PermissionError", "SystemUnavailable"]
"""Those of CodePipeline's kinds of failure that the gate uses (model: FailureType): a hold is a
JobFailed.
"""
REFUSALS = frozenset({"ConfigurationError", "PermissionError", "SystemUnavailable"})
"""Those that say that the gate did not hold: nothing goes on by itself then. That ErrorDetails.code
shows them is (practice); the model says "system ID or number code". Were it otherwise, a refused
gate would be asked again every retry_minutes, no more.
"""


class Misconfigured(Exception):
    """The user asked for something that cannot be; the message says what is wrong, where, and what
    would be right.
    """

    failure_type: FailureType = "ConfigurationError"


class NotPermitted(Exception):
    """AWS denied `call`, such as "events:PutRule". `detail` says who was denied, in AWS's words.
    `elsewhere`: the call was one that a role in another account has to allow.
    """

    failure_type: FailureType = "PermissionError"

    def __init__(self, call: str, detail: str, *, elsewhere: bool = False) -> None:
        super().__init__(f"AWS denied {call} ({detail})")
        self.call = call
        self.detail = detail
        self.elsewhere = elsewhere


class NoAnswer(Exception):
    """AWS did not answer a call, botocore's own retries included; it may have taken effect all the
    same.
    """


class UnexpectedAnswer(Exception):
    """AWS refused a call in a way that the gate does not provide for: a defect of the gate. Says
    AWS's error code, not its words.
    """


class NoRoom(Exception):
    """A quota of AWS's is used up: what was asked for cannot be made now."""


class NotRetryable(Exception):
    """AWS does not retry that stage: its pipeline was edited since, or it has nothing that failed
    (any more).
    """


class TakenOver(Exception):
    """AWS does not retry that stage: a newer execution has entered it."""


class PipelineNotFound(Exception):
    """There is no pipeline of that name in this account and region."""


class RefusedInput(ValueError):
    """The event is not one that this function serves; nothing was touched."""


_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
# Answers that say "later": throttling, passing faults, and credentials that are just being replaced
# (model: the errors of each service; botocore retries most of them first). Everything with an HTTP
# status of 500 and above counts too.
_LATER = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ConcurrentModificationException",
    "ConflictException",
    "InternalException",
    "InternalFailure",
    "InternalError",
    "ServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
}


def error_code(error: ClientError) -> str:
    """AWS's error code, such as "AccessDeniedException"; "" where the answer had none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translate_error(error: ClientError | BotoCoreError, call: str) -> Exception:
    """The error to raise for what botocore raised at `call`
    ("codepipeline:StartPipelineExecution").

    NotPermitted, NoAnswer or UnexpectedAnswer; botocore's own complaint about an argument as it is.
    AWS's words are passed on only where it denies: elsewhere they can repeat what a request was
    signed with.
    """
    if isinstance(error, ClientError):
        if error_code(error) in _DENIED:
            return NotPermitted(call, error.response["Error"].get("Message", error_code(error)))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if error_code(error) in _LATER or status >= 500:
            return NoAnswer(f"{call} was not answered ({error_code(error)})")
        return UnexpectedAnswer(f"{call} answered {error_code(error)}")
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        return NoAnswer(f"{call} was not answered ({type(error).__name__})")
    return error
