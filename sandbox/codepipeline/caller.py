"""The caller of a request, as for example `trigger.triggerDetail` shows it."""

from __future__ import annotations

from moto.core.responses import BaseResponse
from moto.sts.models import sts_backends


def find_caller_arn(response: BaseResponse) -> str:
    """The caller's ARN: the session's for the keys of an assumed role (they start with ASIA), else
    the account's root.
    """
    account_id, access_key = response.current_account, response.get_access_key()
    if access_key.startswith("ASIA"):
        session = sts_backends[account_id][response.partition].get_assumed_role_from_access_key(
            access_key
        )
        if session is not None:
            return session.arn
    return f"arn:{response.partition}:iam::{account_id}:root"
