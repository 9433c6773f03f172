"""The Condition block of a policy statement (guide:
reference_policies_elements_condition_operators).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.iam import wildcards
from sandbox.iam.wildcards import Context


class UnknownOperator(Exception):
    """A condition operator that the sandbox does not know; the message is its name."""


def hold(block: Mapping[str, Mapping[str, object]], context: Context) -> bool:
    """Whether every condition of the block holds. Raises UnknownOperator where that cannot be
    told.
    """
    # All of them, although one that does not hold would do: an unknown operator has to be noticed
    # wherever it stands.
    results = [
        _holds(operator, key, _texts(wanted), context)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    ]
    return all(results)


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    """One operator on one key. Several wanted values are alternatives; with a negated operator none
    of them may match.

    A missing key makes a condition false, but a negated one true, and IfExists and ForAllValues too
    (guide: reference_policies_elements_condition_operators,
    reference_policies_condition-logic-multiple-context-keys-or-values).
    """
    values = context.get(key.lower(), ())
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    if base == "Null":
        return (not values) == (wanted[0].lower() == "true")
    negated = "Not" in base
    matches = _OPERATORS.get(base.replace("Not", "", 1))
    if matches is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise UnknownOperator(operator)
    if not values:
        return name != base or quantifier == "ForAllValues" or (negated and not quantifier)
    results = [
        any(matches(pattern, value, context) for pattern in wanted) != negated for value in values
    ]
    return any(results) if quantifier == "ForAnyValue" else all(results)


def _texts(wanted: object) -> list[str]:
    """A policy may write one value without a list, and booleans and numbers without quotes."""
    values = wanted if isinstance(wanted, list) else [wanted]
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def _equals_in_any_case(pattern: str, value: str, context: Context) -> bool:
    return wildcards.equals(
        pattern.lower(),
        value.lower(),
        {key: tuple(map(str.lower, values)) for key, values in context.items()},
    )


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str, Context], bool]:
    def matches(pattern: str, value: str, _context: Context) -> bool:
        try:
            return compare(float(value), float(pattern))
        except ValueError:
            return False

    return matches


_OPERATORS: dict[str, Callable[[str, str, Context], bool]] = {
    "StringEquals": wildcards.equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": wildcards.text_matches,
    "ArnEquals": wildcards.arn_condition_matches,  # ArnEquals and ArnLike behave alike (guide)
    "ArnLike": wildcards.arn_condition_matches,
    "Bool": _equals_in_any_case,
    "NumericEquals": _numeric(lambda value, wanted: value == wanted),
    "NumericLessThan": _numeric(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numeric(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numeric(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numeric(lambda value, wanted: value >= wanted),
}
"""Each says whether a value of the request matches one that the policy wants. Not known: Date...,
IpAddress and BinaryEquals.
"""
