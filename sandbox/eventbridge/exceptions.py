"""EventBridge's errors that moto has no class for."""

from __future__ import annotations

from moto.core.exceptions import JsonRESTError


class LimitExceededException(JsonRESTError):
    """More of something than the account's quota allows (model: PutRule, PutTargets)."""

    code = 400

    def __init__(self) -> None:
        super().__init__(
            "LimitExceededException", "The requested resource exceeds the maximum number allowed."
        )
