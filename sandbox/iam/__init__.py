"""IAM for the sandbox: what a role's session may do. Keys of sessions start with ASIA; all other
callers may do anything.

policy.py judges a request by policy documents, conditions.py their Condition block, calls.py says
which action on which resource an API call is, enforcement.py asks all that of each request that
reaches moto. simulation.py answers what a role would be allowed to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.responses import IamResponse

from sandbox.iam import enforcement, simulation
from sandbox.iam.enforcement import role_allows

__all__ = ["PATCHED", "install", "role_allows"]

PATCHED: tuple[str, ...] = (
    "moto.core.authorization.ActionAuthenticatorMixin._authenticate_and_authorize_action",
    # not replaced, but used from inside:
    "moto.core.responses.ActionResult",
    "moto.core.responses.BaseResponse._get_action",
    "moto.core.responses.BaseResponse._get_param",
    "moto.core.responses.BaseResponse.boto3_service_name",
    "moto.core.responses.BaseResponse.determine_response_protocol",
    "moto.core.responses.BaseResponse.get_access_key",
    "moto.core.responses.BaseResponse.parse_parameters",
    "moto.core.utils.get_service_model",
    "moto.core.utils.utcnow",
    "moto.awslambda.models.LambdaBackend.get_function",
    "moto.iam.access_control.S3IAMRequest",
    "moto.iam.exceptions.InvalidInput",
    "moto.iam.exceptions.NotFoundException",
    "moto.iam.models.IAMBackend.get_policy",
    "moto.iam.models.IAMBackend.get_role_by_arn",
    "moto.iam.responses.IamResponse",
    "moto.moto_api._internal.mock_random.uuid4",
    "moto.s3.exceptions.S3AccessDeniedError",
    "moto.sts.models.STSBackend.get_assumed_role_from_access_key",
)
"""Every moto internal that this package replaces or relies on."""


@contextmanager
def install() -> Iterator[None]:
    """Judge every request of a role's session by the role's policies while `Dials.enforce_iam` is
    on, and let IAM simulate them.

    AttributeError if moto lacks the name that is patched.
    """
    with (
        patch.object(
            ActionAuthenticatorMixin, "_authenticate_and_authorize_action", enforcement.authorize
        ),
        patch.object(
            IamResponse,
            "simulate_principal_policy",
            simulation.simulate_principal_policy,
            create=True,
        ),
    ):
        yield
