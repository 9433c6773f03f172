"""The Board's routes: the page, and what it asks for every few seconds."""

from __future__ import annotations

import json
import os
import warnings
from hashlib import sha256

from chalice import Blueprint, IAMAuthorizer, Response

from chalicelib.board import served_locally
from chalicelib.board.lookout import Lookout
from chalicelib.board.page import page

board = Blueprint(__name__)
lookout = Lookout()

if served_locally(os.environ):
    # There the authorizer lets everybody in, who is whoever runs it; chalice would say so at the first request.
    warnings.filterwarnings("ignore", message="IAMAuthorizer is not a supported in local mode", category=UserWarning)


@board.route("/", authorizer=IAMAuthorizer())
def show() -> Response:
    html, policy = page()
    return _answer(html, "text/html; charset=utf-8", {"Content-Security-Policy": policy})


@board.route("/state", authorizer=IAMAuthorizer())
def state() -> Response:
    """The account as it stands: lookout.Answer as JSON, its times in headers; 304 where the page has it already (If-None-Match)."""
    answer = lookout.ask()
    body = json.dumps(answer.state)
    tag = f'"{sha256(body.encode()).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Board-Looked-At": answer.looked_at.isoformat() if answer.looked_at else "",
        "Board-Ask-Again": f"{max(1.0, answer.ask_again.total_seconds()):.1f}",
    }
    known = board.current_request.headers.get("if-none-match")
    return _answer("", "application/json", headers, 304) if known == tag else _answer(body, "application/json", headers)


def _answer(body: str, kind: str, headers: dict[str, str], status: int = 200) -> Response:
    always = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return Response(body, {**always, **headers, "Content-Type": kind}, status)
