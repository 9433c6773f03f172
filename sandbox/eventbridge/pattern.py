"""Whether an event matches a rule's event pattern (guide: eb-event-patterns,
eb-create-pattern-operators).

moto's own matcher is not used: it takes true for 1, lets an empty pattern match everything, and
does not support arrays of objects. A pattern is compiled once into nested functions, because every
event is compared with every rule.
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

Matcher = Callable[[Any], bool]

ABSENT = object()
"""Stands for a field that the event does not have."""

COMPARISONS: Mapping[Any, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class PatternError(ValueError):
    """A pattern that AWS refuses; the message is the reason."""


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Matcher:
    """A function that says whether the pattern `text` matches an event (a dict, as JSON has it).
    PatternError if AWS refuses the pattern.
    """
    try:
        pattern = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise PatternError("Invalid JSON") from None
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    return _compile_object(pattern)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _compile_object(pattern: dict[str, Any]) -> Matcher:
    """All fields must match. In an event's array of objects one element must match them all (as
    aws/event-ruler does).
    """
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    conditions = [
        _compile_or(value) if key == "$or" else _compile_field(key, value)
        for key, value in pattern.items()
    ]

    def matches(value: Any) -> bool:
        if isinstance(value, list):
            objects = [item for item in _flatten(value) if isinstance(item, dict)]
            return any(map(matches, objects)) if objects else matches(ABSENT)
        return all(condition(value) for condition in conditions)

    return matches


def _compile_or(alternatives: Any) -> Matcher:
    if not (
        isinstance(alternatives, list)
        and len(alternatives) > 1
        and all(isinstance(alternative, dict) for alternative in alternatives)
    ):
        raise PatternError("$or must be an array of two or more objects")
    matchers = [_compile_object(alternative) for alternative in alternatives]
    return lambda value: any(matches(value) for matches in matchers)


def _compile_field(key: str, pattern: Any) -> Matcher:
    if isinstance(pattern, dict):
        matches = _compile_object(pattern)
    elif isinstance(pattern, list):
        matches = _compile_alternatives(pattern)
    else:
        raise PatternError(f'"{key}" must be an object or an array')
    return lambda value: matches(value.get(key, ABSENT) if isinstance(value, dict) else ABSENT)


def _compile_alternatives(alternatives: list[Any]) -> Matcher:
    """One alternative must match. An event's array matches if one of its elements does (guide:
    eb-event-patterns-arrays).
    """
    if not alternatives:
        raise PatternError("Empty arrays are not allowed")
    exact: set[tuple[type, Any]] = set()
    tests: list[Matcher] = []
    presence: set[bool] = set()
    for alternative in alternatives:
        if isinstance(alternative, list):
            raise PatternError("Match value must be String, number, true, false, or null")
        if not isinstance(alternative, dict):
            exact.add(_key_exactly(alternative))
        elif len(alternative) != 1:
            raise PatternError("Only one key allowed in match expression")
        elif "exists" in alternative:
            presence.add(
                _check_type(
                    alternative["exists"],
                    bool,
                    "exists match pattern must be either true or false.",
                )
            )
        else:
            tests.append(_compile_operator(alternative))

    def matches(value: Any) -> bool:
        # Only leaves count; an object here is the same as no value ("exists" on an intermediate
        # node, guide).
        values = [
            item
            for item in _flatten(value if isinstance(value, list) else [value])
            if not isinstance(item, dict)
        ]
        if not values or values == [ABSENT]:
            return False in presence
        return True in presence or any(
            _key_exactly(item) in exact or any(test(item) for test in tests) for item in values
        )

    return matches


def _flatten(values: list[Any]) -> list[Any]:
    return [
        leaf
        for value in values
        for leaf in (_flatten(value) if isinstance(value, list) else [value])
    ]


def _key_exactly(value: Any) -> tuple[type, Any]:
    """A key that is equal for equal JSON values: true is not 1, and 300 is not 300.0 (guide:
    eb-event-patterns).
    """
    return type(value), value


def _compile_operator(expression: dict[str, Any]) -> Matcher:
    ((name, argument),) = expression.items()
    build = OPERATORS.get(name)
    if build is None:
        raise PatternError(f"Unrecognized match type {name}")
    return build(argument)


def _check_type(value: Any, kind: type, complaint: str) -> Any:
    if not isinstance(value, kind):
        raise PatternError(complaint)
    return value


def _make_string_operator(name: str, test: Callable[[str, str], bool]) -> Callable[[Any], Matcher]:
    """prefix and suffix, whose argument is a string or {"equals-ignore-case": a string}."""

    def build(argument: Any) -> Matcher:
        complaint = f"{name} match pattern must be a string"
        if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"]:
            folded = _check_type(argument["equals-ignore-case"], str, complaint).lower()
            return lambda value: isinstance(value, str) and test(value.lower(), folded)
        affix = _check_type(argument, str, complaint)
        return lambda value: isinstance(value, str) and test(value, affix)

    return build


def _compile_equals_ignore_case(argument: Any) -> Matcher:
    folded = _check_type(argument, str, "equals-ignore-case match pattern must be a string").lower()
    return lambda value: isinstance(value, str) and value.lower() == folded


def _compile_wildcard(argument: Any) -> Matcher:
    text = _check_type(argument, str, "wildcard match pattern must be a string")
    # \* and \\ are themselves; * is any text, and never doubled.
    parts = re.findall(r"\\[*\\]|\*+|[^*\\]+|\\", text)
    if any(part == "\\" or part.startswith("**") for part in parts):
        raise PatternError(
            "Invalid wildcard: consecutive wildcards, or a backslash before another character "
            "than * or \\"
        )
    pattern = re.compile(
        "".join(".*" if part == "*" else re.escape(part.removeprefix("\\")) for part in parts),
        re.DOTALL,
    )
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compile_numeric(argument: Any) -> Matcher:
    """One comparison, or a lower and an upper bound; numbers between -5.0e9 and 5.0e9 (guide)."""
    terms = _check_type(argument, list, "Value of numeric must be an array.")
    comparisons, limits = terms[::2], terms[1::2]
    if len(terms) not in {2, 4} or any(
        not isinstance(sign, str) or sign not in COMPARISONS for sign in comparisons
    ):
        raise PatternError(
            "numeric takes one comparison (=, <, <=, >, >=) with its number, or a range of two"
        )
    if not all(_is_number(limit) and abs(limit) <= 5.0e9 for limit in limits):
        raise PatternError("Value of numeric must be a number between -5.0E9 and 5.0E9")
    if len(terms) == 4 and (
        {sign[0] for sign in comparisons} != {"<", ">"} or not _is_range(comparisons, limits)
    ):
        raise PatternError("Bottom must be less than top")
    checks = [(COMPARISONS[sign], limit) for sign, limit in zip(comparisons, limits, strict=True)]
    return lambda value: _is_number(value) and all(check(value, limit) for check, limit in checks)


def _is_range(comparisons: list[str], limits: list[float]) -> bool:
    bounds = {sign[0]: limit for sign, limit in zip(comparisons, limits, strict=True)}
    return bounds[">"] < bounds["<"]


def _compile_cidr(argument: Any) -> Matcher:
    try:
        network = ipaddress.ip_network(_check_type(argument, str, "Malformed CIDR"), strict=False)
    except ValueError:
        raise PatternError("Malformed CIDR, one '/' required") from None

    def matches(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return matches


def _compile_anything_but(argument: Any) -> Matcher:
    """Strings or numbers, one or a list, or one other text operator over a string or a list of
    strings (guide).
    """
    if isinstance(argument, dict):
        if len(argument) != 1 or not argument.keys() <= {
            "prefix",
            "suffix",
            "equals-ignore-case",
            "wildcard",
        }:
            raise PatternError(f"Unsupported anything-but pattern: {', '.join(argument)}")
        ((name, inner),) = argument.items()
        tests = [OPERATORS[name](text) for text in _list_values(inner)]
        return lambda value: not any(test(value) for test in tests)
    refused = _list_values(argument)
    if not (
        all(isinstance(value, str) for value in refused)
        or all(_is_number(value) for value in refused)
    ):
        raise PatternError(
            "Inside anything but list, either all values are number or string, mixed type is not "
            "supported"
        )
    return lambda value: isinstance(value, bool) or value not in refused


def _list_values(argument: Any) -> list[Any]:
    values = argument if isinstance(argument, list) else [argument]
    if not values:
        raise PatternError("Empty arrays are not allowed")
    return values


OPERATORS: Mapping[str, Callable[[Any], Matcher]] = {
    "prefix": _make_string_operator("prefix", str.startswith),
    "suffix": _make_string_operator("suffix", str.endswith),
    "equals-ignore-case": _compile_equals_ignore_case,
    "wildcard": _compile_wildcard,
    "numeric": _compile_numeric,
    "cidr": _compile_cidr,
    "anything-but": _compile_anything_but,
}
