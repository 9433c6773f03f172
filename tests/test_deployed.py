"""The gate deployed into the sandbox, with `chalice deploy` and as a CloudFormation stack: the
functions run in their own processes, rules fire, and the AWS CLI reads the results.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.server import SandboxServer
from sandbox.world import Dials
from tests.support.project import copy_project
from tests.support.waiting import wait_until
from tests.support.work import DrivenWork

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
EXAMPLES = ROOT / "examples"
GATE = "pipeline-gate-prod-gate"
BUCKET = "deployments"
(STACK,) = re.findall(
    r"```sh\n(chalice package.*?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL
)
"""The commands that deploy the gate as a stack."""


class Deployed:
    """The app, deployed from a copy of the project to a server of its own, with the AWS CLI and
    chalice.
    """

    def __init__(self, server: SandboxServer, project: Path) -> None:
        self._environment = server.environment()
        self._project = project
        self._session = boto3.Session(
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            region_name=self._environment["AWS_DEFAULT_REGION"],
        )
        self._url = server.url

    def client(self, service: Any) -> Any:
        return self._session.client(service, endpoint_url=self._url)

    def run(self, commands: str) -> None:
        """Run the commands of a document."""
        for line in commands.replace("\\\n", "").splitlines():
            program, *words = shlex.split(line)
            self._run(BIN / program, *words)

    def change_settings(self, **variables: str) -> None:
        path = self._project / ".chalice/config.json"
        config = json.loads(path.read_text())
        config["environment_variables"] |= variables
        path.write_text(json.dumps(config))

    def chalice(self, *arguments: str) -> str:
        return self._run(BIN / "chalice", *arguments)

    def gatectl(self, *arguments: str) -> str:
        return self._run(BIN / "gatectl", *arguments)

    def aws(self, *arguments: str) -> Any:
        return json.loads(self._run(BIN / "aws", *arguments, "--output", "json"))

    def read_log(self, function: str) -> str:
        group = f"/aws/lambda/{function}"
        events = self.client("logs").filter_log_events(logGroupName=group)["events"]
        return "\n".join(event["message"] for event in events)

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=self._project,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=["chalice", "stack"])
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    project = copy_project(tmp_path_factory.mktemp("project"))
    with SandboxServer(dials=Dials(start_on_create=False)) as server:
        deployed = Deployed(server, project)
        if request.param == "chalice":
            deployed.chalice("deploy", "--stage", "prod")
            yield deployed
            deployed.chalice("delete", "--stage", "prod")
        else:
            s3 = deployed.client("s3")
            region = {"LocationConstraint": s3.meta.region_name}
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
            deployed.run(STACK.replace("YOUR_BUCKET", BUCKET))
            yield deployed
            deployed.change_settings(RETRY_MINUTES="10")
            deployed.run(STACK.replace("YOUR_BUCKET", BUCKET))
            gate = deployed.client("lambda").get_function_configuration(FunctionName=GATE)
            assert gate["Environment"]["Variables"]["RETRY_MINUTES"] == "10"
            deployed.run("aws cloudformation delete-stack --stack-name pipeline-gate-prod")
            roles = deployed.aws("iam", "list-roles")["Roles"]
            assert not [role for role in roles if "gate" in role["RoleName"].lower()]
        assert deployed.aws("lambda", "list-functions")["Functions"] == []


def test_the_whole_story(deployed: Deployed) -> None:
    for name in ("infra", "k8s"):
        deployed.aws(
            "codepipeline", "create-pipeline", "--cli-input-json", f"file://{EXAMPLES / name}.json"
        )
    deployed.gatectl("attach", "k8s", "--depends-on", "infra", "--yes")
    codepipeline = deployed.client("codepipeline")

    def statuses(pipeline: str) -> list[str]:
        return [
            one["status"]
            for one in codepipeline.list_pipeline_executions(pipelineName=pipeline)[
                "pipelineExecutionSummaries"
            ]
        ]

    work = DrivenWork("infra")
    codepipeline.start_pipeline_execution(name="infra")
    codepipeline.start_pipeline_execution(name="k8s")
    wait_until(lambda: statuses("k8s") == ["Failed"])
    (rule,) = deployed.aws("events", "list-rules")["Rules"]
    assert rule["Name"].startswith("pipeline-gate-prod-")
    assert statuses("infra") == ["InProgress"]

    work.end_work("infra")
    wait_until(lambda: len(statuses("k8s")) == 2)
    seen = deployed.aws("codepipeline", "list-pipeline-executions", "--pipeline-name", "k8s")[
        "pipelineExecutionSummaries"
    ]
    assert seen[0]["trigger"]["triggerDetail"].endswith("/pipeline-gate-prod-retry")
    (infra,) = codepipeline.list_pipeline_executions(pipelineName="infra")[
        "pipelineExecutionSummaries"
    ]
    restarted = codepipeline.list_pipeline_executions(pipelineName="k8s")[
        "pipelineExecutionSummaries"
    ][0]["startTime"]
    assert 0 <= (restarted - infra["lastUpdateTime"]).total_seconds() < 60, (
        "by the event, not by the next look minutes later; how soon, `make bench` measures"
    )

    wait_until(lambda: statuses("k8s") == ["Succeeded", "Failed"])
    wait_until(lambda: not deployed.aws("events", "list-rules")["Rules"])

    logs = {
        function: deployed.read_log(f"pipeline-gate-prod-{function}")
        for function in ("gate", "retry")
    }
    assert '"decision": "held"' in logs["gate"]
    assert '"decision": "passed"' in logs["gate"]
    assert '"decision": "started"' in logs["retry"]
    assert "never-to-be-logged" not in str(logs)


def test_an_event_that_is_no_job_is_a_clear_error(deployed: Deployed) -> None:
    answer = deployed.client("lambda").invoke(FunctionName=GATE, Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert "not a CodePipeline job" in json.loads(answer["Payload"].read())["errorMessage"]
