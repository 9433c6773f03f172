"""A stand-in for CodePipeline that answers every call after a set time. Its pipelines are idle.

Used to measure the gate's own time. It runs in a process of its own, so that its work is not
measured with the gate's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
FULL_PAGE = 100  # model: ListPipelineExecutions, maxResults
HOURS_BETWEEN_EXECUTIONS = 6


class SlowHandler(BaseHTTPRequestHandler):
    """Answers each call after `seconds`; ListPipelineExecutions with `history`."""

    protocol_version = "HTTP/1.1"  # connections stay open, as AWS's do
    disable_nagle_algorithm = True
    wbufsize = -1
    seconds = 0.0
    history = b""

    def do_POST(self) -> None:  # the name is http.server's
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.seconds)
        body = (
            self.history
            if self.headers["X-Amz-Target"].endswith(".ListPipelineExecutions")
            else b"{}"
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No line for each request."""


class SlowServer(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def slow_aws(seconds: float, executions: int = 0) -> Iterator[str]:
    """Serve as long as the block lasts, and yield the URL. Each pipeline has run `executions`
    times.
    """
    command = [sys.executable, "-m", "benchmarks.slow_aws", str(seconds), str(executions)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE sets it
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def make_history(executions: int) -> bytes:
    """An answer of ListPipelineExecutions: that many executions, newest first, each with every
    field that AWS fills in (model: PipelineExecutionSummary).
    """
    connection = "arn:aws:codestar-connections:eu-central-1:123456789012:connection/x"
    now = time.time()
    starts = [now - number * HOURS_BETWEEN_EXECUTIONS * 3600 for number in range(1, 1 + executions)]
    summaries = [
        {
            "pipelineExecutionId": str(uuid.UUID(int=number)),
            "status": "Succeeded",
            "startTime": start,
            "lastUpdateTime": start + 600,
            "sourceRevisions": [
                {
                    "actionName": "Source",
                    "revisionId": f"{number:040x}",
                    "revisionSummary": "A commit",
                    "revisionUrl": "https://example.org/",
                }
            ],
            "trigger": {
                "triggerType": "Webhook",
                "triggerDetail": connection,
            },
            "executionMode": "SUPERSEDED",
            "executionType": "STANDARD",
        }
        for number, start in enumerate(starts)
    ]
    return json.dumps({"pipelineExecutionSummaries": summaries}).encode()


if __name__ == "__main__":
    SlowHandler.seconds = float(sys.argv[1])
    SlowHandler.history = make_history(int(sys.argv[2]))
    with SlowServer(("127.0.0.1", 0), SlowHandler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
