"""Several executions of one pipeline that wait at the same time."""

from __future__ import annotations

from tests.support.ask import ask
from tests.support.scene import Scene


def hold_in_parallel(
    scene: Scene, count: int = 2, *, hold: str = "restart", pause_minutes: float = 0
) -> list[str]:
    """infra runs for hours, and `count` executions of k8s, which is in PARALLEL mode, wait for it:
    each is started `pause_minutes` before the next. Returns them, oldest first.
    """
    scene.pipeline("infra", seconds=7200)
    scene.gated("k8s", ask("infra", hold=hold), mode="PARALLEL")
    scene.start("infra")
    executions = []
    for _ in range(count):
        executions.append(scene.start("k8s"))
        scene.wait(minutes=pause_minutes)
    return executions
