"""The job that CodePipeline hands to a Lambda action: a typed view of the event.

The event also carries live credentials (artifactCredentials): nothing here keeps them, and the
event itself is never logged (guide: action-reference-Lambda, "Important").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chalicelib.errors import RefusedInput
from chalicelib.pipelines.execution import ID, read_time

_ACCOUNT = re.compile(r"[0-9]{12}")  # model: AccountId


@dataclass(frozen=True)
class Job:
    """One request to answer. `account` is "?" where the event does not tell it, `user_parameters`
    None where the action has none.

    `since` is when the gate first kept this action open (aware UTC), as its continuation token
    says; None for an action's first job.
    """

    id: str
    account: str
    user_parameters: str | None
    since: datetime | None = None

    @classmethod
    def parse(cls, event: object) -> Self:
        """Read the event of a Lambda action (guide: action-reference-Lambda, "JSON event").

        Raises RefusedInput where the event is no CodePipeline job, and says so without repeating
        it.
        """
        job = _as_mapping(_as_mapping(event).get("CodePipeline.job"))
        if not isinstance(job.get("id"), str) or not re.fullmatch(ID, job["id"]):
            raise RefusedInput(
                "This event is no CodePipeline job: it has no `CodePipeline.job` with the `id` of "
                "one. "
                "The gate is invoked by an action of provider Lambda in a pipeline, not by hand."
            )
        data = _as_mapping(job.get("data"))
        configuration = _as_mapping(
            _as_mapping(data.get("actionConfiguration")).get("configuration")
        )
        parameters, account = configuration.get("UserParameters"), job.get("accountId")
        return cls(
            id=job["id"],
            account=account if isinstance(account, str) and _ACCOUNT.fullmatch(account) else "?",
            user_parameters=parameters if isinstance(parameters, str) else None,
            since=_parse_token(data.get("continuationToken")),
        )

    def count_waited_seconds(self, now: datetime) -> int | None:
        """How long this action has been kept open; None for an action's first job."""
        return int((now - self.since).total_seconds()) if self.since else None


def format_token(since: datetime) -> str:
    """Return the continuation token of an action that has been kept open since then; `Job.since`
    reads it.
    """
    return since.isoformat()


def _parse_token(token: object) -> datetime | None:
    try:
        return read_time(token) if isinstance(token, str) else None
    except (ValueError, OverflowError):
        return None


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
