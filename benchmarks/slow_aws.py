"""A CodePipeline that knows nothing and takes its time: every call is answered with an empty result after so many seconds.

It stands in for AWS where only the gate's own time is of interest; it runs in a process of its own, so as not to take part in it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {"ListPipelineExecutions": b'{"pipelineExecutionSummaries": []}'}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as AWS's do
    disable_nagle_algorithm = True
    wbufsize = -1
    seconds = 0.0

    def do_POST(self) -> None:  # the name is http.server's
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.seconds)
        body = ANSWERS.get(self.headers["X-Amz-Target"].rpartition(".")[2], b"{}")
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
def slow_aws(seconds: float) -> Iterator[str]:
    """Its URL, as long as the block lasts."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.slow_aws", str(seconds)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - as asked for
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    Handler.seconds = float(sys.argv[1])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
