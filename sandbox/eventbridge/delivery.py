"""The last step: one payload reaches one target, of the kinds that the sandbox has."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.utils import unix_time_millis
from moto.events.models import events_backends
from moto.logs.models import logs_backends
from moto.moto_api._internal import mock_random
from moto.sqs.models import sqs_backends
from moto.utilities.arns import Arn, parse_arn

from sandbox.awslambda import invoke_async
from sandbox.world import current_world

REFUSALS = (LookupError, PermissionError, NotImplementedError, ServiceException, JsonRESTError)
"""What `deliver` raises if the target refuses the payload. Any other exception is a defect of the
sandbox.
"""


def deliver(target: dict[str, Any], payload: str, rule_arn: str) -> None:
    """Hand `payload` (JSON text) to `target`. One of REFUSALS if the target refuses it."""
    arn = parse_arn(target["Arn"])
    if arn.service == "lambda":
        invoke_lambda(target["Arn"], payload, rule_arn)
        return
    with current_world().lock:
        if arn.service == "logs" and arn.resource_type == "log-group":
            _send_to_log_group(arn, payload)
        elif arn.service == "sqs":
            _send_to_queue(arn, payload, target)
        elif arn.service == "events" and arn.resource_type == "event-bus":
            _send_to_bus(arn, payload)
        elif arn.service == "events" and not arn.resource_type:
            _send_to_archive(payload)
        else:
            raise NotImplementedError(f"the sandbox has no targets like {target['Arn']}")


def invoke_lambda(function_arn: str, payload: str, rule_arn: str) -> None:
    """Invoke asynchronously, as EventBridge does. PermissionError, LookupError: Lambda refuses."""
    arn = parse_arn(function_arn)
    invoke_async(
        arn.account,
        arn.region,
        function_arn,
        payload,
        service="events.amazonaws.com",
        source_arn=rule_arn,
    )


def _send_to_log_group(arn: Arn, payload: str) -> None:
    backend = logs_backends[arn.account][arn.region]
    group, stream = arn.resource_id.removesuffix(":*"), str(mock_random.uuid4())
    backend.create_log_stream(group, stream)
    backend.put_log_events(group, stream, [{"timestamp": unix_time_millis(), "message": payload}])


def _send_to_queue(arn: Arn, payload: str, target: dict[str, Any]) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    sqs_backends[arn.account][arn.region].send_message(
        queue_name=arn.resource_id, message_body=payload, group_id=group
    )


def _send_to_bus(arn: Arn, payload: str) -> None:
    """Pass the event on unchanged, with its own account, region and time. The other bus's policy is
    not checked.
    """
    # An EventBridgeBackend, whose module imports this one.
    backend: Any = events_backends[arn.account][arn.region]
    backend.publish(backend.describe_event_bus(arn.resource_id).name, json.loads(payload))


def _send_to_archive(payload: str) -> None:
    """moto's archives are rules of their own, whose template wraps the event."""
    wrapped = json.loads(payload)
    arn = parse_arn(wrapped["archive-arn"])
    name, _, identity = arn.resource_id.partition(":")
    archive = events_backends[arn.account][arn.region].archives[name]
    if archive.uuid == identity:
        archive.events.append(wrapped["event"])
