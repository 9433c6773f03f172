"""A process that runs a function's code with AWS's own runtime client (awslambdaric), one
invocation at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from moto.awslambda.models import LambdaFunction

from sandbox.awslambda import environment
from sandbox.awslambda.runtime_api import RuntimeApi, RuntimeMessage, TimedInvocation
from sandbox.executor import Invocation, RunOutcome

INIT_SECONDS = 30
"""How long a process may take to start. AWS gives it 10 seconds, and then a second try within the
function's timeout (guide: lambda-runtime-environment).
"""

START = """
import os, runpy, threading
def leave():
    os.read(0, 1)  # returns when the sandbox ends in any way, because its end of the pipe closes
    os._exit(1)
threading.Thread(target=leave, daemon=True).start()
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
"""


class RuntimeProcess:
    """A started process. After `run`, `alive` says whether it can serve another invocation."""

    def __init__(self, function: LambdaFunction, task_root: Path, endpoint_url: str) -> None:
        self.configuration = json.dumps(function.get_configuration())
        self._timeout = float(function.timeout)
        self._api = RuntimeApi()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._log_read = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(function.handler)],
            cwd=task_root,
            env=environment.build_environment(function, task_root, self._api.address, endpoint_url),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for the sandbox alone
        )
        self._watcher = threading.Thread(
            target=self._watch, name="sandbox-runtime-watch", daemon=True
        )
        self._watcher.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, invocation: Invocation) -> RunOutcome:
        """Hand over one invocation and wait for its end; a timeout kills the process."""
        timeout_error = _error(
            "Sandbox.Timedout",
            f"the function's process did not start within {INIT_SECONDS} seconds",
            invocation,
        )
        message = self._wait_for_message(INIT_SECONDS, timeout_error)
        if message.kind == "ready":
            self._api.invocations.put(TimedInvocation(invocation, self._timeout))
            # "Task timed out after N.NN seconds", kind Sandbox.Timedout (practice)
            timeout_error = _error(
                "Sandbox.Timedout", f"Task timed out after {self._timeout:.2f} seconds", invocation
            )
            message = self._wait_for_message(self._timeout, timeout_error)
        if message.kind == "exit":
            message = RuntimeMessage(
                "exit",
                _error(
                    "Runtime.ExitError", f"Runtime exited with error: {message.text}", invocation
                ),
            )
        if message.kind not in {"result", "error"}:
            self.kill()
            self._watcher.join()
        log = self._new_log()
        if message.kind in {"timeout", "exit"}:
            log += f"{json.loads(message.text)['errorMessage']}\n"
        # Lambda answers "Unhandled" for every error of a Python function, never "Handled" any
        # more (practice).
        return RunOutcome(message.text, None if message.kind == "result" else "Unhandled", log)

    def kill(self) -> None:
        """End the process and everything that it started."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process, and wait until its threads and files are gone."""
        self.kill()
        self._watcher.join()
        self._api.close()
        if self._process.stdin:
            self._process.stdin.close()
        self._log.close()

    def _wait_for_message(self, seconds: float, timeout_error: str) -> RuntimeMessage:
        try:
            return self._api.messages.get(timeout=seconds)
        except queue.Empty:
            return RuntimeMessage("timeout", timeout_error)

    def _watch(self) -> None:
        code = self._process.wait()
        self._api.messages.put(
            RuntimeMessage(
                "exit",
                f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}",
            )
        )

    def _new_log(self) -> str:
        """What the process has printed since the last call."""
        size = os.fstat(self._log.fileno()).st_size
        printed = os.pread(self._log.fileno(), size - self._log_read, self._log_read)
        self._log_read = size
        return printed.decode(errors="replace")


def _error(kind: str, message: str, invocation: Invocation) -> str:
    return json.dumps(
        {"errorType": kind, "errorMessage": f"RequestId: {invocation.request_id} Error: {message}"}
    )
