"""The Board: a page that shows which pipelines wait for which others, and why.

It is only imported by `chalice local` and by the Lambda function api_handler.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from chalicelib.errors import Misconfigured


def serves_board(environment: Mapping[str, str]) -> bool:
    """Return whether the app has the Board's routes. Raises Misconfigured.

    It has them if the environment variable BOARD is "on", or if `chalice local` serves the app.
    """
    board = environment.get("BOARD", "")
    if board not in ("", "on"):
        raise Misconfigured(
            f'BOARD is "{board}", but must be "on" or empty (environment_variables in '
            ".chalice/config.json)."
        )
    return board == "on" or is_served_locally(environment)


def is_served_locally(environment: Mapping[str, str]) -> bool:
    """Return whether `chalice local` serves the app.

    Its server has CHALICE_WORKER in its environment. With --no-autoreload it does not, but then
    "local" is click's current command (practice, chalice 1.34: the app only knows that some chalice
    command is running). If a later version changes this, `chalice local` no longer
    serves the Board, but the Board is still not deployed unless BOARD is "on".
    """
    if "CHALICE_WORKER" in environment:
        return True
    click = sys.modules.get("click")
    command = click.get_current_context(silent=True) if click else None
    return command is not None and command.info_name == "local"
