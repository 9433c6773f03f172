"""What runs in processes: the handlers answer, and it is the zip's code that runs, compiled again
each time.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cold_start import HANDLERS, start_process
from benchmarks.deployment import unpack_deployment
from benchmarks.many_upstreams import time_invocations
from benchmarks.slow_aws import FULL_PAGE, SlowHandler, SlowServer, make_history, slow_aws
from tests.support.clients import make_session


@pytest.fixture(scope="module")
def deployment() -> Iterator[tuple[Path, str]]:
    with unpack_deployment(os.environ) as deployment:
        yield deployment


class CountingHandler(SlowHandler):
    """Notes the operation of each call."""

    operations: list[str]
    history = make_history(FULL_PAGE)

    def log_request(self, *_: object) -> None:
        self.operations.append(self.headers["X-Amz-Target"].rpartition(".")[2])


@pytest.fixture
def aws() -> Iterator[str]:
    """The URL of a server whose calls CountingHandler.operations lists."""
    CountingHandler.operations = []
    with SlowServer(("127.0.0.1", 0), CountingHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_functions_of_the_zip_answer_and_leave_nothing_compiled(
    deployment: tuple[Path, str], aws: str
) -> None:
    task, handler = deployment
    _, warm = time_invocations(task, handler, aws, upstreams=2, warm=1)
    assert len(warm) == 1
    invocation = ["ListPipelineExecutions", "ListPipelineExecutions", "PutJobSuccessResult"]
    assert CountingHandler.operations == 2 * invocation
    assert not list(task.rglob("__pycache__"))


def test_it_is_the_code_of_the_zip_that_runs(deployment: tuple[Path, str], tmp_path: Path) -> None:
    task, handler = shutil.copytree(deployment[0], tmp_path / "task"), deployment[1]
    (task / "chalicelib/gate.py").write_text("raise ZeroDivisionError")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        start_process(task, handler, "http://127.0.0.1:1")


def test_the_bare_handler_makes_the_same_two_calls_as_an_open_gate(
    tmp_path: Path, aws: str
) -> None:
    folder = shutil.copytree(
        HANDLERS, tmp_path / "handlers", ignore=shutil.ignore_patterns("__pycache__")
    )
    start_process(folder, "bare_boto3.gate", aws)
    assert CountingHandler.operations == ["ListPipelineExecutions", "PutJobSuccessResult"]


def test_the_slow_server_answers_with_as_many_executions_as_ordered() -> None:
    with slow_aws(0, executions=3) as url:
        client = make_session().client("codepipeline", endpoint_url=url)
        executions = client.list_pipeline_executions(pipelineName="infra")
    statuses = [execution["status"] for execution in executions["pipelineExecutionSummaries"]]
    assert statuses == ["Succeeded"] * 3
