"""The path of nearly every invocation, which nearly always is a cold start: two AWS calls, and no
import that it does not need.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chalice.app import LambdaFunction

import app
from tests.support.calls import Calls
from tests.support.scene import Scene

ROOT = Path(__file__).parents[1]
OWN = {
    *("gate_function", "runtime", "gate", "job", "parameters", "errors", "phrases"),
    *("aws", "aws.clients", "aws.codepipeline"),
    *(
        "holds",
        "holds.mode",
        "holds.verdict",
        "pipelines",
        "pipelines.execution",
        "pipelines.dependency",
    ),
    *("pipelines.reader", "pipelines.upstream"),
    *(
        "records",
        "records.log",
        "records.outcomes",
        "records.report",
        "answers",
        "wording",
        "wording.open_gate",
        "wording.refusals",
    ),
}
"""All that it loads of chalicelib: a cold start compiles each."""
LOADED = """
import sys
import chalicelib.gate_function
from chalicelib import runtime
assert "codepipeline" in vars(runtime.aws), "the client is made before the first event"
print(*sorted(sys.modules))
"""
LAMBDA = {
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
}


def test_an_open_gate_makes_two_calls(scene: Scene, calls: Calls) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", {"depends_on": ["infra"]})
    scene.start("k8s")
    assert calls.made == ["ListPipelineExecutions", "PutJobSuccessResult"]


def test_it_loads_nothing_that_only_a_hold_needs() -> None:
    command = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(
        command, cwd=ROOT, env=os.environ | LAMBDA, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in loaded if name.startswith("chalicelib.")} == {
        f"chalicelib.{name}" for name in OWN
    }
    assert not {"difflib", "concurrent.futures.thread", "chalice", "boto3"} & set(loaded)


@pytest.mark.parametrize(
    "function", app.app.pure_lambda_functions, ids=lambda function: function.name
)
def test_lambda_loads_the_functions_past_app_py(function: LambdaFunction) -> None:
    assert function.handler_string == f"chalicelib.{function.name}_function.{function.name}"
