"""The path that nearly every invocation takes, nearly always cold: two AWS calls, and no import that it can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.calls import Calls
from tests.scene import Scene

ROOT = Path(__file__).parents[1]
OWN = {
    *("aws", "codepipeline", "executions", "errors"),
    *("gate", "job", "parameters", "dependency", "asking", "upstream"),
    *("messages", "wording", "log"),
}
"""All that it loads of chalicelib: a cold start compiles each."""
LOADED = """
import sys
import boto3, botocore.config, chalice
before = set(sys.modules)
from app import app
from chalicelib.gate import answer
from chalicelib import aws, codepipeline
aws.client("codepipeline", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
print(*sorted(name for name in set(sys.modules) - before))
"""


def test_an_open_gate_makes_two_calls(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", {"depends_on": ["infra"]})
    scene.start("k8s")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]


def test_it_loads_nothing_that_only_a_hold_needs() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in loaded if name.startswith("chalicelib.")} == {f"chalicelib.{name}" for name in OWN}
    assert "difflib" not in loaded
    assert not [name for name in loaded if name.startswith("concurrent.futures.")]
