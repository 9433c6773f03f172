"""The Lambda runtime that the tests of a process share."""

from __future__ import annotations

from chalicelib import runtime


def start_runtime() -> None:
    """Forget what belongs to another world: sessions in other accounts, and permissions."""
    kept = vars(runtime.aws)
    kept.pop("_other_accounts", None)
    if "lambda_permissions" in kept:
        kept["lambda_permissions"].allowed.clear()
