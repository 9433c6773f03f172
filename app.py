"""The two Lambda functions of Pipeline Gate, and where it is asked for the Board. It only
registers: what the functions do is in chalicelib/gate.py and chalicelib/retry.py, the Board is in
chalicelib/board.

Lambda loads the functions from their own modules and never this one: to compile Chalice at a cold
start takes longer than all that the gate does (docs/performance.md). Chalice calls a function by
its module where a Blueprint of that name registers it.
"""

from __future__ import annotations

import os

from chalice import Blueprint, Chalice

from chalicelib.board import asked_for
from chalicelib.gate_function import gate
from chalicelib.retry_function import retry

app = Chalice(app_name="pipeline-gate", configure_logs=False)
for function in (gate, retry):
    functions = Blueprint(function.__module__)
    functions.lambda_function(name=function.__name__)(function)
    app.register_blueprint(functions)

if asked_for(os.environ):
    from chalicelib.board.routes import board

    app.register_blueprint(board)
