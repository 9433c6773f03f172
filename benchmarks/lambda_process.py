"""A process as Lambda starts one: its own runtime client, a handler, AWS wherever a URL says.
Measured from outside.
"""

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
from sandbox.awslambda.invocation import Invocation
from sandbox.awslambda.runtime_api import RuntimeApi, Said, Work

FUNCTION = "pipeline-gate-dev-gate"
LATE = 60.0
"""Seconds."""


class LambdaProcess:
    """Begins with the block and ends with it. What it imports from `folder` is compiled anew, for
    there Lambda cannot write.
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
            env=environment(self._url) | {"AWS_LAMBDA_RUNTIME_API": self._api.address},
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

    def ready(self) -> float:
        """Wait until it asks for its first event; the seconds since its start."""
        self._expect("ready")
        return time.perf_counter() - self._began

    def answer(self, event: Mapping[str, object]) -> float:
        """Hand it an event; the seconds until its answer. It is ready again then."""
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
        handed_over = time.perf_counter()
        self._api.work.put(
            Work(Invocation(ACCOUNT, REGION, FUNCTION, arn, "1", json.dumps(event)), LATE)
        )
        self._expect("result")
        took = time.perf_counter() - handed_over
        self._expect("ready")
        return took

    def _expect(self, kind: str) -> None:
        said: Said = self._api.said.get(timeout=LATE)
        if said.kind != kind:
            raise RuntimeError(
                f"{' '.join(self._command)} said {said.kind} instead of {kind}: {said.text}"
            )


def environment(url: str) -> dict[str, str]:
    """What Lambda gives a process (guide: configuration-envvars), as far as it matters here, with
    AWS at `url`.
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


def job(upstreams: Sequence[str]) -> dict[str, object]:
    """The event of a gate action that waits for these (guide: action-reference-Lambda, "JSON
    event").
    """
    asked = {
        "depends_on": upstreams,
        "pipeline": "k8s",
        "execution": "5e6f7a8b-0000-4000-8000-000000000002",
    }
    configuration = {"FunctionName": FUNCTION, "UserParameters": json.dumps(asked)}
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
