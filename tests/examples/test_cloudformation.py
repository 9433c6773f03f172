"""examples/cloudformation in the sandbox's CloudFormation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3

from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.examples import story
from tests.examples.readme import CONNECTION, EXAMPLES, ROOT, commands, run
from tests.support.clients import server_client
from tests.support.scene import Scene

TEMPLATE = EXAMPLES / "cloudformation/pipelines.yaml"
PARAMETERS = {
    "GateStage": "dev",
    "ConnectionArn": CONNECTION,
    "InfraRepository": "example/infra",
    "K8sRepository": "example/k8s",
}


def request(template: str) -> dict[str, Any]:
    parameters = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()
    ]
    names = {"StackName": "pipelines", "Capabilities": ["CAPABILITY_IAM"]}
    return {**names, "TemplateBody": template, "Parameters": parameters}


def test_cfn_lint_has_nothing_to_say() -> None:
    from cfnlint.api import lint_file  # noqa: PLC0415 - half a second in every worker

    assert lint_file(TEMPLATE) == []


def test_the_story(scene: Scene) -> None:
    boto3.client("cloudformation").create_stack(**request(TEMPLATE.read_text()))
    story.plays(scene)
    story.no_policy_has_a_finding(scene)


def test_an_edited_template_edits_the_pipeline_and_without_the_stack_there_is_none(
    scene: Scene,
) -> None:
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(**request(TEMPLATE.read_text()))
    edited = TEMPLATE.read_text().replace(
        '"pipeline": "k8s",', '"pipeline": "k8s", "require": "succeeded",'
    )
    cloudformation.update_stack(**request(edited))
    pipeline = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
    configuration = pipeline["stages"][1]["actions"][0]["configuration"]
    assert json.loads(configuration["UserParameters"])["require"] == "succeeded"
    assert pipeline["version"] == 2
    cloudformation.delete_stack(StackName="pipelines")
    assert scene.codepipeline.list_pipelines()["pipelines"] == []


def test_the_artifacts_are_private_encrypted_and_over_tls_only() -> None:
    from cfnlint.decode import decode  # noqa: PLC0415

    template, _ = decode(str(TEMPLATE))
    story.artifacts_are_private(template)


def test_the_readmes_command_deploys_it() -> None:
    (command,) = commands("CloudFormation")
    with SandboxServer(dials=Dials(start_on_create=False)) as server:
        program = str(Path(sys.executable).with_name(command[0]))
        run(program, *command[1:], cwd=ROOT, env=server.environment())
        codepipeline = server_client(server, "codepipeline")
        names = [pipeline["name"] for pipeline in codepipeline.list_pipelines()["pipelines"]]
        assert names == ["infra", "k8s"]
        gate = codepipeline.get_pipeline(name="k8s")["pipeline"]["stages"][1]["actions"][0]
    assert gate["configuration"]["FunctionName"] == "pipeline-gate-prod-gate"
