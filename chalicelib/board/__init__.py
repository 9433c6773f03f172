"""The Board: one page that shows who waits for whom and why. Only `chalice local` and the function
api_handler load it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from chalicelib.errors import Misconfigured


def serves_board(environment: Mapping[str, str]) -> bool:
    """Whether the app shall have the Board's routes: BOARD is "on", or `chalice local` serves it.
    Raises Misconfigured.
    """
    board = environment.get("BOARD", "")
    if board not in ("", "on"):
        raise Misconfigured(
            f'BOARD is "{board}", but must be "on" or empty (environment_variables in '
            ".chalice/config.json)."
        )
    return board == "on" or is_served_locally(environment)


def is_served_locally(environment: Mapping[str, str]) -> bool:
    """Whether `chalice local` imports the app.

    Its server has CHALICE_WORKER in its environment or, with --no-autoreload, is click's current
    command (practice, chalice 1.34: it tells the app no more than that some command of its command
    line runs). Should that change, the page is gone, but nothing is deployed that nobody asked for.
    """
    if "CHALICE_WORKER" in environment:
        return True
    click = sys.modules.get("click")
    command = click.get_current_context(silent=True) if click else None
    return command is not None and command.info_name == "local"
