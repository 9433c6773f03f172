"""docs/upgrade.md: the trial deployment, as written, in a real sandbox."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.support.clients import server_client
from tests.support.waiting import wait_until
from tests.support.work import DrivenWork

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UPGRADE, TRIAL, END_OF_TRIAL = (
    token.content.splitlines()
    for token in MarkdownIt().parse((ROOT / "docs/upgrade.md").read_text())
    if token.type == "fence" and token.info == "sh"
)


def test_one_pipeline_tries_a_new_version_and_goes_back(clone: Path) -> None:
    with SandboxServer(dials=Dials(start_on_create=False)) as server:

        def run(line: str) -> None:
            """Run a command, and say yes if it asks."""
            program, *words = shlex.split(line, comments=True)
            agreed = ["--yes"] if words[0] == "attach" or "--mend" in words else []
            done = subprocess.run(
                [BIN / program, *words, *agreed],
                cwd=clone,
                env=server.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr

        codepipeline = server_client(server, "codepipeline")

        def status_of_k8s() -> str:
            executions = codepipeline.list_pipeline_executions(pipelineName="k8s")
            return str(executions["pipelineExecutionSummaries"][0]["status"])

        run(next(line for line in UPGRADE if line.startswith("chalice")))
        for name in ("infra", "k8s"):
            path = clone / f"examples/{name}.json"
            run(f"aws codepipeline create-pipeline --cli-input-json file://{path}")
        run("gatectl attach k8s --depends-on infra --hold retry")
        for line in TRIAL:
            run(line)

        work = DrivenWork("infra")
        for name in ("infra", "k8s"):
            codepipeline.start_pipeline_execution(name=name)
        events = server_client(server, "events")
        wait_until(lambda: status_of_k8s() == "Failed")
        (rule,) = events.list_rules()["Rules"]
        assert rule["Name"].startswith("pipeline-gate-next-")
        work.end_work("infra")
        wait_until(lambda: status_of_k8s() == "Succeeded")

        for line in END_OF_TRIAL:
            run(line)
        assert events.list_rules()["Rules"] == []
        functions = server_client(server, "lambda").list_functions()["Functions"]
        names = sorted(function["FunctionName"] for function in functions)
        assert names == ["pipeline-gate-prod-gate", "pipeline-gate-prod-retry"]
        gate = codepipeline.get_pipeline(name="k8s")["pipeline"]["stages"][1]["actions"][0]
        assert gate["configuration"]["FunctionName"] == "pipeline-gate-prod-gate"
