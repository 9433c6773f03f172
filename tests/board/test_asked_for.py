"""`chalice local` serves the Board. It is deployed only if BOARD says so, and then needs IAM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from playwright.sync_api import expect

from chalicelib.board import serves_board
from chalicelib.errors import Misconfigured
from sandbox.account import REGION
from sandbox.clock import utcnow
from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.board.conftest import Visit
from tests.board.serving import get
from tests.support.ask import ask
from tests.support.project import copy_project
from tests.support.scene import GATE, gate_stage

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


def chalice(project: Path, *words: str, environment: dict[str, str] | None = None) -> None:
    environment = environment or {**os.environ, "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run(
        [BIN / "chalice", *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def package(project: Path, stage: str, board: str, *options: str) -> dict[str, Any]:
    """The template's resources, packaged with this BOARD in the settings of a stage that is like
    dev.
    """
    config = json.loads((project / ".chalice/config.json").read_text())
    config["stages"][stage] = {**config["stages"]["dev"], "environment_variables": {"BOARD": board}}
    (project / ".chalice/config.json").write_text(json.dumps(config))
    chalice(project, "package", "--stage", stage, *options, "out")
    resources: dict[str, Any] = json.loads((project / "out/sam.json").read_text())["Resources"]
    return resources


@pytest.mark.parametrize("stage", ["dev", "local"])
def test_it_is_not_deployed_unless_it_is_asked_for(project: Path, stage: str) -> None:
    kinds = {one["Type"] for one in package(project, stage, "").values()}
    assert kinds == {"AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::Serverless::Function"}


def test_deployed_every_route_is_behind_iam_and_its_function_has_a_policy_of_its_own(
    project: Path,
) -> None:
    resources = package(project, "dev", "on", "--merge-template", ".chalice/merge-board.json")
    api = resources["RestAPI"]["Properties"]["DefinitionBody"]
    routes = {
        f"{method} {path}": route["security"]
        for path, methods in api["paths"].items()
        for method, route in methods.items()
    }
    assert routes == {"get /": [{"sigv4": []}], "get /state": [{"sigv4": []}]}
    assert api["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    (policy,) = resources["ApiHandlerRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"] == json.loads((ROOT / ".chalice/policy-board.json").read_text())
    assert resources["APIHandler"]["Properties"]["Handler"] == "app.app"
    for name in ("Gate", "Retry"):
        assert resources[name]["Properties"]["Handler"] != "app.app"
    linted = subprocess.run(
        [BIN / "cfn-lint", project / "out/sam.json"], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_a_word_that_is_no_answer_is_refused() -> None:
    with pytest.raises(Misconfigured, match='BOARD is "yes", but must be "on" or empty'):
        serves_board({"BOARD": "yes"})


@contextmanager
def chalice_local(
    project: Path, environment: dict[str, str], *options: str
) -> Iterator[tuple[str, Callable[[], str]]]:
    """A real `chalice local`, until the block ends; yields its address, and what ends it and
    returns what it has printed.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(BIN / "chalice"), "local", "--port", str(port), *options]
    # Compiled files would be changes, at which chalice local starts again.
    environment = {**environment, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout

        def rest() -> str:
            os.killpg(process.pid, signal.SIGTERM)
            return str(process.communicate()[0])

        try:
            printed = process.stdout.readline()
            assert printed == f"Serving on http://127.0.0.1:{port}\n"
            yield f"http://127.0.0.1:{port}/", rest
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(dials=Dials(start_on_create=False)) as server:
        yield server


def pipelines(sandbox: SandboxServer, gate: str) -> Any:
    """infra, which works for long, and k8s, whose gate is this function; returns a client."""
    client = boto3.client(
        "codepipeline",
        endpoint_url=sandbox.url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    infra, k8s = (
        json.loads((ROOT / f"examples/{name}.json").read_text())["pipeline"]
        for name in ("infra", "k8s")
    )
    infra["stages"][1]["actions"][0]["configuration"]["SandboxSeconds"] = "600"
    stage = gate_stage(ask())
    stage["actions"][0]["configuration"]["FunctionName"] = gate
    k8s["stages"].insert(1, stage)
    for pipeline in (infra, k8s):
        client.create_pipeline(pipeline=pipeline)
    return client


def test_chalice_local_serves_it_without_being_asked(
    sandbox: SandboxServer, project: Path, visit: Visit
) -> None:
    pipelines(sandbox, GATE)
    with chalice_local(project, sandbox.environment()) as (url, rest):
        page = visit(url, at=utcnow())
        expect(page.locator(".node .name")).to_have_text(["infra", "k8s"])
        expect(page.get_by_text("No pipeline is waiting.")).to_be_visible()
        hosts = ("localhost:8000", "[::1]:8000", "stranger.example:8000", "[", "")
        assert [get(f"{url}state", Host=host)[0] for host in hosts] == [200, 200, 403, 403, 403]
        assert "Warning" not in rest()


def test_the_whole_story_on_the_board(sandbox: SandboxServer, project: Path, visit: Visit) -> None:
    """`chalice deploy`, a hold by the deployed gate, and its end, seen in `chalice local`."""
    chalice(project, "deploy", "--stage", "sandbox", environment=sandbox.environment())
    client = pipelines(sandbox, "pipeline-gate-sandbox-gate")
    infra = client.start_pipeline_execution(name="infra")["pipelineExecutionId"]
    client.start_pipeline_execution(name="k8s")
    with chalice_local(project, sandbox.environment(), "--no-autoreload") as (url, rest):
        page = visit(url, at=utcnow())
        page.clock.resume()
        expect(page.locator(".card h3")).to_have_text("k8s is waiting for infra")
        client.stop_pipeline_execution(
            pipelineName="infra", pipelineExecutionId=infra, abandon=True
        )
        expect(page.get_by_role("log")).to_contain_text("k8s is no longer waiting.")
        assert get(f"{url}state", Host="stranger.example:8000")[0] == 403
        assert "Warning" not in rest()
