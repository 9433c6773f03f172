"""What the stories' gates ask for."""

from __future__ import annotations

from typing import Any

from tests.support.scene import EXECUTION

Asked = dict[str, Any]


def ask(*depends_on: Any, pipeline: str = "k8s", **more: Any) -> Asked:
    """UserParameters of a gate in `pipeline`, with every key that the documents write."""
    return {
        "depends_on": list(depends_on or ("infra",)),
        "pipeline": pipeline,
        "execution": EXECUTION,
        **more,
    }
