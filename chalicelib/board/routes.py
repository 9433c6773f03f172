"""The Board's routes: the page, and the state that the page requests every few seconds."""

from __future__ import annotations

import json
import os
import warnings
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from chalice import Blueprint, IAMAuthorizer, Response

from chalicelib.board import is_served_locally
from chalicelib.board.lookout import Lookout
from chalicelib.board.page import build_page

board = Blueprint(__name__)
lookout = Lookout()
LOCAL = is_served_locally(os.environ)

if LOCAL:
    # On the user's own machine the authorizer allows every request. Without this filter, chalice
    # would warn about that at the first one.
    warnings.filterwarnings(
        "ignore", message="IAMAuthorizer is not a supported in local mode", category=UserWarning
    )


@board.route("/", authorizer=IAMAuthorizer())
def show_page() -> Response:
    html, policy = build_page()
    return _build_response(html, "text/html; charset=utf-8", {"Content-Security-Policy": policy})


@board.route("/state", authorizer=IAMAuthorizer())
def show_state() -> Response:
    """Return the account's state as JSON, and the times of lookout.BoardAnswer in headers.

    The status is 304 if the page already has this state (If-None-Match).
    """
    request_headers = board.current_request.headers
    if LOCAL and not _names_this_machine(request_headers.get("host", "")):
        return _build_response(
            "Open the Board at http://127.0.0.1 or http://localhost, with its port.",
            "text/plain",
            {},
            403,
        )
    answer = lookout.ask()
    body = json.dumps(answer.state)
    tag = f'"{sha256(body.encode()).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Board-Looked-At": answer.looked_at.isoformat() if answer.looked_at else "",
        "Board-Ask-Again": f"{max(1.0, answer.ask_again.total_seconds()):.1f}",
    }
    if request_headers.get("if-none-match") == tag:
        return _build_response("", "application/json", headers, 304)
    return _build_response(body, "application/json", headers)


def _names_this_machine(host: str) -> bool:
    """Return whether a Host header contains an IP address or localhost.

    A foreign page whose own domain name resolves to this machine cannot send such a header.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


def _build_response(body: str, kind: str, headers: dict[str, str], status: int = 200) -> Response:
    always = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Response(body, {**always, **headers, "Content-Type": kind}, status)
