"""Python and Lambda's runtime client, and nothing to do."""

from typing import Any


def gate(event: Any, context: Any) -> None:
    pass
