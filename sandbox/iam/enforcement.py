"""Lets a role's session do what its policies allow, and refuses everything else as AWS does."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import Any, NoReturn

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import lambda_backends
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model, utcnow
from moto.iam.access_control import S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Policy, iam_backends
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import S3AccessDeniedError
from moto.sts.models import AssumedRole, sts_backends
from werkzeug.exceptions import HTTPException

from sandbox.iam import calls
from sandbox.iam.calls import CallLocation, Parameters
from sandbox.iam.policy import (
    Caller,
    Document,
    PolicyRequest,
    PolicyVerdict,
    judge,
    judge_resource_policy,
)
from sandbox.world import current_world

moto_authorize: Any = ActionAuthenticatorMixin._authenticate_and_authorize_action


def authorize(response: BaseResponse, request_class: type, resource: str = "*") -> None:
    """Replaces moto's own: every request passes through here before its operation runs, with
    `resource` as moto knows it (S3 only).

    Returns if the call is allowed; otherwise raises the error that becomes AWS's answer.
    """
    access_key = response.get_access_key()
    if not access_key.startswith("ASIA") or not current_world().dials.enforce_iam:
        moto_authorize(response, request_class, resource)
        return
    session = _find_session(response, access_key)
    location = CallLocation(response.partition, response.region, session.account_id)
    _record_use(session.role_arn, location)
    if issubclass(request_class, S3IAMRequest):
        requests = [PolicyRequest(f"s3:{response._get_action()}", resource)]
    else:
        service, operation = _read_signed_service(response), response._get_action()
        requests = calls.list_requests(
            service, operation, _parse_parameters(response, service), location
        )
    policies = Policies.read_role(session.role_arn, session.policy)
    caller = Caller(session.account_id, session.role_arn, session.arn)
    context = calls.build_caller_context(location, session.role_arn, session.user_id)
    for request in requests:
        request_in_context = replace(request, context={**context, **request.context})
        if reason := explain_refusal(policies, request_in_context, caller):
            if issubclass(request_class, S3IAMRequest):
                raise S3AccessDeniedError
            message = (
                f"User: {session.arn} is not authorized to perform: {request.action} on "
                f"resource: {request.resource} {reason}"
            )
            _refuse(response, "AccessDeniedException", "AccessDenied", message)


def _record_use(role_arn: str, location: CallLocation) -> None:
    """Remember where a role was last used, which GetRole answers (model: RoleLastUsed). AWS needs
    some hours for that (guide: access_policies_last-accessed).
    """
    with suppress(NotFoundException):
        backend = iam_backends[location.account][location.partition]
        role: Any = backend.get_role_by_arn(role_arn)
        role.last_used, role.last_used_region = utcnow(), location.region


def role_allows(role_arn: str, action: str, resource: str) -> bool:
    """Whether a role could do this, by the role's own policies: for services that act with a role,
    such as CodePipeline's invocation of a function (guide: action-reference-Lambda). A role that
    does not exist can do nothing.
    """
    account = role_arn.split(":")[4]
    return (
        explain_refusal(
            Policies.read_role(role_arn),
            PolicyRequest(action, resource),
            Caller(account, role_arn, role_arn),
        )
        is None
    )


@dataclass(frozen=True)
class Policies:
    """The policies that limit a session, apart from the resource's own. None: there is no such
    policy, so it forbids nothing.
    """

    identity: tuple[Document, ...]
    boundary: Document | None = None
    session: Document | None = None

    @classmethod
    def read_role(cls, role_arn: str, session_policy: str | None = None) -> Policies:
        """A role's policies as they are now, inline and attached; `session_policy` is AssumeRole's
        Policy, as JSON text.
        """
        _, partition, _, _, account, _ = role_arn.split(":", 5)
        backend = iam_backends[account][partition]
        session = _parse_document(session_policy) if session_policy else None
        try:
            role = backend.get_role_by_arn(role_arn)
        except NotFoundException:
            return cls((), session=session)  # deleted while the session lives
        identity = [
            *map(_parse_document, role.policies.values()),
            *map(_read_default_version, role.managed_policies.values()),
        ]
        boundary = (
            _read_default_version(backend.get_policy(role.permissions_boundary_arn))
            if role.permissions_boundary_arn
            else None
        )
        return cls(tuple(identity), boundary, session)


def explain_refusal(policies: Policies, request: PolicyRequest, caller: Caller) -> str | None:
    """Why a request is denied, in AWS's words (guide: troubleshoot_access-denied); None if it is
    allowed.

    An explicit deny comes first. Then a role's trust policy must allow AssumeRole, and a function's
    policy may allow what the role's do not; a boundary and a session policy only ever take away
    (guide: reference_policies_evaluation-logic). Stricter than AWS in one point: they also limit a
    session that a resource policy names by its own ARN.
    """
    trust = request.action == "sts:AssumeRole"
    resource_policy = _find_resource_policy(request)
    by_resource, named = (
        judge_resource_policy(resource_policy, request, caller)
        if resource_policy is not None
        else (PolicyVerdict.SILENCE, False)
    )
    answers = {
        "identity-based policy": judge(policies.identity, request),
        "permissions boundary": judge([policies.boundary], request)
        if policies.boundary is not None
        else PolicyVerdict.ALLOW,
        "session policy": judge([policies.session], request)
        if policies.session is not None
        else PolicyVerdict.ALLOW,
        "role trust policy" if trust else "resource-based policy": by_resource,
    }
    for kind, answer in answers.items():
        if answer is PolicyVerdict.DENY:
            return f"with an explicit deny in {'an' if kind[0] == 'i' else 'a'} {kind}"
    if by_resource is PolicyVerdict.ALLOW and named:
        answers["identity-based policy"] = PolicyVerdict.ALLOW
    if not trust:
        answers.pop("resource-based policy")
    silent = next(
        (kind for kind, answer in answers.items() if answer is PolicyVerdict.SILENCE), None
    )
    return f"because no {silent} allows the {request.action} action" if silent else None


def _find_resource_policy(request: PolicyRequest) -> Document | None:
    """The policy of the role that is to be assumed or of the function that is to be used; None for
    all other resources.
    """
    arn = request.resource.split(":", 5)
    try:
        match arn:
            case [_, partition, "iam", _, account, _] if request.action == "sts:AssumeRole":
                return _parse_document(
                    iam_backends[account][partition]
                    .get_role_by_arn(request.resource)
                    .assume_role_policy_document
                )
            case [_, _, "lambda", region, account, resource] if resource.startswith("function:"):
                return {
                    "Statement": lambda_backends[account][region]
                    .get_function(request.resource)
                    .policy.statements
                }
    except (NotFoundException, LambdaClientError):
        pass  # a resource that does not exist allows nothing
    return None


def _find_session(response: BaseResponse, access_key: str) -> AssumedRole:
    """The session of the request's key, which must be known, with its own token, and not over."""
    session = sts_backends[response.current_account][
        response.partition
    ].get_assumed_role_from_access_key(access_key)
    if session is None or response.headers.get("X-Amz-Security-Token") != session.session_token:
        _refuse(
            response,
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    if session.expiration <= utcnow():
        _refuse(
            response,
            "ExpiredTokenException",
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    return session


class RequestRefused(HTTPException):
    """An error response that moto passes on unchanged."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(description=body)
        self.code = status


def _refuse(response: BaseResponse, json_code: str, xml_code: str, message: str) -> NoReturn:
    """Refuse in the service's own protocol: status 400 for JSON, 403 for the others (practice). The
    XML services have codes of their own.
    """
    protocol = response.determine_response_protocol(get_service_model(response.boto3_service_name))
    if "json" in protocol:
        response.response_headers["x-amzn-errortype"] = json_code
        raise RequestRefused(
            400 if protocol == "json" else 403,
            json.dumps({"__type": json_code, "Message": message, "message": message}),
        )
    content = f"<Code>{xml_code}</Code><Message>{escape(message)}</Message>"
    error = f"<Error><Type>Sender</Type>{content}</Error>"
    raise RequestRefused(
        403, f"<ErrorResponse>{error}<RequestId>{mock_random.uuid4()}</RequestId></ErrorResponse>"
    )


def _read_signed_service(response: BaseResponse) -> str:
    """The service in the signature's scope: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    scope = response.headers["Authorization"].partition("Credential=")[2].partition(",")[0]
    return str(scope.split("/")[3])


def _parse_parameters(response: BaseResponse, service: str) -> Parameters:
    """The call's parameters by the service's model; none for services whose calls all need "*"."""
    if service not in calls.RESOURCES:
        return {}
    parsed_before = getattr(response, "params", None)
    response.parse_parameters(response.normalized_request)
    parameters: Parameters = response.params
    response.params = parsed_before
    return parameters


def _read_default_version(policy: Policy) -> Document:
    """A managed policy's default version."""
    return _parse_document(
        next(
            version.document
            for version in policy.versions
            if version.version_id == policy.default_version_id
        )
    )


@lru_cache(maxsize=512)
def _parse_document(text: str) -> Document:
    """A policy from its JSON text. Cached: do not change what this returns."""
    document: Document = json.loads(text)
    return document
