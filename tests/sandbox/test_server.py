"""The sandbox as a server: a real `chalice deploy`, real runtimes, real command lines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.account import ACCOUNT, PIPELINE_ROLE, REGION
from sandbox.awslambda import list_finished_runs
from sandbox.server import PASTE_BORDER, SandboxServer
from tests.sandbox.codepipeline_world import action, declaration
from tests.sandbox.functions import deploy
from tests.support.clients import make_session, server_client
from tests.support.connections import REPOSITORY, connection_source, trigger
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
APP = """
from chalice import Chalice
import boto3
app = Chalice("small")

@app.lambda_function(name="gate")
def gate(event, context):
    print("who asks?", event)
    if event == "fail":
        raise ValueError("no")
    me = boto3.client("sts").get_caller_identity()["Arn"]
    return {"arn": context.invoked_function_arn, "me": me}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Chalice app with one function."""
    (tmp_path / ".chalice").mkdir()
    config = {"version": "2.0", "app_name": "small", "stages": {"test": {}}}
    (tmp_path / ".chalice/config.json").write_text(json.dumps(config))
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("")
    return tmp_path


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python's environment."""
    program = str(Path(sys.executable).with_name(command[0]))
    return subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, **options
    )


def call(server: SandboxServer, folder: Path, *words: str, expect: int = 0, text: str = "") -> str:
    """Run a command against the server; what it prints."""
    done = run(*words, cwd=folder, env=server.environment(), input=text)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_chalice_deploys_invokes_shows_logs_and_deletes(
    server: SandboxServer, project: Path
) -> None:
    stage = ("--stage", "test")
    invoke = ("chalice", "invoke", *stage, "-n", "gate")
    call(server, project, "chalice", "deploy", *stage)
    answer = call(server, project, *invoke, text='"chalice"')
    assert json.loads(answer) == {
        "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:small-test-gate",
        "me": f"arn:aws:sts::{ACCOUNT}:assumed-role/small-test/small-test-gate",
    }
    assert "ValueError: no" in call(server, project, *invoke, text='"fail"', expect=1)
    logs = call(server, project, "chalice", "logs", *stage, "-n", "gate")
    assert "who asks? chalice" in logs
    assert "[ERROR] ValueError: no" in logs
    call(server, project, "chalice", "deploy", *stage)  # again, over what is there
    call(server, project, "chalice", "delete", *stage)
    assert server_client(server, "lambda").list_functions()["Functions"] == []


def test_the_aws_cli_invokes(server: SandboxServer, tmp_path: Path) -> None:
    deploy("def f(event, context): raise ValueError('no')")
    invoke = "aws lambda invoke --function-name f --payload {} out.json"
    text = call(server, tmp_path, *invoke.split())
    assert json.loads(text)["FunctionError"] == "Unhandled"
    assert json.loads((tmp_path / "out.json").read_text())["errorMessage"] == "no"


def test_an_event_runs_in_the_background(server: SandboxServer) -> None:
    deploy("def f(event, context): return event")
    awslambda = server_client(server, "lambda")
    awslambda.invoke(FunctionName="f", InvocationType="Event", Payload=b'"event"')
    wait_until(lambda: list_finished_runs(ACCOUNT, REGION) != [])
    assert list_finished_runs(ACCOUNT, REGION)[0].outcome.payload == '"event"'


def test_a_person_pushes_to_a_repository(server: SandboxServer) -> None:
    filters = trigger(
        push=[{"tags": {"includes": ["v*"]}}, {"branches": {"includes": ["fix"]}}],
        pullRequest=[{"filePaths": {"includes": ["src/**"]}, "branches": {"includes": ["main"]}}],
    )
    pipeline = declaration(
        [action("Build")],
        sources=[connection_source()],
        triggers=[filters],
        roleArn=PIPELINE_ROLE,
    )
    codepipeline = server_client(server, "codepipeline")
    codepipeline.create_pipeline(pipeline=pipeline)
    push = ("python", "-m", "sandbox.push", REPOSITORY)
    commands = [
        ("--tag", "v1", "--commit", "c0ffee"),
        ("--branch", "fix", "--message", "Fix"),
        ("--branch", "fix", "--into", "main", "--path", "src/a.py"),
    ]
    printed = [call(server, ROOT, *push, *command).splitlines() for command in commands]
    assert printed[0][0] == "commit c0ffee"
    assert all(re.fullmatch("commit [0-9a-f]{6,40}", lines[0]) for lines in printed)
    executions = codepipeline.list_pipeline_executions(pipelineName="k8s")
    started = [
        execution["pipelineExecutionId"]
        for execution in executions["pipelineExecutionSummaries"]
        if execution["trigger"]["triggerType"] == "WebhookV2"
    ]
    assert [lines[1] for lines in reversed(printed)] == started
    assert "No pipeline starts." in call(server, ROOT, *push)


def test_a_push_needs_a_sandbox() -> None:
    environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    push = ("python", "-m", "sandbox.push", REPOSITORY)
    assert "does not answer" in run(*push, cwd=ROOT, env=environment).stderr
    environment["AWS_ENDPOINT_URL"] = ""
    assert "make sandbox" in run(*push, cwd=ROOT, env=environment).stderr


def test_nothing_is_left_and_nothing_remembered() -> None:
    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    before = threads()
    with SandboxServer() as server:
        deploy("def f(event, context): return event")
        server_client(server, "lambda").invoke(FunctionName="f")
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)  # the function's process, kept warm
    wait_until(lambda: threads() <= before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    with SandboxServer() as server:
        assert server_client(server, "lambda").list_functions()["Functions"] == []


def test_the_environment_has_nothing_of_the_hosts(
    server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "host")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "host")
    environment = server.environment()
    assert environment["AWS_ENDPOINT_URL"] == server.url
    assert environment["PATH"] == os.environ["PATH"]
    assert "host" not in {value for name, value in environment.items() if name.startswith("AWS_")}


def test_the_command_prints_what_to_paste_and_ends_with_ctrl_c() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.server"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        printed = ""
        while "Ctrl-C" not in printed:
            printed += process.stdout.readline()
        url = re.search(r"(?m)^export AWS_ENDPOINT_URL=(http://127\.0\.0\.1:\d+)$", printed)
        assert url
        pasted = printed.split(f"{PASTE_BORDER}\n")[1].splitlines()
        assert url[0] in pasted
        assert all(line.startswith(("export ", "unset ")) for line in pasted)
        awslambda = make_session().client("lambda", endpoint_url=url[1])
        assert awslambda.list_functions()["Functions"] == []
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert (process.returncode, output) == (0, "")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("python", "-m", "sandbox.server", "--port", str(port), cwd=ROOT)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is not free" in done.stderr
