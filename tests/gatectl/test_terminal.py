"""The program at a real terminal, with the sandbox as a server: keys, pipes, colors, completion."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pexpect
import pytest

from sandbox.account import REGION
from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.support.cli import run
from tests.support.structures import GATE, pipeline, stage

GATECTL = str(Path(sys.executable).with_name("gatectl"))
ATTACH = ["attach", "k8s", "--depends-on", "infra"]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """A server with infra, k8s and a gate function that is never invoked."""
    with SandboxServer(dials=Dials(start_on_create=False)) as server:
        for name in ("infra", "k8s"):
            client(server, "codepipeline").create_pipeline(
                pipeline={**pipeline(stage("Build"), stage("Deploy")), "name": name}
            )
        role = client(server, "iam").create_role(RoleName="gate", AssumeRolePolicyDocument="{}")
        code = io.BytesIO()
        zipfile.ZipFile(code, "w").close()
        client(server, "lambda").create_function(
            FunctionName=GATE,
            Role=role["Role"]["Arn"],
            Code={"ZipFile": code.getvalue()},
            Handler="app.gate",
            Runtime="python3.11",
        )
        yield server


def client(server: SandboxServer, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def version(server: SandboxServer) -> int:
    return int(client(server, "codepipeline").get_pipeline(name="k8s")["pipeline"]["version"])


def reset_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def open_terminal(server: SandboxServer, program: str, words: list[str]) -> pexpect.spawn[str]:
    """Start a process at a terminal of 80 columns. Ctrl-C works in it even if it is ignored here,
    as under nohup.
    """
    environment = {
        **server.environment(),
        "TERM": "xterm-256color",
        "PATH": f"{Path(GATECTL).parent}:{os.environ['PATH']}",
    }
    environment.pop("COLUMNS", None)
    return pexpect.spawn(
        program,
        words,
        env=environment,
        dimensions=(60, 80),
        encoding="utf-8",
        timeout=120,
        preexec_fn=reset_ctrl_c,
    )


def read_to_end(process: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Return the exit status, and what it printed since the last read."""
    output = str(process.read())
    process.close()
    return process.exitstatus, output


def test_ctrl_c_at_the_question(server: SandboxServer) -> None:
    process = open_terminal(server, GATECTL, ATTACH)
    process.expect(re.escape("Change k8s? [y/N]: "))
    process.sendcontrol("c")
    status, output = read_to_end(process)
    assert (status, "Stopped. Nothing was changed." in output) == (130, True)
    assert "Traceback" not in output
    assert version(server) == 1


def test_added_lines_are_green(server: SandboxServer) -> None:
    words = [*ATTACH, "--after", "Build", "--dry-run"]
    status, output = read_to_end(open_terminal(server, GATECTL, words))
    assert status == 0
    assert '\x1b[32m+      "name": "Gate",' in output
    assert "\x1b[1;33mCaution: \x1b[0m" in output


def test_an_error_is_wrapped_between_words(server: SandboxServer) -> None:
    words = ["attach", "k8s", "--depends-on", "network-beyond"]
    status, output = read_to_end(open_terminal(server, GATECTL, words))
    assert (status, " ".join(output.split())) == (
        252,
        f"Error: There is no pipeline network-beyond in {REGION}; there are infra and k8s.",
    )
    assert [len(line) <= 80 for line in output.splitlines()] == [True, True]


def test_standard_input_is_closed(server: SandboxServer) -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", f"{GATECTL} {' '.join(ATTACH)} <&-"],
        env=server.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 252
    assert result.stderr.endswith(
        "because standard input is closed. Nothing was changed. Use --yes.\n"
    )
    assert version(server) == 1


@pytest.mark.parametrize(
    "words", [[*ATTACH, "--dry-run"], [*ATTACH, "--dry-run", "--json"], ["--help"]]
)
def test_a_reader_that_closes_the_pipe(server: SandboxServer, words: list[str]) -> None:
    """`| head` closes the pipe when it has enough. Then nothing is printed, and the status is not
    1, which would mean that faults were found.
    """
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [GATECTL, *words],
        env=server.environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes(server: SandboxServer, tmp_path: Path) -> None:
    """A shell with the line in its ~/.bashrc that `gatectl completion --help` shows. Bash also
    splits words at some characters. test_completion.py tests which names are completed.
    """
    line = 'eval "$(gatectl completion bash)"'
    assert line in run("completion", "--help").out
    bashrc = tmp_path / ".bashrc"
    bashrc.write_text(f"bind 'set enable-bracketed-paste off'\nPS1='ready> '\n{line}\n")
    shell = open_terminal(server, "bash", ["--rcfile", str(bashrc), "-i"])
    shell.expect("ready> ")
    for typed, completed in (
        ("gatectl att", "gatectl attach "),
        ("gatectl attach k8s --dep", "gatectl attach k8s --depends-on "),
        (
            "gatectl attach k8s --depends-on infra/De",
            "gatectl attach k8s --depends-on infra/Deploy ",
        ),
        (
            "gatectl attach Build --depends-on infra,k",
            "gatectl attach Build --depends-on infra,k8s ",
        ),
    ):
        shell.send(f"{typed}\t")
        shell.expect_exact(completed)
        shell.sendcontrol("u")
        shell.sendline("")
        shell.expect("ready> ")
    shell.close()
