"""Executions as plain data, in minutes after a noon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.pipelines.execution import Execution

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ran(begin: float, end: float, status: str = "Succeeded", kind: str = "STANDARD") -> Execution:
    return Execution(
        id=f"{begin}-{end}", status=status, started=at(begin), updated=at(end), kind=kind
    )
