"""A hold and its upstream, as the messages about them take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.upstream import Upstream

NOW = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC)
DEADLINE = NOW + timedelta(hours=2)
HOLD = Hold("the-rule", "k8s", "5e6f7a8b-0", (), NOW)
INFRA = Upstream(
    Dependency("infra"),
    (
        Execution(
            "1a2b3c4d-0000-4000-8000-000000000001", "InProgress", NOW - timedelta(minutes=3), NOW
        ),
    ),
)
