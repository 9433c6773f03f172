"""Lists that are answered newest first, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from sandbox.codepipeline.exceptions import InvalidNextTokenException

T = TypeVar("T")

MAX_PAGE_ITEMS = 100
"""Default and maximum of maxResults (model: ListPipelineExecutionsInput)."""


def page_newest_first(
    items: Sequence[T],
    keep: Callable[[T], bool],
    *,
    scope: str,
    size: int | None,
    token: str | None,
) -> tuple[list[T], str | None]:
    """A page of those `items` (oldest first, only ever appended to) that `keep` wants, and the
    token for the next page.

    `scope` names the list: a token of another list is an InvalidNextTokenException. Items that come
    in between two pages do not shift the later page.
    """
    index = len(items) if token is None else _decode_token(token, scope, len(items))
    page: list[T] = []
    while index > 0 and len(page) < (size or MAX_PAGE_ITEMS):
        index -= 1
        if keep(items[index]):
            page.append(items[index])
    has_older = any(keep(items[older]) for older in range(index - 1, -1, -1))
    return page, base64.urlsafe_b64encode(
        f"{scope}\n{index}".encode()
    ).decode() if has_older else None


def _decode_token(token: str, scope: str, length: int) -> int:
    try:
        token_scope, _, index = (
            base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("\n")
        )
        if token_scope == scope and 0 < int(index) <= length:
            return int(index)
    except (binascii.Error, ValueError):
        pass
    raise InvalidNextTokenException(
        "The nextToken is not one that an earlier call for the same list returned"
    )
