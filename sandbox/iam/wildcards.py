"""The wildcards and variables of policies: * is any text, ? is one character,
${aws:PrincipalAccount} is a value of the request (guide: reference_policies_elements_resource,
reference_policies_variables).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

Context = Mapping[str, tuple[str, ...]]
"""The condition keys of a request, in lower case (they are case-insensitive), with their values. A
missing key is not in it.
"""

_TOKEN = re.compile(r"\$\{(?P<variable>[^}]*)\}|.", re.DOTALL)
_NO_VALUE = r"(?!)"
"""A regular expression that matches nothing: so does a pattern with a variable that has no value in
this request.
"""


def action_matches(pattern: str, action: str) -> bool:
    """Names of actions are case-insensitive (guide: reference_policies_elements_action)."""
    return text_matches(pattern.lower(), action.lower(), {})


def resource_matches(pattern: str, arn: str, context: Context) -> bool:
    """Whether an element of Resource covers a resource. A wildcard stays in its segment of the ARN
    (the parts between colons), but an asterisk at a segment's end may continue across the colon
    (guide: reference_policies_elements_resource).
    """
    return _matches(pattern, arn, context, spanning=False)


def text_matches(pattern: str, text: str, context: Context) -> bool:
    """StringLike: a wildcard matches anything."""
    return _matches(pattern, text, context, spanning=True)


def arn_condition_matches(pattern: str, arn: str, context: Context) -> bool:
    """ArnLike: each of an ARN's six parts is compared separately (guide:
    reference_policies_elements_condition_operators, ARN).
    """
    pattern_parts, parts = re.split(r":(?![^{}]*\})", pattern, maxsplit=5), arn.split(":", 5)
    return len(pattern_parts) == len(parts) == 6 and all(
        text_matches(pattern_part, part, context)
        for pattern_part, part in zip(pattern_parts, parts, strict=True)
    )


def text_equals(pattern: str, text: str, context: Context) -> bool:
    """StringEquals: no wildcards, but variables."""
    return (
        text == pattern
        if "${" not in pattern
        else re.fullmatch(_make_regex(pattern, context, wildcards=False), text) is not None
    )


def _matches(pattern: str, text: str, context: Context, *, spanning: bool) -> bool:
    if "${" not in pattern:
        return _compile_pattern(pattern, spanning).fullmatch(text) is not None
    return (
        re.fullmatch(_make_regex(pattern, context, spanning=spanning), text, re.DOTALL) is not None
    )


@lru_cache(maxsize=4096)
def _compile_pattern(pattern: str, spanning: bool) -> re.Pattern[str]:
    return re.compile(_make_regex(pattern, {}, spanning=spanning), re.DOTALL)


def _make_regex(
    pattern: str, context: Context, *, spanning: bool = True, wildcards: bool = True
) -> str:
    """A policy's pattern as a regular expression. `spanning`: whether wildcards match colons."""
    pieces = []
    for token in _TOKEN.finditer(pattern):
        at_segment_end = pattern[token.end() : token.end() + 1] in ("", ":")
        if token["variable"] is not None:
            pieces.append(_make_value_regex(token["variable"], context))
        elif token[0] == "*" and wildcards:
            pieces.append(".*" if spanning or at_segment_end else "[^:]*")
        elif token[0] == "?" and wildcards:
            pieces.append("." if spanning else "[^:]")
        else:
            pieces.append(re.escape(token[0]))
    return "".join(pieces)


def _make_value_regex(variable: str, context: Context) -> str:
    """What stands for ${variable}, literally: ${*}, ${?} and ${$} are the characters themselves,
    ${key, 'x'} has a default.
    """
    if variable in ("*", "?", "$"):
        return re.escape(variable)
    key, comma, default = variable.partition(",")
    values = context.get(key.strip().lower(), ())
    if len(values) == 1:
        return re.escape(values[0])
    return re.escape(default.strip().strip("'")) if comma else _NO_VALUE
