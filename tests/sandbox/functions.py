"""Lambda functions for tests: deployed straight into moto, from source text."""

from __future__ import annotations

import base64
import io
import textwrap
import zipfile

from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.iam.models import iam_backends

ACCOUNT = "123456789012"
REGION = "eu-central-1"


def deploy(source: str = "", name: str = "f", **settings: object) -> LambdaFunction:
    """A function NAME with the handler app.f, whose app.py is `source`; `settings` as in
    CreateFunction.
    """
    roles = iam_backends[ACCOUNT]["aws"]
    role = roles.create_role(f"{name}-role", '{"Statement": []}', "/", None, "", [], None)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", textwrap.dedent(source))
    return lambda_backends[ACCOUNT][REGION].create_function(
        {
            "FunctionName": name,
            "Handler": "app.f",
            "Role": role.arn,
            "Runtime": "python3.11",
            "Code": {"ZipFile": base64.b64encode(content.getvalue()).decode()},
            **settings,
        }
    )


def logged(function: LambdaFunction) -> list[str]:
    """The messages in the function's log group, in order."""
    streams = function.logs_backend.groups[f"/aws/lambda/{function.function_name}"].streams.values()
    return [event.message for stream in streams for event in stream.events]
