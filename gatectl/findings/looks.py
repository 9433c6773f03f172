"""Looks at AWS that may be denied: then the fact is left out, and what could not be looked at is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import NoAnswer, NotPermitted, error_code, translate_error
from chalicelib.phrases import join_names
from gatectl.findings.facts import Unseen
from gatectl.unseen import by_reason

GONE = {"ResourceNotFoundException", "PipelineNotFoundException", "NoSuchEntity"}
"""AWS's words for: there is no such thing (model: the errors of each service)."""

Found = TypeVar("Found")


class Looks:
    def __init__(self) -> None:
        self._unseen: dict[str, str] = {}

    def aside(self, unseen: Mapping[str, str]) -> None:
        """Single pipelines that AWS does not let be looked at, and why (landscape/account.py)."""
        for why, names in by_reason(unseen).items():
            self._unseen.setdefault(
                f"the pipeline{'s' * (len(names) > 1)} {join_names(names)}", why
            )

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        return tuple(Unseen(what, why) for what, why in self._unseen.items())

    def at(
        self,
        what: str,
        action: str,
        ask: Callable[[], Found],
        gone: Found | None = None,
        *,
        or_unanswered: bool = False,
    ) -> Found | None:
        """What `ask` returns; `gone` where AWS says that there is no such thing; None where AWS
        denies `action`, or (`or_unanswered`) does not answer, and then `what` is unseen. Raises
        NoAnswer or UnexpectedAnswer else.
        """
        try:
            return ask()
        except (ClientError, BotoCoreError, NotPermitted, NoAnswer) as error:
            if isinstance(error, ClientError) and error_code(error) in GONE:
                return gone
            sorted_error = (
                translate_error(error, action)
                if isinstance(error, (ClientError, BotoCoreError))
                else error
            )
            if isinstance(sorted_error, NotPermitted) or (
                or_unanswered and isinstance(sorted_error, NoAnswer)
            ):
                self._unseen.setdefault(what, str(sorted_error))
                return None
            raise sorted_error from error
