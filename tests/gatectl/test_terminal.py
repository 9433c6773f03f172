"""The program itself at a real terminal, against the sandbox as a server: keys, pipes, colours, and
a shell that completes.
"""

from __future__ import annotations

import io
import os
import re
import shutil
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
from tests.support.structures import GATE, pipeline, stage

GATECTL = str(Path(sys.executable).with_name("gatectl"))
ATTACH = ["attach", "k8s", "--depends-on", "infra"]
QUESTION = re.escape("Change k8s? [y/N]: ")
NOTHING = "Stopped. Nothing was changed."


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """infra and k8s, and the record of a gate; nothing runs."""
    with SandboxServer(dials=Dials(start_on_create=False)) as server:
        for name in ("infra", "k8s"):
            client(server, "codepipeline").create_pipeline(
                pipeline={**pipeline(stage("Build"), stage("Deploy")), "name": name}
            )
        role = client(server, "iam").create_role(RoleName="gate", AssumeRolePolicyDocument="{}")[
            "Role"
        ]["Arn"]
        code = {"ZipFile": an_empty_zip()}
        client(server, "lambda").create_function(
            FunctionName=GATE, Role=role, Code=code, Handler="app.gate", Runtime="python3.11"
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


def an_empty_zip() -> bytes:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    return content.getvalue()


def version(server: SandboxServer) -> int:
    return int(client(server, "codepipeline").get_pipeline(name="k8s")["pipeline"]["version"])


def at_a_terminal(
    server: SandboxServer, program: str, words: list[str], **more: str
) -> pexpect.spawn[str]:
    """A process at a terminal of 80 columns."""
    environment = {
        **server.environment(),
        "TERM": "xterm-256color",
        "PATH": f"{Path(GATECTL).parent}:{os.environ['PATH']}",
        **more,
    }
    environment.pop("COLUMNS", None)
    return pexpect.spawn(
        program, words, env=environment, dimensions=(60, 80), encoding="utf-8", timeout=60
    )


def ended(process: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Its exit status, and what it printed last."""
    rest = str(process.read())
    process.close()
    return process.exitstatus, rest


class TestAttach:
    def test_ctrl_c_at_the_question(self, server: SandboxServer) -> None:
        process = at_a_terminal(server, GATECTL, ATTACH)
        process.expect(QUESTION)
        process.sendcontrol("c")
        status, rest = ended(process)
        assert (status, NOTHING in rest, "Traceback" in rest) == (130, True, False)
        assert version(server) == 1

    def test_what_comes_is_green_at_a_terminal_and_plain_in_a_pipe(
        self, server: SandboxServer
    ) -> None:
        process = at_a_terminal(server, GATECTL, [*ATTACH, "--after", "Build", "--dry-run"])
        status, shown = ended(process)
        assert status == 0
        assert '\x1b[32m+      "name": "Gate",' in shown
        assert "\x1b[1;33mCaution: \x1b[0m" in shown
        said = subprocess.run(
            [GATECTL, *ATTACH, "--dry-run"],
            env=server.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "\x1b" not in said.stdout

    def test_a_complaint_breaks_between_words_at_a_terminal_and_not_in_a_log(
        self, server: SandboxServer
    ) -> None:
        told = f"Error: There is no pipeline network-beyond in {REGION}; there are infra and k8s."
        words = ["attach", "k8s", "--depends-on", "network-beyond"]
        status, shown = ended(at_a_terminal(server, GATECTL, words))
        assert (status, " ".join(shown.split())) == (252, told)
        assert [len(line) <= 80 for line in shown.splitlines()] == [True, True]
        said = subprocess.run(
            [GATECTL, *words], env=server.environment(), capture_output=True, text=True, check=False
        )
        assert said.stderr == f"{told}\n"

    @pytest.mark.parametrize("stdin", ["closed", "empty"])
    def test_nobody_to_ask(self, server: SandboxServer, stdin: str) -> None:
        line = f"{GATECTL} {' '.join(ATTACH)} {'<&-' if stdin == 'closed' else '</dev/null'}"
        said = subprocess.run(
            ["/bin/sh", "-c", line],
            env=server.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 252
        assert said.stderr.endswith(
            "standard input is closed or at its end: add --yes. Nothing was changed.\n"
        )
        assert version(server) == 1

    @pytest.mark.parametrize(
        "words",
        [
            [*ATTACH, "--dry-run"],
            [*ATTACH, "--dry-run", "--json"],
            ["graph"],
            ["--help"],
            ["graph", "--help"],
        ],
    )
    def test_a_reader_that_goes_away(self, server: SandboxServer, words: list[str]) -> None:
        """As with `| head`, which closes the pipe when it has enough: nothing is said, and it is
        not 1, as if faults were found.
        """
        reading, writing = os.pipe()
        os.close(reading)
        said = subprocess.run(
            [GATECTL, *words],
            env=server.environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writing)
        assert (said.returncode, said.stderr) == (141, "")

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
    def test_a_terminal_that_cannot_show_everything(
        self, server: SandboxServer, encoding: str, tmp_path: Path
    ) -> None:
        environment = {**server.environment(), "LC_ALL": "C", "PYTHONIOENCODING": encoding}
        structure = {
            **pipeline(
                stage("Deploy"), variables=[{"name": "where", "defaultValue": "\u96f2\u2714"}]
            ),
            "name": encoding,
        }
        client(server, "codepipeline").create_pipeline(pipeline=structure)
        for words in (
            ["attach", encoding, "--depends-on", "infra", "--bypass", "--dry-run"],
            ["explain", "\u96f2"],
            ["graph"],
            ["check"],
        ):
            said = subprocess.run(
                [GATECTL, *words], env=environment, capture_output=True, check=False
            )
            assert b"Traceback" not in said.stderr
            assert said.returncode == (252 if "explain" in words else 0), said.stderr
        client(server, "codepipeline").delete_pipeline(name=encoding)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash on this machine")
class TestBash:
    @pytest.fixture(scope="class")
    @classmethod
    def bash(
        cls, server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[pexpect.spawn[str]]:
        """A shell that has the line in its ~/.bashrc which `gatectl completion` tells."""
        script = subprocess.run(
            [GATECTL, "completion", "bash"], capture_output=True, text=True, check=True
        ).stdout
        line = script.splitlines()[-1].partition("~/.bashrc: ")[2]
        bashrc = tmp_path_factory.mktemp("home") / ".bashrc"
        bashrc.write_text(f"bind 'set enable-bracketed-paste off'\nPS1='ready> '\n{line}\n")
        shell = at_a_terminal(server, "bash", ["--rcfile", str(bashrc), "-i"])
        shell.expect("ready> ")
        yield shell
        shell.close()

    @pytest.mark.parametrize(
        ("typed", "completed"),
        [
            ("gatectl att", "gatectl attach "),
            ("gatectl attach k", "gatectl attach k8s "),
            ("gatectl attach k8s --dep", "gatectl attach k8s --depends-on "),
            ("gatectl attach k8s --depends-on in", "gatectl attach k8s --depends-on infra "),
            (
                "gatectl attach k8s --depends-on infra/De",
                "gatectl attach k8s --depends-on infra/Deploy ",
            ),
            (
                "gatectl attach Build --depends-on infra,k",
                "gatectl attach Build --depends-on infra,k8s ",
            ),
            (
                "gatectl attach k8s --depends-on infra --after Bu",
                "gatectl attach k8s --depends-on infra --after Build ",
            ),
            ("gatectl attach k8s --hold w", "gatectl attach k8s --hold wait "),
            ("gatectl detach k", "gatectl detach k8s "),
        ],
    )
    def test_tab(self, bash: pexpect.spawn[str], typed: str, completed: str) -> None:
        bash.send(f"{typed}\t")
        bash.expect_exact(completed)
        bash.sendcontrol("u")
        bash.sendline("")
        bash.expect("ready> ")
