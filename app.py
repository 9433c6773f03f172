"""The Chalice app: registers the two Lambda functions of Pipeline Gate and, if it is on, the Board.

Lambda loads the functions from their own modules and never imports this one, because importing
Chalice at a cold start takes longer than everything the gate does (docs/performance.md). A
Blueprint that has a function's module as its name makes Chalice deploy that module as the handler.
"""

from __future__ import annotations

import os

from chalice import Blueprint, Chalice

from chalicelib.board import serves_board
from chalicelib.gate_function import gate
from chalicelib.retry_function import retry

app = Chalice(app_name="pipeline-gate", configure_logs=False)
for function in (gate, retry):
    functions = Blueprint(function.__module__)
    functions.lambda_function(name=function.__name__)(function)
    app.register_blueprint(functions)

if serves_board(os.environ):
    from chalicelib.board.routes import board

    app.register_blueprint(board)
