"""The UserParameters of a gate action: reads and checks them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

from chalicelib.errors import Misconfigured
from chalicelib.holds.mode import DEFAULT, MODES, HoldMode
from chalicelib.phrases import join_values, name_json_kind, quote
from chalicelib.pipelines import dependency
from chalicelib.pipelines.dependency import (
    PARKED,
    REQUIRE,
    Dependency,
    Parked,
    Require,
    check_choice,
)
from chalicelib.pipelines.execution import ID, NAME

Revisions = Literal["latest", "held"]
OnGiveUp = Literal["stop", "continue"]

EXAMPLE = (
    '{"depends_on": ["infra"], "pipeline": "k8s", "execution": '
    '"#{codepipeline.PipelineExecutionId}"}'
)
KEYS = (
    "depends_on",
    "require",
    "hold",
    "retry_minutes",
    "give_up_minutes",
    "on_give_up",
    "revisions",
    "parked",
    "bypass",
    "observe",
    "condition",
    "pipeline",
    "execution",
)
RETRY_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
"""The divisors of 60. Only they give a cron expression that fires at equal intervals."""
MAX_GIVE_UP_MINUTES = 14 * 24 * 60
"""14 days: the gate looks back no further (execution.LOOK_BACK)."""
REVISIONS: tuple[Revisions, ...] = ("latest", "held")
ON_GIVE_UP: tuple[OnGiveUp, ...] = ("stop", "continue")

PATTERN_LENGTH = 2048
"""The most characters in an event pattern (EventBridge's default quota; the model allows 4096)."""
NAMES_THAT_ALWAYS_FIT = 5
"""Entries of depends_on that fit into a pattern however long they are: each adds at most three
names of 100 characters.
"""


@dataclass(frozen=True)
class Parameters:
    """What a gate action asks for. docs/parameters.md describes every key.

    `depends_on`: the upstreams, each once.
    `pipeline`, `execution`: the waiting pipeline and its execution; None if the action does not
    name them.
    `mode`: how the pipeline is held.
    `revisions`: the source revisions that a restart takes. None: what started the execution decides
    (holds/continuation.py).
    `give_up_minutes`: None means never.
    `condition`: the gate is a rule of a stage's condition, not an action.
    """

    depends_on: tuple[Dependency, ...]
    retry_minutes: int
    pipeline: str | None = None
    execution: str | None = None
    mode: HoldMode = DEFAULT
    revisions: Revisions | None = None
    give_up_minutes: int | None = None
    on_give_up: OnGiveUp = "stop"
    bypass: bool = False
    observe: bool = False
    condition: bool = False


def parse_parameters(text: str | None, default_minutes: str) -> Parameters:
    """Read UserParameters: a JSON object, or the short form, plain names ("infra, network").

    `default_minutes`: the environment variable RETRY_MINUTES, used if the action has no
    retry_minutes.
    Raises Misconfigured with a message for the console.
    """
    fields = _parse_fields(text)
    for key in fields:
        if key not in KEYS:
            raise Misconfigured(
                f"UserParameters has an unknown key {quote(key)}{_suggest_key(key)}. The known "
                f"keys are {', '.join(KEYS)}."
            )
    parameters = Parameters(
        depends_on=_read_depends_on(fields),
        retry_minutes=_read_retry_minutes(fields, default_minutes),
        pipeline=_read_pipeline(fields),
        execution=_read_execution(fields),
        mode=MODES[check_choice(tuple(MODES), fields.get("hold", DEFAULT.name), "hold")],
        revisions=_read_revisions(fields),
        give_up_minutes=_read_give_up_minutes(fields),
        on_give_up=_read_on_give_up(fields),
        bypass=_read_bypass(fields),
        observe=_read_flag(fields, "observe"),
        condition=_read_flag(fields, "condition"),
    )
    if parameters.condition and parameters.mode.stays_in_progress:
        modes = [quote(name) for name, mode in MODES.items() if not mode.stays_in_progress]
        raise Misconfigured(
            f"A stage condition cannot stay in progress, so hold must be {' or '.join(modes)}, "
            f"not {quote(parameters.mode.name)}."
        )
    if parameters.pipeline is not None:
        refuse_self(parameters.depends_on, parameters.pipeline)
    return parameters


def only_observes(text: str | None) -> bool:
    """Return whether UserParameters say "observe": true, even if other keys in them are wrong.

    Such a gate must never stop its pipeline.
    """
    try:
        return _parse_fields(text).get("observe") is True
    except Misconfigured:
        return False


def is_condition(text: str | None) -> bool:
    """Return whether UserParameters have "condition": true, even if they, or this key's value, are
    wrong otherwise.

    Such a gate must never end well unless it lets its stage begin.
    """
    try:
        return _parse_fields(text).get("condition", False) is not False
    except Misconfigured:
        return '"condition"' in (text or "")


def read_waiter_names(text: str | None) -> tuple[str | None, str | None]:
    """Return the pipeline and execution that UserParameters name, even if other keys are wrong.

    None for one that they do not name, or not correctly.
    """
    try:
        fields = _parse_fields(text)
    except Misconfigured:
        return None, None
    pipeline = execution = None
    with suppress(Misconfigured):
        pipeline = _read_pipeline(fields)
    with suppress(Misconfigured):
        execution = _read_execution(fields)
    return pipeline, execution


def refuse_self(
    depends_on: Iterable[Dependency], pipeline: str, region: str = "?", account: str = "?"
) -> None:
    """Raise Misconfigured if `pipeline` would wait for itself.

    `pipeline`, `region` and `account` are those of the gate action.
    """
    if any(entry.is_pipeline(pipeline, region, account) for entry in depends_on):
        raise Misconfigured(
            f"{pipeline} depends on itself, so it would wait forever. Remove it from depends_on."
        )


def refuse_closed_accounts(depends_on: Iterable[Dependency], account: str) -> None:
    """Raise Misconfigured if an upstream is in another account and the entry has no role_arn.

    `account` is the gate's own.
    """
    for entry in depends_on:
        if entry.account not in (None, account) and not entry.role_arn:
            raise Misconfigured(
                f"{entry.name} is in account {entry.account}, but the gate is in {account}. Add a "
                "role_arn that lets the gate read it: "
                f'{{"pipeline": "{entry.pipeline}", "role_arn": '
                f'"arn:aws:iam::{entry.account}:role/pipeline-gate-..."}}.'
            )


def refuse_other_partitions(depends_on: Iterable[Dependency], partition: str) -> None:
    """Raise Misconfigured if an upstream's ARN is of another partition than the gate's.

    No credentials are valid in two partitions (guide: reference-arns).
    """
    for entry in depends_on:
        if entry.partition not in (None, partition):
            raise Misconfigured(
                f"The ARN of {entry.name} begins with arn:{entry.partition}:, but the gate is in "
                f"partition {partition} and can read no other. Correct the ARN in this action's "
                "UserParameters."
            )


def _parse_fields(text: str | None) -> dict[str, object]:
    if text is None or not text.strip():
        raise Misconfigured(
            f"The action has no UserParameters. They name the pipelines to wait for, for example "
            f"{EXAMPLE}."
        )
    if text.lstrip()[0] in '{["':
        return _parse_json(text)
    return {"depends_on": [name.strip() for name in text.split(",")]}


def _parse_json(text: str) -> dict[str, object]:
    try:
        fields = json.loads(text, object_pairs_hook=_refuse_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise Misconfigured(
            f"UserParameters is not valid JSON ({_describe_json_error(error)}). "
            f"Write {EXAMPLE}, or plain names: infra, network."
        ) from None
    if not isinstance(fields, dict):
        raise Misconfigured(
            f"UserParameters must be a JSON object or plain names, not {name_json_kind(fields)}. "
            f"Write {EXAMPLE}."
        )
    return fields


def _describe_json_error(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return "it has a number that is too long"


def _refuse_repeated_keys(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise Misconfigured(
                f"UserParameters has the key {quote(key)} twice. Remove one of them."
            )
        result[key] = value
    return result


def _read_depends_on(fields: dict[str, object]) -> tuple[Dependency, ...]:
    if "depends_on" not in fields:
        raise Misconfigured(
            f"UserParameters has no depends_on, the pipelines to wait for. Write {EXAMPLE}."
        )
    value = fields["depends_on"]
    entries = [value] if isinstance(value, (str, dict)) else value
    if not isinstance(entries, list):
        raise Misconfigured(
            f"depends_on must be a pipeline's name or a list of names, not {name_json_kind(value)}."
        )
    if not entries:
        raise Misconfigured(
            "depends_on is an empty list. Name at least one pipeline to wait for, or remove the "
            "action."
        )
    require = cast(Require, check_choice(REQUIRE, fields.get("require", "idle"), "require"))
    parked = cast(Parked, check_choice(PARKED, fields.get("parked", "wait"), "parked"))
    upstreams = tuple(
        dict.fromkeys(dependency.parse_entry(entry, require, parked) for entry in entries)
    )
    if len(upstreams) > NAMES_THAT_ALWAYS_FIT:
        _refuse_too_many(upstreams)
    return upstreams


def _refuse_too_many(upstreams: tuple[Dependency, ...]) -> None:
    from chalicelib.holds.rule import build_pattern  # noqa: PLC0415 - not on the open path

    if len(build_pattern(upstreams)) > PATTERN_LENGTH:
        raise Misconfigured(
            f"depends_on has {len(upstreams)} pipelines, more than fit into the event pattern of "
            f"one EventBridge rule ({PATTERN_LENGTH} characters). Spread them over several gate "
            "actions."
        )


def _read_retry_minutes(fields: dict[str, object], default: str) -> int:
    if "retry_minutes" not in fields:
        if default not in map(str, RETRY_MINUTES):
            raise Misconfigured(
                f"The gate's environment variable RETRY_MINUTES is {quote(default)}, but must be "
                f"one of {join_values(RETRY_MINUTES)}. Correct it in .chalice/config.json."
            )
        return int(default)
    value = fields["retry_minutes"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misconfigured(
            f"retry_minutes must be a whole number, one of {join_values(RETRY_MINUTES)}, not "
            f"{name_json_kind(value)}."
        )
    if value not in RETRY_MINUTES:
        raise Misconfigured(
            f"retry_minutes is {str(value)[:20]}, but must divide 60: one of "
            f"{join_values(RETRY_MINUTES)}."
        )
    return value


def _read_give_up_minutes(fields: dict[str, object]) -> int | None:
    if "give_up_minutes" not in fields:
        return None
    value = fields["give_up_minutes"]
    allowed = f"a whole number of minutes, 1 to {MAX_GIVE_UP_MINUTES} (14 days)"
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misconfigured(f"give_up_minutes must be {allowed}, not {name_json_kind(value)}.")
    if not 1 <= value <= MAX_GIVE_UP_MINUTES:
        raise Misconfigured(f"give_up_minutes is {str(value)[:20]}, but must be {allowed}.")
    return value


def _read_revisions(fields: dict[str, object]) -> Revisions | None:
    if "revisions" not in fields:
        return None
    return cast(Revisions, check_choice(REVISIONS, fields["revisions"], "revisions"))


def _read_on_give_up(fields: dict[str, object]) -> OnGiveUp:
    if "on_give_up" in fields and "give_up_minutes" not in fields:
        raise Misconfigured(
            "on_give_up says what happens after give_up_minutes, which is missing. Add it, for "
            'example "give_up_minutes": 120.'
        )
    return cast(OnGiveUp, check_choice(ON_GIVE_UP, fields.get("on_give_up", "stop"), "on_give_up"))


def _read_bypass(fields: dict[str, object]) -> bool:
    value = fields.get("bypass", "false")
    if value not in ("true", "false"):
        shown = quote(value) if isinstance(value, str) else name_json_kind(value)
        raise Misconfigured(
            f'bypass is {shown}, but must be the string "true" or "false". Write it as '
            '"#{variables.bypass}", and declare the pipeline '
            'variable bypass with the default "false".'
        )
    return value == "true"


def _read_flag(fields: dict[str, object], key: str) -> bool:
    value = fields.get(key, False)
    if not isinstance(value, bool):
        raise Misconfigured(f"{key} must be true or false, not {name_json_kind(value)}.")
    return value


def _read_pipeline(fields: dict[str, object]) -> str | None:
    if "pipeline" not in fields:
        return None
    value = fields["pipeline"]
    if not isinstance(value, str):
        raise Misconfigured(
            f"pipeline must be this pipeline's own name, not {name_json_kind(value)}."
        )
    if not re.fullmatch(NAME, value):
        raise Misconfigured(
            f"pipeline is {quote(value)}, which is not a pipeline's name: it must be 1 to 100 "
            "letters, digits and . @ - _."
        )
    return value


def _read_execution(fields: dict[str, object]) -> str | None:
    if "execution" not in fields:
        return None
    value = fields["execution"]
    if not isinstance(value, str):
        raise Misconfigured(
            f"execution must be a string, not {name_json_kind(value)}. Write it as "
            '"#{codepipeline.PipelineExecutionId}".'
        )
    if not re.fullmatch(ID, value):
        raise Misconfigured(
            f"execution is {quote(value)}, which is not an execution id. "
            'Write it as "#{codepipeline.PipelineExecutionId}": CodePipeline fills in the id.'
        )
    return value


def _suggest_key(key: str) -> str:
    import difflib  # noqa: PLC0415 - a cold start should not pay for it

    close = difflib.get_close_matches(key, KEYS, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
