"""What EventBridge refuses before it does anything, with AWS's error and, if public reports show
it, AWS's wording.

The numbers are the service model's (model: PutRule, PutTargets, PutEvents) unless a comment names
another source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from moto.events.exceptions import InvalidEventPatternException, ValidationException

from sandbox.eventbridge.exceptions import LimitExceededException
from sandbox.eventbridge.pattern import PatternError, compile_pattern
from sandbox.eventbridge.schedule import ScheduleError, parse_schedule

NAME_PATTERN = r"[\.\-_A-Za-z0-9]+"
STATES = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
MAX_PATTERN_LENGTH = 2048
"""The model allows 4096, but the default quota is less (guide: eb-quota, "Event pattern size")."""
MAX_TARGETS_PER_RULE = 5
"""(guide: eb-quota)"""
MAX_ENTRIES_PER_REQUEST = 10
"""Targets or events (model: PutEvents, and the text of PutTargets and RemoveTargets)."""
INPUT_KEYS = ("Input", "InputPath", "InputTransformer")


def check_rule(
    name: str, description: str | None, pattern: str | None, schedule: str | None, state: str | None
) -> None:
    """What PutRule refuses: ValidationException, InvalidEventPatternException."""
    check_name(name, "name")
    _check_length(description, "description", 512)
    _check_length(schedule, "scheduleExpression", 256)
    _check_length(pattern, "eventPattern", 4096)
    if state is not None and state not in STATES:
        raise _make_constraint_error(
            state, "state", f"Member must satisfy enum value set: [{', '.join(STATES)}]"
        )
    if schedule:
        try:
            parse_schedule(schedule)
        except ScheduleError as error:
            raise ValidationException(str(error)) from None
    if pattern:
        check_pattern(pattern)


def check_pattern(pattern: str) -> None:
    """InvalidEventPatternException if AWS refuses the pattern, LimitExceededException if it is
    longer than the quota.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise LimitExceededException
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise InvalidEventPatternException(reason=str(error)) from None


def check_targets(targets: Sequence[dict[str, Any]]) -> None:
    """What PutTargets refuses whatever the rule: ValidationException."""
    _check_entries(targets, "targets")
    for number, target in enumerate(targets, 1):
        check_name(target.get("Id") or "", f"targets.{number}.member.id")
        _check_length(target.get("Arn"), f"targets.{number}.member.arn", 1600)
        _check_length(target.get("Input"), f"targets.{number}.member.input", 8192)
        _check_length(target.get("InputPath"), f"targets.{number}.member.inputPath", 256)
        template = (target.get("InputTransformer") or {}).get("InputTemplate")
        _check_length(template, f"targets.{number}.member.inputTransformer.inputTemplate", 8192)
        if sum(target.get(key) is not None for key in INPUT_KEYS) > 1:
            raise ValidationException(
                "Only one of Input, InputPath, or InputTransformer must be provided for target "
                f"{target['Id']}."
            )
        if target.get("Input") is not None and not _is_json(target["Input"]):
            raise ValidationException(f"JSON syntax error in input for target {target['Id']}.")


def check_target_ids(ids: Sequence[str]) -> None:
    """What RemoveTargets refuses whatever the rule: ValidationException."""
    _check_entries(ids, "ids")


def check_name(text: str, member: str) -> None:
    """ValidationException unless `text` can be the name of a rule or the id of a target."""
    _check_length(text, member, 64)
    if not re.fullmatch(NAME_PATTERN, text):
        raise _make_constraint_error(
            text, member, f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
        )


def _check_length(text: str | None, member: str, longest: int) -> None:
    if text is not None and len(text) > longest:
        raise _make_constraint_error(
            text, member, f"Member must have length less than or equal to {longest}"
        )


def _check_entries(entries: Sequence[object], member: str) -> None:
    if len(entries) > MAX_ENTRIES_PER_REQUEST:
        raise _make_constraint_error(
            entries,
            member,
            f"Member must have length less than or equal to {MAX_ENTRIES_PER_REQUEST}",
        )


def _make_constraint_error(value: object, member: str, rule: str) -> ValidationException:
    return ValidationException(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
        f"constraint: {rule}"
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
