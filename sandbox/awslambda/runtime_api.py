"""The Lambda Runtime API of one process, which fetches its invocations and sends their results here
(guide: runtimes-api, 2018-06-01).
"""

from __future__ import annotations

import contextlib
import queue
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from sandbox.executor import Invocation
from sandbox.local_only import find_refusal


class RuntimeMessage(NamedTuple):
    """A message from the process.

    `kind` is "ready", "result", "error" or "init error"; "exit" comes from the thread that watches
    the process.
    """

    kind: str
    text: str = ""


class TimedInvocation(NamedTuple):
    """An invocation, and the seconds that the function may take for it."""

    invocation: Invocation
    seconds: float


class RuntimeApi(ThreadingHTTPServer):
    """Serves one process on a free port of loopback, until `close`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.messages: queue.SimpleQueue[RuntimeMessage] = queue.SimpleQueue()
        self.invocations: queue.SimpleQueue[TimedInvocation | None] = queue.SimpleQueue()
        self.handlers: list[threading.Thread] = []
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="sandbox-runtime-api", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving. The process must have ended: its closed connections end the threads that
        wait on them.
        """
        self.invocations.put(None)
        self._closed = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_port)).close()
        self._thread.join(1)
        self.server_close()
        for thread in self.handlers:
            thread.join(1)

    def _serve(self) -> None:
        """Wait for one request after the other. `serve_forever` would wake up 50 times per second
        and process, which a hundred processes notice.
        """
        while not self._closed:
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections: they mean that the process died, which its watcher reports."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"
    # Without these two settings, a warm call takes 88 ms, because small writes wait for each
    # other's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        self.server.handlers.append(threading.current_thread())
        super().setup()

    def parse_request(self) -> bool:
        """Read the request line and the headers. False: the request is answered already."""
        if not super().parse_request():
            return False
        host, origin, fetch_site = map(self.headers.get, ("Host", "Origin", "Sec-Fetch-Site"))
        refusal = find_refusal(host or "", origin, fetch_site)
        if refusal:
            self.close_connection = True
            self.send_error(403, refusal)
        return not refusal

    def do_GET(self) -> None:
        if self.path != "/2018-06-01/runtime/invocation/next":
            self.send_error(404)
            return
        self.server.messages.put(RuntimeMessage("ready"))
        timed = self.server.invocations.get()
        if timed is None:
            self.close_connection = True
            return
        body = timed.invocation.payload.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", timed.invocation.request_id)
        self.send_header(
            "Lambda-Runtime-Deadline-Ms", str(int((time.time() + timed.seconds) * 1000))
        )
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", timed.invocation.function_arn)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        match self.path.removeprefix("/2018-06-01/runtime/").split("/"):
            case ["invocation", _, "response"]:
                self.server.messages.put(RuntimeMessage("result", text))
            case ["invocation", _, "error"]:
                self.server.messages.put(RuntimeMessage("error", text))
            case ["init", "error"]:
                self.server.messages.put(RuntimeMessage("init error", text))
            case _:
                self.send_error(404)
                return
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass
