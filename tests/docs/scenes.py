"""What the documents' commands find: named as the documents name it. All begins on Monday noon, stage `dev`, region eu-central-1."""

from __future__ import annotations

from collections.abc import Callable

from tests.asking import ask
from tests.scene import Scene

SCENES: dict[str, Callable[[Scene], None]] = {}


def scene(name: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def named(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        SCENES[name] = play
        return play

    return named


@scene("two pipelines")
def two_pipelines(it: Scene) -> None:
    it.pipeline("infra")
    it.pipeline("k8s", seconds=60)


@scene("k8s waits for infra")
def one_hold(it: Scene) -> None:
    it.pipeline("infra")
    it.gated("k8s", ask("infra"))
    it.start("infra")
    it.start("k8s")


@scene("apps waits for k8s, which waits for infra")
def a_chain(it: Scene) -> None:
    one_hold(it)
    it.gated("apps", ask("k8s", pipeline="apps", hold="wait"))
    it.start("apps")


@scene("infra failed, k8s is not gated")
def infra_failed(it: Scene) -> None:
    it.pipeline("infra", seconds=60, outcome="Failed")
    it.pipeline("k8s", seconds=60)
    it.start("infra")
    it.wait(minutes=3)
