"""What a hold of an hour costs. docs/costs.md quotes it."""

from __future__ import annotations

from tests.support.calls import Calls
from tests.support.held import hold_k8s
from tests.support.scene import Scene


def test_a_hold_of_an_hour_costs_two_executions_and_at_most_forty_calls(
    scene: Scene, calls: Calls
) -> None:
    hold_k8s(scene, seconds=3600, minutes=0)
    scene.wait(minutes=63)
    assert scene.statuses() == ["Succeeded", "Failed"]
    assert scene.rules() == []
    assert len(calls.made) <= 40
    print(f"AWS calls for a hold of an hour: {len(calls.made)}")
