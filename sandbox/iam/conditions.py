"""The Condition block of a policy statement (guide:
reference_policies_elements_condition_operators).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.iam import wildcards
from sandbox.iam.wildcards import Context


class UnknownOperator(Exception):
    """A condition operator that the sandbox does not support; the message is its name."""


def block_holds(block: Mapping[str, Mapping[str, object]], context: Context) -> bool:
    """Whether every condition of the block holds. UnknownOperator if one has such an operator."""
    # Every condition is evaluated, even after one that does not hold, so that an unknown operator
    # is always noticed.
    results = [
        _operator_holds(operator, key, _list_texts(value), context)
        for operator, keys in block.items()
        for key, value in keys.items()
    ]
    return all(results)


def _operator_holds(operator: str, key: str, patterns: list[str], context: Context) -> bool:
    """One operator on one key. Several patterns are alternatives; with a negated operator none of
    them may match.

    A missing key makes a condition false, but a negated one true, and IfExists and ForAllValues too
    (guide: reference_policies_elements_condition_operators,
    reference_policies_condition-logic-multiple-context-keys-or-values).
    """
    values = context.get(key.lower(), ())
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    if base == "Null":
        return (not values) == (patterns[0].lower() == "true")
    negated = "Not" in base
    matches = _OPERATORS.get(base.replace("Not", "", 1))
    if matches is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise UnknownOperator(operator)
    if not values:
        return name != base or quantifier == "ForAllValues" or (negated and not quantifier)
    results = [
        any(matches(pattern, value, context) for pattern in patterns) != negated for value in values
    ]
    return any(results) if quantifier == "ForAnyValue" else all(results)


def _list_texts(value: object) -> list[str]:
    """A policy may write one value without a list, and booleans and numbers without quotes."""
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def _equals_in_any_case(pattern: str, value: str, context: Context) -> bool:
    return wildcards.text_equals(
        pattern.lower(),
        value.lower(),
        {key: tuple(map(str.lower, values)) for key, values in context.items()},
    )


def _make_numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str, Context], bool]:
    def matches(pattern: str, value: str, _context: Context) -> bool:
        try:
            return compare(float(value), float(pattern))
        except ValueError:
            return False

    return matches


_OPERATORS: dict[str, Callable[[str, str, Context], bool]] = {
    "StringEquals": wildcards.text_equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": wildcards.text_matches,
    "ArnEquals": wildcards.arn_condition_matches,  # ArnEquals and ArnLike behave alike (guide)
    "ArnLike": wildcards.arn_condition_matches,
    "Bool": _equals_in_any_case,
    "NumericEquals": _make_numeric(lambda value, limit: value == limit),
    "NumericLessThan": _make_numeric(lambda value, limit: value < limit),
    "NumericLessThanEquals": _make_numeric(lambda value, limit: value <= limit),
    "NumericGreaterThan": _make_numeric(lambda value, limit: value > limit),
    "NumericGreaterThanEquals": _make_numeric(lambda value, limit: value >= limit),
}
"""Each says whether a value of the request matches a pattern of the policy. Not supported: Date...,
IpAddress and BinaryEquals.
"""
