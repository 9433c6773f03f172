"""The job that CodePipeline gives to a Lambda action, as a typed view of the event.

The event also contains live credentials (artifactCredentials). Nothing here keeps them, and the
event itself is never logged (guide: action-reference-Lambda, "Important").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chalicelib.errors import RefusedInput
from chalicelib.phrases import shorten
from chalicelib.pipelines.execution import ID, read_time

_ACCOUNT = re.compile(r"[0-9]{12}")  # model: AccountId
TOKEN_LENGTH = 2048  # model: ContinuationToken
_SEPARATOR = " | "
"""No name contains it (model). Older gates read what comes before it, except the gate's names."""


@dataclass(frozen=True)
class JobOwner:
    """What AWS says about whose job it is. None: not told.

    `gate`: the stage and the name of its action, or of its stage condition's rule.
    """

    pipeline: str | None = None
    execution: str | None = None
    gate: tuple[str, str] | None = None


@dataclass(frozen=True)
class Job:
    """One job that the gate has to answer.

    `account`: the pipeline's account, "?" if the event does not name it.
    `user_parameters`: the action's UserParameters, None if it has none.
    `since`: when the gate first kept this action open (aware UTC), and `gate`: its stage and name,
    as the continuation token says. None in an action's first job; `gate` also if it is not known.
    `revisions`: what the execution took, in words, as the token says; "" if it does not.
    """

    id: str
    account: str
    user_parameters: str | None
    since: datetime | None = None
    gate: tuple[str, str] | None = None
    revisions: str = ""

    @classmethod
    def parse(cls, event: object) -> Self:
        """Read the event of a Lambda action (guide: action-reference-Lambda, "JSON event").

        Raises RefusedInput if the event is not a CodePipeline job. The message does not repeat the
        event.
        """
        job = _as_mapping(_as_mapping(event).get("CodePipeline.job"))
        if not isinstance(job.get("id"), str) or not re.fullmatch(ID, job["id"]):
            raise RefusedInput(
                "This event is not a CodePipeline job: it has no `CodePipeline.job` with a job's "
                "`id`. Only a pipeline's Lambda action can invoke the gate."
            )
        data = _as_mapping(job.get("data"))
        action = _as_mapping(data.get("actionConfiguration"))
        parameters = _as_mapping(action.get("configuration")).get("UserParameters")
        account = job.get("accountId")
        since, gate, revisions = _parse_token(data.get("continuationToken"))
        return cls(
            id=job["id"],
            account=account if isinstance(account, str) and _ACCOUNT.fullmatch(account) else "?",
            user_parameters=parameters if isinstance(parameters, str) else None,
            since=since,
            gate=gate,
            revisions=revisions,
        )

    def count_waited_seconds(self, now: datetime) -> int | None:
        """Return how many seconds this action has been kept open; None in its first job."""
        return int((now - self.since).total_seconds()) if self.since else None


def format_token(since: datetime, gate: tuple[str, str] | None, revisions: str = "") -> str:
    """Return the continuation token of an action that has been kept open since then (aware UTC).

    `gate`: its stage and name. `revisions`: what its execution took, in words. In the action's next
    job, `Job` reads all three from it.
    """
    words = " ".join([since.isoformat(), *(gate or ())])  # no name contains a space (model)
    return shorten(f"{words}{_SEPARATOR}{revisions}" if revisions else words, TOKEN_LENGTH)


def _parse_token(token: object) -> tuple[datetime | None, tuple[str, str] | None, str]:
    if not isinstance(token, str):
        return None, None, ""
    words, _, revisions = token.partition(_SEPARATOR)
    since, *names = words.split(" ")
    try:
        return read_time(since), (names[0], names[1]) if len(names) == 2 else None, revisions
    except (ValueError, OverflowError):
        return None, None, ""


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
