"""Runs deployed functions without docker: unpacks their zips and runs them in processes that are
kept warm.
"""

from __future__ import annotations

import io
import json
import tempfile
import threading
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

from moto.awslambda.models import LambdaFunction

from sandbox.awslambda.process import RuntimeProcess
from sandbox.executor import Invocation, RunOutcome

MAX_CONCURRENCY = 16


class RuntimeExecutor:
    """The Executor of the server: one process serves one invocation at a time, idle ones are used
    again (guide: lambda-concurrency).

    `endpoint_url` is where functions find AWS. At most `max_concurrency` invocations run at a time
    and others wait for their turn, so that a burst does not overload this machine. AWS's own limit
    is 1000.
    """

    def __init__(self, endpoint_url: str, max_concurrency: int = MAX_CONCURRENCY) -> None:
        self._endpoint_url = endpoint_url
        self._max_concurrency = max_concurrency
        self._turns = threading.BoundedSemaphore(max_concurrency)
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-lambda-")
        self._lock = threading.Lock()
        self._idle: dict[str, list[RuntimeProcess]] = {}
        self._busy: set[RuntimeProcess] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        """See Executor.run. RuntimeError after `close`."""
        with self._turns:
            process = self._take_process(function)
            try:
                return process.run(invocation)
            finally:
                self._give_back_process(function, process)

    def close(self) -> None:
        """Kill all processes, including busy ones, whose runs then have an Unhandled outcome."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = [process for processes in self._idle.values() for process in processes]
            self._idle.clear()
            for process in self._busy:
                process.kill()
        for process in idle:
            process.close()
        # A run closes its process before it gives its turn back.
        for _ in range(self._max_concurrency):
            self._turns.acquire()
        self._turns.release(self._max_concurrency)
        self._folder.cleanup()

    def _take_process(self, function: LambdaFunction) -> RuntimeProcess:
        """An idle process of the function as it is configured now, or a new one. Idle ones of an
        older configuration end.
        """
        configuration = json.dumps(function.get_configuration())
        with self._lock:
            self._check_open()
            idle = self._idle.pop(function.function_arn, [])
            usable = [
                process
                for process in idle
                if process.alive and process.configuration == configuration
            ]
            self._idle[function.function_arn] = usable[1:]
            self._busy.update(usable[:1])
        for process in set(idle).difference(usable):
            process.close()
        if usable:
            return usable[0]
        process = RuntimeProcess(function, self._unpack(function), self._endpoint_url)
        with self._lock:
            self._busy.add(process)
            if self._closed:
                process.kill()
        return process

    def _give_back_process(self, function: LambdaFunction, process: RuntimeProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            keep = process.alive and not self._closed
            if keep:
                self._idle.setdefault(function.function_arn, []).append(process)
        if not keep:
            process.close()

    def _unpack(self, function: LambdaFunction) -> Path:
        """The folder of the function's unpacked zip, which functions with the same code share."""
        folder = Path(self._folder.name) / function.code_digest
        with self._lock:
            self._check_open()
            if not folder.exists():
                zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(folder)
        return folder

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the sandbox's Lambda is closed and no longer runs functions")
