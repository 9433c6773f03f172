"""What a target receives: the event in AWS's envelope, or what the target's Input, InputPath or
InputTransformer makes of it.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.eventbridge.timeline import Definition


def envelope(
    account_id: str,
    region: str,
    *,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
    time: datetime,
) -> dict[str, Any]:
    """An event as every target sees it (guide: eb-events-structure). `time`: aware UTC."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account_id,
        "time": iso_time(time),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def scheduled_event(account_id: str, region: str, rule_arn: str, time: datetime) -> dict[str, Any]:
    """What a rule's schedule sends (guide: eb-run-lambda-schedule). `time`: aware UTC."""
    return envelope(
        account_id,
        region,
        source="aws.events",
        detail_type="Scheduled Event",
        detail={},
        resources=[rule_arn],
        time=time,
    )


def iso_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def payload(
    target: dict[str, Any], event: dict[str, Any], rule: Definition, received: datetime
) -> str:
    """The JSON text that `target` receives for `event`, which reached EventBridge at `received`.

    ValueError where an InputPath finds nothing or a template does not make JSON: AWS then has
    nothing to deliver.
    """
    if (constant := target.get("Input")) is not None:
        return str(constant)
    if (path := target.get("InputPath")) is not None:
        found = _find(path, event)
        if not found:
            raise ValueError(f"InputPath {path} finds nothing in the event")
        return json.dumps(found[0])
    if (transformer := target.get("InputTransformer")) is not None:
        return _transform(transformer, event, rule, received)
    return json.dumps(event)


def _find(path: str, event: dict[str, Any]) -> list[Any]:
    from jsonpath_ng.ext import parse  # type: ignore[attr-defined]  # noqa: PLC0415 - slow to import

    return [match.value for match in parse(path).find(event)]


def _transform(
    transformer: dict[str, Any], event: dict[str, Any], rule: Definition, received: datetime
) -> str:
    """The template with its <variables> filled in (guide: eb-transform-target-input).

    Between quotes a variable is its text, elsewhere its JSON. One that finds nothing is an empty
    text, or null.
    """
    variables: dict[str, Any] = {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": iso_time(received),
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        found = _find(path, event)
        variables[name] = found[0] if found else None

    def fill(text: str, *, quoted: bool) -> str:
        def value_of(match: re.Match[str]) -> str:
            if match[1] not in variables:
                return match[0]
            value = variables[match[1]]
            if not quoted:
                return json.dumps(value)
            as_text = (
                "" if value is None else value if isinstance(value, str) else json.dumps(value)
            )
            return json.dumps(as_text)[1:-1]

        return re.sub(r"<([A-Za-z0-9_.\-]+)>", value_of, text)

    pieces = re.split(r'("(?:[^"\\]|\\.)*")', transformer["InputTemplate"])
    text = "".join(fill(piece, quoted=bool(index % 2)) for index, piece in enumerate(pieces))
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"the InputTemplate does not make JSON: {error}") from None
    return text
