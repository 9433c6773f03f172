"""The sandbox as a server: AWS on a port of this machine, for the AWS CLI, boto3 and chalice.
`python -m sandbox.server` keeps it up.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

import click
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from rich.console import Console
from werkzeug.serving import make_server

from sandbox.account import REGION, create_pipeline_role
from sandbox.awslambda.runtime import MAX_CONCURRENCY, RuntimeExecutor
from sandbox.clock import WallClock
from sandbox.install import install_services
from sandbox.local_only import LocalOnly
from sandbox.push import PushReceiver
from sandbox.world import Dials, World, enter_world

HOST = "127.0.0.1"
PATCHED = ("moto.moto_server.werkzeug_app.DISABLE_GLOBAL_CORS",)
"""Every moto internal that this module replaces."""
POLL_SECONDS = 0.02
"""How often the server checks whether it has to stop."""
OTHER_THREADS = 48
"""For planned calls that run no function."""


class SandboxServer:
    """A context manager: AWS answers at `url`, pipelines run, rules fire and functions run until
    the block ends.

    `port` 0 means a free port; OSError if the port is taken. `max_concurrency`: see
    RuntimeExecutor. One server at a time in a process. It starts with nothing but the role of the
    pipelines in examples/, and leaves nothing behind.
    """

    url: str
    world: World

    def __init__(
        self, port: int = 0, dials: Dials | None = None, max_concurrency: int = MAX_CONCURRENCY
    ) -> None:
        self._port = port
        self._max_concurrency = max_concurrency
        self._dials = dials or Dials()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(_reset_moto)
            _reset_moto()
            self.url = stack.enter_context(_run_moto(self._port))
            clock = WallClock(self._max_concurrency + OTHER_THREADS)
            executor = RuntimeExecutor(self.url, self._max_concurrency)
            stack.enter_context(install_services())
            create_pipeline_role()
            self.world = stack.enter_context(enter_world(World(clock, executor, self._dials)))
            # Closed first, while running functions still have a world around them.
            stack.callback(executor.close)
            stack.callback(clock.stop)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def environment(self) -> dict[str, str]:
        """The environment variables for a child process (AWS CLI, chalice) that talks to this
        server: those of this process, with this server's AWS settings.
        """
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        return inherited | self.settings()

    def settings(self) -> dict[str, str]:
        """The variables of `environment` that lead to this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": REGION,
            # AWS_REGION of the shell would win (guide: SDKs and tools reference, AWS_REGION).
            "AWS_REGION": REGION,
            "AWS_PAGER": "",
            # No profiles of this machine.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
        }


@contextmanager
def _run_moto(port: int) -> Iterator[str]:
    """moto's server, for requests of this machine and without a line for each; yields its URL."""
    with socket.create_server((HOST, port)):
        pass  # werkzeug would end this process if the port is taken
    requests_log = logging.getLogger("werkzeug")
    level = requests_log.level
    requests_log.setLevel(logging.ERROR)
    # Not moto's ThreadedMotoServer, which takes half a second to stop.
    server = make_server(
        HOST,
        port,
        LocalOnly(PushReceiver(DomainDispatcherApplication(create_backend_app))),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    thread = threading.Thread(
        target=server.serve_forever, args=(POLL_SECONDS,), name="sandbox-server", daemon=True
    )
    thread.start()
    try:
        # moto creates an application per service as requests arrive, and would let each web page
        # read what it answers.
        with patch.object(werkzeug_app, "DISABLE_GLOBAL_CORS", True):
            yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        requests_log.setLevel(level)


def _reset_moto() -> None:
    """Drop everything that moto keeps in this process."""
    BackendDict.reset()
    reset_model_data()


PASTE_BORDER = "-" * 72
"""Printed above and below the lines to paste. If it is pasted too, the shell reports an unknown
command and continues.
"""


@click.command()
@click.option("--port", default=0, show_default="a free port", help="The port on loopback.")
def main(port: int) -> None:
    """Run AWS on this machine until Ctrl-C, and print the settings that lead to it."""
    console = Console(highlight=False, soft_wrap=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with SandboxServer(port) as server:
            console.print(
                "[bold]The sandbox is running.[/] Open another terminal in this folder, and paste "
                "the lines between the two dashed ones:\n"
            )
            console.print(PASTE_BORDER)
            console.print("unset AWS_PROFILE AWS_SESSION_TOKEN", markup=False)
            for name, value in server.settings().items():
                console.print(f"export {name}={value}", markup=False)
            console.print(
                f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", markup=False
            )
            console.print(PASTE_BORDER)
            console.print(
                "\nFrom then on, aws, chalice and gatectl in that terminal use the sandbox. "
                "Continue with step 2 of docs/tutorial.md."
            )
            console.print(
                "Ctrl-C here stops the sandbox and everything in it. Then close the other "
                "terminal, "
                "because its AWS_... variables point to the sandbox."
            )
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    except OSError as error:
        raise click.ClickException(
            f"port {port} on {HOST} is not free ({error.strerror}). Choose another one with --port."
        ) from error


if __name__ == "__main__":
    main()
