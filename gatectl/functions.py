"""The deployments of the gate in a region, by their functions' names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.deployment import APP
from gatectl.session import Place

_NAME = re.compile(rf"{APP}-(?P<stage>[\w-]+)-(?P<which>gate|retry)")


@dataclass(frozen=True)
class Deployed:
    """What is there of the Chalice stage `stage`."""

    stage: str
    has_gate: bool
    has_retry: bool

    @property
    def gate(self) -> str:
        return f"{APP}-{self.stage}-gate"

    @property
    def retry(self) -> str:
        return f"{APP}-{self.stage}-retry"


def deployed(place: Place) -> list[Deployed]:
    """Every deployment of which at least one function is there."""
    pages = place.client("lambda").get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    found = [match for match in map(_NAME.fullmatch, names) if match]
    stages = sorted({match["stage"] for match in found})
    return [
        Deployed(
            stage,
            *(
                any(match["stage"] == stage and match["which"] == which for match in found)
                for which in ("gate", "retry")
            ),
        )
        for stage in stages
    ]
