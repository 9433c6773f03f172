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
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.account import REGION
from sandbox.awslambda import finished
from sandbox.server import RULE, SandboxServer

ACCOUNT = "123456789012"
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
    return {"arn": context.invoked_function_arn, "me": boto3.client("sts").get_caller_identity()["Arn"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Chalice app with one function."""
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice/config.json").write_text(
        json.dumps({"version": "2.0", "app_name": "small", "stages": {"test": {}}})
    )
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("")
    return tmp_path


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def call(server: SandboxServer, folder: Path, *words: str, expect: int = 0, text: str = "") -> str:
    """Run a command of this Python's environment against the server; what it prints."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        cwd=folder, env=server.environment(), input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def client(server: SandboxServer, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def test_chalice_deploys_invokes_shows_logs_and_deletes(
    server: SandboxServer, project: Path
) -> None:
    stage = ("--stage", "test")
    call(server, project, "chalice", "deploy", *stage)
    answer = call(server, project, "chalice", "invoke", *stage, "-n", "gate", text='"chalice"')
    assert json.loads(answer) == {
        "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:small-test-gate",
        "me": f"arn:aws:sts::{ACCOUNT}:assumed-role/small-test/small-test-gate",
    }
    failed = call(
        server, project, "chalice", "invoke", *stage, "-n", "gate", text='"fail"', expect=1
    )
    assert "ValueError: no" in failed
    logs = call(server, project, "chalice", "logs", *stage, "-n", "gate")
    assert "who asks? chalice" in logs
    assert "[ERROR] ValueError: no" in logs
    call(server, project, "chalice", "deploy", *stage)  # again, over what is there
    call(server, project, "chalice", "delete", *stage)
    assert client(server, "lambda").list_functions()["Functions"] == []


def test_the_aws_cli_invokes(server: SandboxServer, project: Path) -> None:
    call(server, project, "chalice", "deploy", "--stage", "test")
    text = call(
        server,
        project,
        "aws",
        "lambda",
        "invoke",
        "--function-name",
        "small-test-gate",
        "--payload",
        '"fail"',
        "out.json",
    )
    assert json.loads(text)["FunctionError"] == "Unhandled"
    assert json.loads((project / "out.json").read_text())["errorMessage"] == "no"
    client(server, "lambda").invoke(
        FunctionName="small-test-gate", InvocationType="Event", Payload=b'"event"'
    )
    while len(finished(ACCOUNT, REGION)) < 2:
        time.sleep(0.02)
    assert finished(ACCOUNT, REGION)[1].invocation.payload == '"event"'


def test_nothing_is_left_and_nothing_remembered(project: Path) -> None:
    threads = {thread.name for thread in threading.enumerate()}
    with SandboxServer() as server:
        call(server, project, "chalice", "deploy", "--stage", "test")
        client(server, "lambda").invoke(FunctionName="small-test-gate")
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)  # the function's process, kept warm
    deadline = time.monotonic() + 5
    while {
        thread.name for thread in threading.enumerate()
    } - threads and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {thread.name for thread in threading.enumerate()} <= threads
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    with SandboxServer() as server:
        assert client(server, "lambda").list_functions()["Functions"] == []


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
        url = re.search(
            r"^export AWS_ENDPOINT_URL=(http://127\.0\.0\.1:\d+)$", printed, re.MULTILINE
        )
        assert url
        pasted = printed.split(f"{RULE}\n")[1].splitlines()
        assert url[0] in pasted
        assert all(line.startswith(("export ", "unset ")) for line in pasted)
        lambda_client = boto3.client(
            "lambda",
            endpoint_url=url[1],
            region_name=REGION,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        assert lambda_client.list_functions()["Functions"] == []
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=10)[0]
    assert (process.returncode, rest) == (0, "")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.server", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is not free" in done.stderr
