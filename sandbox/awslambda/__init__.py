"""Lambda for the sandbox: moto keeps the functions, this package runs them (without docker) and
decides who may invoke them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.awslambda.policy import Policy

from sandbox.awslambda import permission, responses
from sandbox.awslambda.invocation import Finished, Invocation, Outcome, finished, invoke_async

__all__ = ["PATCHED", "Finished", "Invocation", "Outcome", "finished", "install", "invoke_async"]

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
    "moto.server.ThreadedMotoServer",
    "moto.sts.models.STSBackend.assume_role",
)
"""Every moto internal that this package, the server and the in-process world patch or rely on."""


@contextmanager
def install() -> Iterator[None]:
    """Let the world's executor answer Lambda's Invoke, and AddPermission refuse a StatementId
    twice.

    AttributeError where moto lacks a name that is patched.
    """
    with (
        patch.object(LambdaFunction, "invoke", responses.invoke),
        patch.object(Policy, "add_statement", permission.add_statement),
    ):
        yield
