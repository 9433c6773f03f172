"""The Board, served by Chalice's own local server in this process."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from typing import Any
from unittest.mock import patch

from chalice import Chalice
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, create_local_server

from chalicelib.board import routes
from chalicelib.board.lookout import BoardAnswer, Lookout

HOST = "127.0.0.1"


class Scripted(Lookout):
    """A lookout that tells what a test wrote down, at the time `at`. A test may change each of
    these while the page is open.
    """

    def __init__(self, seen: Any, at: datetime, problem: str | None = None) -> None:
        super().__init__()
        self.seen, self.at, self.problem = seen, at, problem
        self.ask_again = timedelta(seconds=5)
        self.asked = 0

    def ask(self) -> BoardAnswer:
        self.asked += 1
        return BoardAnswer(
            {"seen": self.seen, "problem": self.problem},
            self.at if self.seen else None,
            self.ask_again,
        )


@contextmanager
def served(lookout: Lookout | None = None) -> Iterator[str]:
    """Serve the Board; yields its address. Its account is what boto3 finds in this process, or what
    a Scripted lookout tells; its time is that one's, too.
    """
    app = Chalice("board", configure_logs=False)
    app.register_blueprint(routes.board)
    with (
        patch.object(routes, "lookout", lookout or Lookout()),
        patch.multiple(ChaliceRequestHandler, **_manners(lookout)),
    ):
        warnings.filterwarnings("ignore", "IAMAuthorizer is not a supported in local mode")
        server = create_local_server(app, Config(), HOST, 0).server
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, str]:
    """The status, the headers and the text of an answer."""
    try:
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def _manners(lookout: Lookout | None) -> dict[str, Any]:
    def date(_: ChaliceRequestHandler) -> str:
        return format_datetime(
            lookout.at if isinstance(lookout, Scripted) else datetime.now(UTC), usegmt=True
        )

    return {"log_message": lambda *_: None, "date_time_string": date}
