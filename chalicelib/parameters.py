"""What a gate action asks for: reads and checks its UserParameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.errors import Misconfigured
from chalicelib.messages import quoted

EXAMPLE = '{"depends_on": ["infra"], "pipeline": "k8s", "execution": "#{codepipeline.PipelineExecutionId}"}'
KEYS = ("depends_on", "retry_minutes", "pipeline", "execution")
RETRY_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
"""The divisors of 60: only they make a cron expression whose distances are all alike."""

_NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")  # model: PipelineName
_EXECUTION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")  # model: PipelineExecutionId
_ROOM_FOR_NAMES = 1750
"""An event pattern has 2048 characters (EventBridge's default quota), of which the gate's own words take some 250."""


@dataclass(frozen=True)
class Parameters:
    """`depends_on`: the upstreams' names, each once. `pipeline` and `execution` are None where the action does not say them."""

    depends_on: tuple[str, ...]
    retry_minutes: int
    pipeline: str | None = None
    execution: str | None = None


def read(text: str | None, default_minutes: str) -> Parameters:
    """Read UserParameters: JSON, or in short form plain names ("infra, network").

    `default_minutes` is the environment's RETRY_MINUTES, taken where the action says none.
    Raises Misconfigured with a sentence for the console.
    """
    if text is None or not text.strip():
        raise Misconfigured(f"The action has no UserParameters. They say what to wait for, for example {EXAMPLE}.")
    asked = _object(text) if text.lstrip()[0] in '{["' else _names(text)
    for key in asked:
        if key not in KEYS:
            raise Misconfigured(f"UserParameters has an unknown key {quoted(key)}{_did_you_mean(key)}. Known: {', '.join(KEYS)}.")
    parameters = Parameters(
        depends_on=_upstreams(asked),
        retry_minutes=_retry_minutes(asked, default_minutes),
        pipeline=_own_pipeline(asked),
        execution=_own_execution(asked),
    )
    if parameters.pipeline is not None:
        refuse_self(parameters, parameters.pipeline)
    return parameters


def refuse_self(parameters: Parameters, pipeline: str) -> None:
    """Raise Misconfigured where `pipeline`, whose action this is, would wait for itself."""
    if pipeline in parameters.depends_on:
        raise Misconfigured(f"{pipeline} depends on itself: it runs while it asks, so it would wait for ever. Take it out of depends_on.")


def _object(text: str) -> dict[str, object]:
    try:
        asked = json.loads(text, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        raise Misconfigured(
            f"UserParameters is not valid JSON ({_json_error(error)}). Right would be {EXAMPLE}, or plain names: infra, network."
        ) from None
    if not isinstance(asked, dict):
        raise Misconfigured(f"UserParameters must be a JSON object or plain names, not {_kind(asked)}. Right would be {EXAMPLE}.")
    return asked


def _json_error(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    return "it is nested too deep" if isinstance(error, RecursionError) else "it has a number that is too long"


def _names(text: str) -> dict[str, object]:
    return {"depends_on": [name.strip() for name in text.split(",")]}


def _each_key_once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise Misconfigured(f"UserParameters has two keys {quoted(key)}: leave one of them out.")
        result[key] = value
    return result


def _upstreams(asked: dict[str, object]) -> tuple[str, ...]:
    if "depends_on" not in asked:
        raise Misconfigured(f"UserParameters has no depends_on: it names the pipelines to wait for. Right would be {EXAMPLE}.")
    value = asked["depends_on"]
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise Misconfigured(f"depends_on must be a pipeline's name or a list of names, not {_kind(value)}.")
    if not names:
        raise Misconfigured("depends_on is an empty list: name at least one pipeline to wait for, or take the action out.")
    upstreams = tuple(dict.fromkeys(_name(name, "depends_on") for name in names))
    if len(json.dumps(upstreams)) > _ROOM_FOR_NAMES:
        raise Misconfigured(
            f"depends_on has {len(upstreams)} names, more than fit into one EventBridge rule "
            f"({_ROOM_FOR_NAMES} characters in all). Spread them over several gate actions."
        )
    return upstreams


def _retry_minutes(asked: dict[str, object], default: str) -> int:
    if "retry_minutes" not in asked:
        if default not in map(str, RETRY_MINUTES):
            raise Misconfigured(
                f"The gate's environment variable RETRY_MINUTES is {quoted(default)}: it must be one of {_listed(RETRY_MINUTES)}. "
                "It stands in .chalice/config.json."
            )
        return int(default)
    value = asked["retry_minutes"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misconfigured(f"retry_minutes must be a whole number, one of {_listed(RETRY_MINUTES)}, not {_kind(value)}.")
    if value not in RETRY_MINUTES:
        raise Misconfigured(f"retry_minutes is {str(value)[:20]}, but must divide 60: one of {_listed(RETRY_MINUTES)}.")
    return value


def _own_pipeline(asked: dict[str, object]) -> str | None:
    return _name(asked["pipeline"], "pipeline") if "pipeline" in asked else None


def _own_execution(asked: dict[str, object]) -> str | None:
    if "execution" not in asked:
        return None
    value = asked["execution"]
    if not isinstance(value, str):
        raise Misconfigured(f'execution must be a string, not {_kind(value)}. Write it as "#{{codepipeline.PipelineExecutionId}}".')
    if not _EXECUTION.fullmatch(value):
        raise Misconfigured(
            f"execution is {quoted(value)}, which is no execution id. "
            'Write it as "#{codepipeline.PipelineExecutionId}": CodePipeline fills in the id.'
        )
    return value


def _name(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise Misconfigured(f"{key} must hold pipelines' names, not {_kind(value)}.")
    if not _NAME.fullmatch(value):
        raise Misconfigured(
            f"{key} has {quoted(value)}, which is no pipeline's name: 1 to 100 letters, digits and . @ - _ "
            "(several names are separated by commas)."
        )
    return value


def _did_you_mean(key: str) -> str:
    import difflib  # noqa: PLC0415 - only this path needs it, and a cold start pays for every import

    close = difflib.get_close_matches(key, KEYS, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _kind(value: object) -> str:
    kinds = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
