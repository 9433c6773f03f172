"""The job that CodePipeline hands to a Lambda action: a typed view of the event.

The event also carries live credentials (artifactCredentials): nothing here keeps them, and the event itself is never logged
(guide: action-reference-Lambda, "Important").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from chalicelib.errors import RefusedInput

_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")  # model: JobId
_ACCOUNT = re.compile(r"[0-9]{12}")  # model: AccountId


@dataclass(frozen=True)
class Job:
    """One request to answer. `account` is "?" where the event does not tell it, `user_parameters` None where the action has none."""

    id: str
    account: str
    user_parameters: str | None

    @classmethod
    def of(cls, event: object) -> Self:
        """Read the event of a Lambda action (guide: action-reference-Lambda, "JSON event").

        Raises RefusedInput where the event is no CodePipeline job, and says so without repeating it.
        """
        job = _mapping(_mapping(event).get("CodePipeline.job"))
        if not isinstance(job.get("id"), str) or not _JOB_ID.fullmatch(job["id"]):
            raise RefusedInput(
                "This event is no CodePipeline job: it has no `CodePipeline.job` with the `id` of one. "
                "The gate is invoked by an action of provider Lambda in a pipeline, not by hand."
            )
        configuration = _mapping(_mapping(_mapping(job.get("data")).get("actionConfiguration")).get("configuration"))
        parameters, account = configuration.get("UserParameters"), job.get("accountId")
        return cls(
            id=job["id"],
            account=account if isinstance(account, str) and _ACCOUNT.fullmatch(account) else "?",
            user_parameters=parameters if isinstance(parameters, str) else None,
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
