"""Why the Board could not read the account, in words: what happened, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from chalicelib.errors import CredentialsRejected, NoAnswer, NotPermitted, UnexpectedAnswer


@dataclass(frozen=True)
class Problem:
    """Why the account could not be read.

    `text`: sentences for people. `credentials`: whether other credentials may help, so that they
    have to be read again. `defect`: whether it is a defect of the Board.
    """

    text: str
    credentials: bool = False
    defect: bool = False


def describe_problem(error: Exception) -> Problem:
    """Return the problem that an error means."""
    if isinstance(error, CredentialsRejected):
        return Problem(
            f"AWS does not take the Board's credentials any more ({error.code}). "
            "Renew them, for example with aws sso login: "
            "the Board takes new ones from your AWS configuration by itself. If they are in "
            "AWS_... variables, start it again.",
            credentials=True,
        )
    if isinstance(error, NotPermitted):
        return Problem(
            f"{error}. Allow it to whom the Board runs as: docs/board.md has all that it needs.",
            credentials=True,
        )
    if isinstance(error, NoAnswer):
        return Problem(f"{error}. The Board asks again by itself.")
    if isinstance(error, BotoCoreError):
        return Problem(
            f"{str(error).rstrip('.')}. Set it as for the AWS CLI: aws configure, or AWS_PROFILE "
            "and AWS_DEFAULT_REGION. The Board "
            "takes what changes in your AWS configuration by itself; if you set variables, start "
            "it again.",
            credentials=True,
        )
    kind = str(error) if isinstance(error, UnexpectedAnswer) else type(error).__name__
    return Problem(
        f"The Board itself failed ({kind}). It tries again by itself; if it goes on, report what "
        "its log says.",
        defect=True,
    )
