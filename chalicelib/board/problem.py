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
            f"AWS no longer accepts the Board's credentials ({error.code}). Renew "
            "them, for example with aws sso login. The Board reads your AWS configuration again "
            "automatically. If the credentials are in AWS_... variables, restart the Board.",
            credentials=True,
        )
    if isinstance(error, NotPermitted):
        return Problem(
            f"{error}. Allow this call for the user or role that the Board runs as. docs/board.md "
            "lists every permission that it needs.",
            credentials=True,
        )
    if isinstance(error, NoAnswer):
        return Problem(f"{error}. The Board tries again automatically.")
    if isinstance(error, BotoCoreError):
        return Problem(
            f"{str(error).rstrip('.')}. Configure it as for the AWS CLI: run aws configure, or "
            "set AWS_PROFILE and AWS_DEFAULT_REGION. The Board reads your AWS configuration again "
            "automatically. If you set variables, restart the Board.",
            credentials=True,
        )
    kind = str(error) if isinstance(error, UnexpectedAnswer) else type(error).__name__
    return Problem(
        f"The Board itself failed ({kind}). It tries again automatically. If this continues, "
        "report what its log says.",
        defect=True,
    )
