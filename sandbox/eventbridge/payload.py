"""What a target receives: the event in AWS's envelope, or what the target's Input, InputPath or
InputTransformer makes of it.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.eventbridge.timeline import RuleDefinition


def wrap_event(
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
        "time": format_time(time),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def make_scheduled_event(
    account_id: str, region: str, rule_arn: str, time: datetime
) -> dict[str, Any]:
    """What a rule's schedule sends (guide: eb-run-lambda-schedule). `time`: aware UTC."""
    return wrap_event(
        account_id,
        region,
        source="aws.events",
        detail_type="Scheduled Event",
        detail={},
        resources=[rule_arn],
        time=time,
    )


def format_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_payload(
    target: dict[str, Any], event: dict[str, Any], rule: RuleDefinition, received: datetime
) -> str:
    """The JSON text that `target` receives for `event`, which reached EventBridge at `received`.

    ValueError if an InputPath finds nothing or a template does not make JSON: AWS then has nothing
    to deliver.
    """
    if (constant := target.get("Input")) is not None:
        return str(constant)
    if (path := target.get("InputPath")) is not None:
        values = _find_values(path, event)
        if not values:
            raise ValueError(f"InputPath {path} finds nothing in the event")
        return json.dumps(values[0])
    if (transformer := target.get("InputTransformer")) is not None:
        return _fill_template(transformer, event, rule, received)
    return json.dumps(event)


def _find_values(path: str, event: dict[str, Any]) -> list[Any]:
    from jsonpath_ng.ext import parse  # type: ignore[attr-defined]  # noqa: PLC0415 - slow

    return [match.value for match in parse(path).find(event)]


def _fill_template(
    transformer: dict[str, Any], event: dict[str, Any], rule: RuleDefinition, received: datetime
) -> str:
    """The template with its <variables> filled in (guide: eb-transform-target-input).

    Between quotes a variable is its text, elsewhere its JSON. One that finds nothing is an empty
    text, or null.
    """
    variables: dict[str, Any] = {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": format_time(received),
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        values = _find_values(path, event)
        variables[name] = values[0] if values else None

    def fill(text: str, *, quoted: bool) -> str:
        def replace_variable(match: re.Match[str]) -> str:
            if match[1] not in variables:
                return match[0]
            value = variables[match[1]]
            if not quoted:
                return json.dumps(value)
            as_text = (
                "" if value is None else value if isinstance(value, str) else json.dumps(value)
            )
            return json.dumps(as_text)[1:-1]

        return re.sub(r"<([A-Za-z0-9_.\-]+)>", replace_variable, text)

    pieces = re.split(r'("(?:[^"\\]|\\.)*")', transformer["InputTemplate"])
    text = "".join(fill(piece, quoted=bool(index % 2)) for index, piece in enumerate(pieces))
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"the InputTemplate does not make JSON: {error}") from None
    return text
