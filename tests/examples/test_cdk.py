"""examples/cdk: synthesized as its README says, and its template in the sandbox's
CloudFormation.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import boto3
import pytest

from tests.examples import needs, story
from tests.examples.readme import ROOT, commands, run
from tests.support.scene import Scene

APP = ROOT / "examples/cdk"
REDUNDANT = "W3005"
"""A DependsOn that another reference makes superfluous. The CDK writes it."""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template that `cdk synth` makes of the app."""
    needs.there((APP / ".venv/ready").exists(), "the CDK is not installed: make examples")
    needs.there(shutil.which("npx") is not None, "there is no npx: install Node.js")
    *_, command = commands("CDK")
    verb = command.index("deploy")
    output = ("--quiet", "--no-version-reporting", "--output", str(tmp_path))
    options = (*output, "-c", "gate_stage=dev", *command[verb + 1 :])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # cfn-lint checks the template below. The CDK's own check would take longer than everything
    # else.
    environment["CDK_VALIDATION"] = "false"
    run(*command[:verb], "synth", *options, cwd=APP, env=environment)
    return tmp_path / "Pipelines.template.json"


def test_the_story(template: Path, scene: Scene) -> None:
    """One test for everything, because synthesis takes some seconds."""
    from cfnlint.api import lint_file  # noqa: PLC0415 - half a second in every worker
    from cfnlint.config import ManualArgs  # noqa: PLC0415

    assert lint_file(template, ManualArgs(ignore_checks=[REDUNDANT])) == []
    story.artifacts_are_private(json.loads(template.read_text()))
    boto3.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
    )  # as `cdk bootstrap` does
    boto3.client("cloudformation").create_stack(
        StackName="Pipelines", TemplateBody=template.read_text(), Capabilities=["CAPABILITY_IAM"]
    )
    story.plays(scene)
