"""The functions' boto3 clients: created once, lean, and their calls go through the simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import botocore.retries.quota
import moto.core.responses
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.models import botocore_stubber
from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

import chalicelib.aws.clients
from chalicelib import runtime
from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.responses import CodePipelineResponse
from sandbox.world import current_world
from tests.simulation.places import Place
from tests.support.runtime import start_runtime

Send = Callable[["Caller", AWSPreparedRequest, str], AWSResponse]
"""One attempt of a call; the text is botocore's event, before-send.SERVICE.OPERATION."""

SHORT_WAY = {
    "ListPipelineExecutions": "list_pipeline_executions",
    "ListActionExecutions": "list_action_executions",
    "ListRuleExecutions": "list_rule_executions",
    "GetPipelineState": "get_pipeline_state",
    "RetryStageExecution": "retry_stage_execution",
    "GetPipelineExecution": "get_pipeline_execution",
    "StartPipelineExecution": "start_pipeline_execution",
    "PutJobSuccessResult": "put_job_success_result",
    "PutJobFailureResult": "put_job_failure_result",
}
"""The CodePipeline operations that the sandbox answers without moto, and their methods."""


@dataclass(frozen=True)
class Caller:
    """A client, and where its calls go. `signs`: with a role's session; IAM checks each call."""

    client: BaseClient
    place: Place
    signs: bool


_current: list[tuple[Send, Callable[[], str]]] = []
"""The target of all calls now, and what returns which function is running ("gate" or "retry"): the
clients outlive a run, because creating them takes long.
"""
OF_A_RUN = ("sts",)
"""The services that need a new client for each session."""
_quotas: list[Any] = []
_real_client = chalicelib.aws.clients.make_client
_methods = cache(moto.core.responses.method_names_from_class)


@contextmanager
def clients_through(send: Send, function: Callable[[], str]) -> Iterator[None]:
    """Give the functions clients whose calls go through `send` before they reach moto, and that
    behave like new ones each time. `function` returns which of them is running: "gate" or "retry".
    """
    for quota in _quotas:
        quota._available_capacity = quota._max_capacity
    _current.append((send, function))
    try:
        with (
            patch.object(chalicelib.aws.clients, "make_client", _client),
            patch.object(runtime, "aws", _aws()),
            # moto looks through its class at each call
            patch.object(moto.core.responses, "method_names_from_class", _methods),
        ):
            start_runtime()
            yield
    finally:
        _current.pop()


def through_moto(caller: Caller, request: AWSPreparedRequest, operation: str) -> AWSResponse:
    """Let a call take effect. CodePipeline's go past moto's HTTP layers, to halve a run's time."""
    if operation in SHORT_WAY and not caller.signs:
        response = CodePipelineResponse()
        response.current_account, response.region = caller.place
        response.body, response.querystring = request.body, {}
        response.headers = {"X-Amz-Target": operation}
        try:
            with current_world().lock:
                return answer(request, 200, getattr(response, SHORT_WAY[operation])())
        except (JsonRESTError, ServiceException):
            pass  # nothing was changed: moto's HTTP layers format the error
    answered = botocore_stubber("before-send", request)
    if answered is None:
        raise RuntimeError(f"moto does not answer {request.url}")
    return answered


def answer(
    request: AWSPreparedRequest, status: int, body: str, headers: dict[str, str] | None = None
) -> AWSResponse:
    """A response to a request, as botocore gets it."""
    return AWSResponse(request.url, status, headers or {}, MockRawResponse(body))  # type: ignore[arg-type]


@cache
def _aws() -> Any:
    return type(runtime.aws)()


def _client(*names: Any, **settings: Any) -> Any:
    real_quota = botocore.retries.quota.RetryQuota

    def noted(*arguments: Any, **more: Any) -> Any:
        quota = real_quota(*arguments, **more)
        if names[0] in OF_A_RUN or settings.get("region_name"):
            return quota  # it is not used after its run
        _quotas.append(quota)
        return quota

    if names[0] in OF_A_RUN:
        settings |= _own_session()
    with patch.object(botocore.retries.quota, "RetryQuota", noted):
        client = _real_client(*names, **settings)
    key, region = settings.get("aws_access_key_id"), settings.get("region_name", REGION)
    caller = Caller(
        client, (get_account_id_from(key) if key else ACCOUNT, region), signs=key is not None
    )
    events = client.meta.events
    events.unregister("before-send", botocore_stubber)
    events.register(
        "before-send", lambda request, event_name, **_: _current[-1][0](caller, request, event_name)
    )
    # Neither its signature nor its user agent matters here; together they are a third of a call.
    if not caller.signs:
        events.unregister(
            f"request-created.{client.meta.service_model.service_id.hyphenize()}",
            client._request_signer.handler,
        )
    client._user_agent_creator.to_string = lambda: "simulation"
    return client


def _own_session() -> dict[str, str]:
    """A session of the running function's role: IAM decides which roles it may assume."""
    name = f"pipeline-gate-dev-{_current[-1][1]()}"
    session = sts_backends[ACCOUNT]["aws"].assume_role(
        REGION, name, f"arn:aws:iam::{ACCOUNT}:role/{name}", "", 3600, ""
    )
    return {
        "aws_access_key_id": session.access_key_id,
        "aws_secret_access_key": session.secret_access_key,
        "aws_session_token": session.session_token,
    }
