"""A bad afternoon: pipelines wait in each of the modes, one has failed, another needs a person, and
most are fine.
"""

from __future__ import annotations

from tests.support.ask import ask
from tests.support.scene import Scene

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"
LINK = "https://a.invalid/"
REFUSING = {"pipeline": "web", "link": LINK, "stage": "Gate", "action": "Wait", "problem": "no"}
RULE = {"name": "rule", "link": LINK, "made": None, "has_target": True, "description": "d"}
PARKED = {"pipeline": "web", "execution": {"id": "e", "link": LINK}, "upstreams": ["api", "infra"]}
FAULTS = {
    "parked": [PARKED],
    "refusing": [REFUSING],
    "left_over": [RULE],
    "deadlocks": [{"pipelines": ["api", "web"], "text": "api waits for web."}],
}
"""Faults that the page can show in addition."""


def play(scene: Scene) -> None:
    """infra runs for a long time; k8s waits for it and apps for k8s, and reports in the mode wait;
    api waits until database has succeeded.
    """
    scene.pipeline("network", seconds=60)
    scene.pipeline("infra", seconds=5400)
    scene.pipeline("database", seconds=200, outcome="Failed")
    scene.staged("release", ("Build", 30), ("Approve", 0))
    scene.gated("k8s", ask("infra", "network", give_up_minutes=90))
    scene.gated("apps", ask("k8s", pipeline="apps", hold="retry"))
    scene.gated(
        "api", ask({"pipeline": "database", "require": "succeeded"}, "network", pipeline="api")
    )
    scene.gated("reports", ask("infra", pipeline="reports", hold="wait"))
    scene.gated("web", ask("api", DNS, pipeline="web", observe=True))
    scene.gated("smoke-tests", ask("apps", "web", pipeline="smoke-tests", observe=True))
    scene.gated("announce", ask({"pipeline": "release", "parked": "pass"}, pipeline="announce"))
    for name in ("web", "smoke-tests", "announce"):
        scene.start(name)
    scene.wait(minutes=26)
    scene.start("network")
    scene.start("release")
    scene.start("infra")
    scene.wait(minutes=4)
    scene.start("database")
    scene.start("k8s")
    scene.wait(minutes=3)
    scene.start("apps")
    scene.start("reports")
    scene.wait(minutes=2)
    scene.start("api")
    scene.wait(minutes=8, seconds=19)
