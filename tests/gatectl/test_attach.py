"""`gatectl attach`."""

from __future__ import annotations

import json

from tests.gatectl.cli import run
from tests.scene import Scene


def test_it_shows_what_would_change_and_changes_it_with_a_yes(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    said = run("attach", "k8s", "--depends-on", "infra", typed="y\n")
    assert said.status == 0, said.err
    assert '+      "name": "Gate"' in said.out
    stages = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]["stages"]
    assert [stage["name"] for stage in stages] == ["Source", "Gate", "Deploy"]
    configuration = stages[1]["actions"][0]["configuration"]
    assert configuration["FunctionName"] == "pipeline-gate-dev-gate"
    assert json.loads(configuration["UserParameters"])["depends_on"] == ["infra"]
