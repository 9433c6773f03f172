"""A CodePipeline whose pipelines are idle, and that takes its time: every call is answered after so
many seconds.

It stands in for AWS where only the gate's own time is of interest; it runs in a process of its own,
so as not to take part in it.
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
HOURS_APART = 6


class Handler(BaseHTTPRequestHandler):
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


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def slow_aws(seconds: float, executions: int = 0) -> Iterator[str]:
    """Its URL, as long as the block lasts. Each pipeline has run so many times."""
    command = [sys.executable, "-m", "benchmarks.slow_aws", str(seconds), str(executions)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - as asked for
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def history(executions: int) -> bytes:
    """An answer of ListPipelineExecutions: that many, newest first, with all that AWS tells of each
    (model: PipelineExecutionSummary).
    """
    summaries = [
        {
            "pipelineExecutionId": str(uuid.UUID(int=number)),
            "status": "Succeeded",
            "startTime": time.time() - (number + 1) * HOURS_APART * 3600,
            "lastUpdateTime": time.time() - (number + 1) * HOURS_APART * 3600 + 600,
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
                "triggerDetail": "arn:aws:codestar-connections:eu-central-1:123456789012:connection/x",
            },
            "executionMode": "SUPERSEDED",
            "executionType": "STANDARD",
        }
        for number in range(executions)
    ]
    return json.dumps({"pipelineExecutionSummaries": summaries}).encode()


if __name__ == "__main__":
    Handler.seconds, Handler.history = float(sys.argv[1]), history(int(sys.argv[2]))
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
