"""Lambda for the sandbox: moto keeps the functions; this package runs them without docker and
checks the permission to invoke them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.awslambda.policy import Policy

from sandbox.awslambda import permission, responses
from sandbox.awslambda.invocation import invoke_async, list_finished_runs

__all__ = ["PATCHED", "install", "invoke_async", "list_finished_runs"]

PATCHED = (
    "moto.awslambda.models.LambdaFunction.invoke",
    "moto.awslambda.policy.Policy.add_statement",
    # not replaced, but used from inside:
    "moto.awslambda.exceptions.LambdaClientError",
    "moto.awslambda.models.LambdaBackend.create_function",
    "moto.awslambda.models.LambdaBackend.get_function",
    "moto.awslambda.models.LambdaFunction.get_configuration",
    "moto.awslambda.models.lambda_backends",
    "moto.core.base_backend.BackendDict.reset",
    "moto.core.model_instances.reset_model_data",
    "moto.iam.models.IAMBackend.create_role",
    "moto.logs.models.LogsBackend.ensure_log_group",
    "moto.logs.models.LogsBackend.ensure_log_stream",
    "moto.logs.models.LogsBackend.put_log_events",
    "moto.moto_api._internal.mock_random",
    "moto.moto_server.werkzeug_app.DomainDispatcherApplication",
    "moto.moto_server.werkzeug_app.MotoRequestHandler",
    "moto.moto_server.werkzeug_app.create_backend_app",
    "moto.sts.models.STSBackend.assume_role",
)
"""Every moto internal that this package, the server and the in-process world patch or rely on."""


@contextmanager
def install() -> Iterator[None]:
    """Let the world's executor answer Invoke, and AddPermission refuse a StatementId that exists.

    AttributeError if moto lacks a name that is patched.
    """
    with (
        patch.object(LambdaFunction, "invoke", responses.invoke),
        patch.object(Policy, "add_statement", permission.add_statement),
    ):
        yield
