"""A process as Lambda starts one, timed from outside: Lambda's runtime client with a handler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.account import ACCOUNT, REGION
from sandbox.awslambda.runtime_api import RuntimeApi, RuntimeMessage, TimedInvocation
from sandbox.executor import Invocation

FUNCTION = "pipeline-gate-dev-gate"
ANSWER_TIMEOUT_SECONDS = 60.0


class LambdaProcess:
    """Lives as long as the block. It imports from `folder` and calls AWS at `url`.

    What it imports from there is compiled again each time, because Lambda cannot write there.
    """

    def __init__(self, folder: Path, handler: str, url: str) -> None:
        self._command = [sys.executable, "-m", "awslambdaric", handler]
        self._folder = folder
        self._url = url

    def __enter__(self) -> Self:
        self._api = RuntimeApi()
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=make_environment(self._url) | {"AWS_LAMBDA_RUNTIME_API": self._api.address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.close()

    def wait_until_ready(self) -> float:
        """Wait until the process asks for its first event. Returns the seconds since its start."""
        self._expect_report("ready")
        return time.perf_counter() - self._began

    def answer(self, event: Mapping[str, object]) -> float:
        """Hand over an event, and wait until the process is ready for the next one.

        Returns the seconds from the event to the answer.
        """
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
        handed_over = time.perf_counter()
        invocation = Invocation(ACCOUNT, REGION, FUNCTION, arn, "1", json.dumps(event))
        self._api.invocations.put(TimedInvocation(invocation, ANSWER_TIMEOUT_SECONDS))
        self._expect_report("result")
        seconds = time.perf_counter() - handed_over
        self._expect_report("ready")
        return seconds

    def _expect_report(self, kind: str) -> None:
        report: RuntimeMessage = self._api.messages.get(timeout=ANSWER_TIMEOUT_SECONDS)
        if report.kind != kind:
            raise RuntimeError(
                f"{' '.join(self._command)} reported {report.kind} instead of {kind}: {report.text}"
            )


def make_environment(url: str) -> dict[str, str]:
    """The variables that Lambda sets for a process and that matter here (guide:
    configuration-envvars), with AWS at `url`.
    """
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }


def make_job(upstreams: Sequence[str]) -> dict[str, object]:
    """The event of a gate action that waits for these upstreams (guide: action-reference-Lambda,
    "JSON event").
    """
    parameters = {
        "depends_on": upstreams,
        "pipeline": "k8s",
        "execution": "5e6f7a8b-0000-4000-8000-000000000002",
    }
    configuration = {"FunctionName": FUNCTION, "UserParameters": json.dumps(parameters)}
    data = {
        "actionConfiguration": {"configuration": configuration},
        "inputArtifacts": [],
        "outputArtifacts": [],
    }
    return {
        "CodePipeline.job": {
            "id": "5e6f7a8b-0000-4000-8000-000000000001",
            "accountId": ACCOUNT,
            "data": data,
        }
    }
