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

import click
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.server import ThreadedMotoServer
from rich.console import Console

from sandbox.account import REGION, create_pipeline_role
from sandbox.awslambda.runtime import RuntimeExecutor
from sandbox.clock import WallClock
from sandbox.install import installed
from sandbox.world import Dials, World, running

HOST = "127.0.0.1"


class SandboxServer:
    """A context manager: AWS answers at `url`, pipelines run, rules fire and functions run until
    the block ends.

    `port` 0 is a free one; OSError where the port is taken. One server at a time in a process; it
    begins with nothing but the role that the pipelines of examples/ name, and ends empty.
    """

    url: str
    world: World

    def __init__(self, port: int = 0, dials: Dials | None = None) -> None:
        self._port = port
        self._dials = dials or Dials()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(_forget)
            _forget()
            self.url = stack.enter_context(_moto(self._port))
            clock = WallClock()
            executor = RuntimeExecutor(self.url)
            stack.enter_context(installed())
            create_pipeline_role()
            self.world = stack.enter_context(running(World(clock, executor, self._dials)))
            # First on the way out, while the functions that run still have a world around them.
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
        """All environment variables of a child process (AWS CLI, chalice) that shall talk to this
        server: this process's own, without its AWS settings.
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
            "AWS_REGION": REGION,  # what the shell has of it would win (guide: SDKs and tools reference, AWS_REGION)
            "AWS_PAGER": "",
            # Profiles of this machine have no say.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
        }


@contextmanager
def _moto(port: int) -> Iterator[str]:
    """moto's server, without a line for each request; yields its URL."""
    with socket.create_server((HOST, port)):
        pass  # moto would wait for ever for a port that is taken
    requests_log = logging.getLogger("werkzeug")
    level = requests_log.level
    requests_log.setLevel(logging.ERROR)
    server = ThreadedMotoServer(HOST, port, verbose=False)
    server.start()
    try:
        yield f"http://{HOST}:{server.get_host_and_port()[1]}"
    finally:
        server.stop()
        requests_log.setLevel(level)


def _forget() -> None:
    """Drop all that moto keeps in this process."""
    BackendDict.reset()
    reset_model_data()


RULE = "-" * 72
"""In ASCII, and no part of what is pasted: a shell that gets it all the same says that it does not
know it, and goes on.
"""


@click.command()
@click.option("--port", default=0, show_default="a free one", help="The port on loopback.")
def main(port: int) -> None:
    """Keep the sandbox up until Ctrl-C, and print the lines that lead to it."""
    console = Console(highlight=False, soft_wrap=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with SandboxServer(port) as server:
            console.print(
                "[bold]The sandbox is up.[/] Open another terminal in this folder, and paste "
                "there what is between the two lines:\n"
            )
            console.print(RULE)
            console.print("unset AWS_PROFILE AWS_SESSION_TOKEN", markup=False)
            for name, value in server.settings().items():
                console.print(f"export {name}={value}", markup=False)
            console.print(
                f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", markup=False
            )
            console.print(RULE)
            console.print(
                "\nFrom then on aws, chalice and gatectl in that terminal talk to the sandbox: "
                "follow docs/tutorial.md from its step 2."
            )
            console.print(
                "Ctrl-C here ends it and all that runs in it. Then close that terminal, as its "
                "AWS_... variables point here."
            )
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    except OSError as error:
        raise click.ClickException(
            f"port {port} on {HOST} is not free ({error.strerror}): choose another with --port"
        ) from error


if __name__ == "__main__":
    main()
