"""The functions' boto3 clients: made once, their calls led through the simulation, and made lean, as a run makes a hundred calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

import chalicelib.aws
from chalicelib import runtime
from sandbox.account import ACCOUNT, REGION
from sandbox.codepipeline.responses import CodePipelineResponse
from sandbox.world import current

Send = Callable[[BaseClient, AWSPreparedRequest, str], AWSResponse]
"""One attempt of a call: client, request and botocore's event (before-send.SERVICE.OPERATION)."""

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
"""The operations of CodePipeline that the sandbox answers by itself, and their methods."""
_line: list[Send] = []
"""Through whom the calls go now: the clients outlive a run, for making them takes longer than it does."""
_quotas: list[Any] = []
_real_client = chalicelib.aws.client
_methods = cache(moto.core.responses.method_names_from_class)


@contextmanager
def clients_through(send: Send) -> Iterator[None]:
    """Give the functions clients whose calls go through `send` before they reach moto. Each time they are as good as new."""
    for quota in _quotas:
        quota._available_capacity = quota._max_capacity
    _line.append(send)
    try:
        with (
            patch.object(chalicelib.aws, "client", _client),
            patch.object(runtime, "aws", _aws()),
            # moto looks through its class at each call
            patch.object(moto.core.responses, "method_names_from_class", _methods),
        ):
            yield
    finally:
        _line.pop()


def through_moto(request: AWSPreparedRequest, operation: str) -> AWSResponse:
    """Let a call take effect. CodePipeline's go past moto's HTTP layers as long as they succeed: that halves the time of a run."""
    if operation in SHORT_WAY:
        response = CodePipelineResponse()
        response.current_account, response.region = ACCOUNT, REGION
        response.body, response.querystring, response.headers = request.body, {}, {"X-Amz-Target": operation}
        try:
            with current().lock:
                return answer(request, 200, getattr(response, SHORT_WAY[operation])())
        except (JsonRESTError, ServiceException):
            pass  # nothing was changed: the long way gives the error its form
    answered = botocore_stubber("before-send", request)
    if answered is None:
        raise RuntimeError(f"moto does not answer {request.url}")
    return answered


def answer(request: AWSPreparedRequest, status: int, body: str, headers: dict[str, str] | None = None) -> AWSResponse:
    """A response to a request, as botocore gets it."""
    return AWSResponse(request.url, status, headers or {}, MockRawResponse(body))  # type: ignore[arg-type]


@cache
def _aws() -> Any:
    return type(runtime.aws)()


def _client(*names: Any, **settings: Any) -> Any:
    real_quota = botocore.retries.quota.RetryQuota

    def noted(*arguments: Any, **more: Any) -> Any:
        _quotas.append(real_quota(*arguments, **more))
        return _quotas[-1]

    with patch.object(botocore.retries.quota, "RetryQuota", noted):
        client = _real_client(*names, **settings)
    events = client.meta.events
    events.unregister("before-send", botocore_stubber)
    events.register("before-send", lambda request, event_name, **_: _line[-1](client, request, event_name))
    # Neither its signature nor its user agent matters here; together they are a third of a call.
    events.unregister(f"request-created.{client.meta.service_model.service_id.hyphenize()}", client._request_signer.handler)
    client._user_agent_creator.to_string = lambda: "simulation"
    return client
