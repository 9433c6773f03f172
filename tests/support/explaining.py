"""`gatectl explain` as its tests ask it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cli import Said, run
from tests.support.person import act_as_person
from tests.support.scene import Scene

EVERYTHING: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def explains(
    *sentences: str,
    pipeline: str = "k8s",
    execution: str | None = None,
    begins: str = "",
    states: list[str] | None = None,
) -> Said:
    """Check that explain says these sentences, begins so, and reports these states to programs."""
    arguments = (pipeline, *(("--execution", execution[:8]) if execution else ()))
    said = run("explain", *arguments)
    assert said.status == 0, said.err
    assert said.words.startswith(begins), said.words
    for sentence in sentences:
        assert sentence in said.words, f"{sentence} is not in: {said.words}"
    if states is not None:
        assert read_states(*arguments) == states, said.words
    return said


def words(pipeline: str = "k8s") -> str:
    return explains(pipeline=pipeline).words


def read_states(*arguments: str) -> list[str]:
    """The words for programs."""
    explained = run("explain", *(arguments or ("k8s",)), "--json").json()["explained"]
    return [statement["state"] for statement in explained]


def commands(said: Said) -> list[str]:
    return [line.strip() for line in said.out.splitlines() if line.startswith("  ")]


def shorten_id(scene: Scene, name: str, number: int = 0) -> str:
    """Of a pipeline's execution, the newest first, as people read it."""
    return scene.executions(name)[number]["pipelineExecutionId"][:8]


def deny(monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """From now on AWS denies the person who asks this."""
    denied = {"Effect": "Deny", "Action": action, "Resource": "*"}
    act_as_person(monkeypatch, EVERYTHING, denied)
