"""The limits of AWS's own service model (lengths, ranges, patterns, enumerations). AWS checks them
before anything else.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

from sandbox.codepipeline.exceptions import ValidationException


def check_request(operation: str, request: dict[str, Any]) -> None:
    """ValidationException if a value of the request breaks a limit of the model. botocore's client
    checks only a few of them.
    """
    shape = _find_input_shape(operation)
    if shape is not None:
        _check_value(shape, request, "")


@cache
def _find_input_shape(operation: str) -> Shape | None:
    shape: Shape | None = get_service_model("codepipeline").operation_model(operation).input_shape
    return shape


def _check_value(shape: Shape, value: Any, at: str) -> None:
    problem = _find_problem(shape, value)
    if problem:
        raise ValidationException(
            f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy "
            f"constraint: {problem}"
        )
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                _check_value(member, value[name], f"{at}.{name}".lstrip("."))
            elif name in shape.required_members:
                raise ValidationException(
                    f"1 validation error detected: '{name}' is missing at '{at or shape.name}'"
                )
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            _check_value(shape.member, item, f"{at}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            _check_value(shape.key, key, at)
            _check_value(shape.value, item, f"{at}.{key}")


KINDS: dict[str, type] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def _find_problem(shape: Shape, value: Any) -> str | None:
    kind = KINDS.get(shape.type_name)
    if kind is not None and not isinstance(value, kind):
        return f"Member must be a {shape.type_name}"
    limits = shape.metadata
    size = (
        value
        if shape.type_name == "integer"
        else len(value)
        if isinstance(value, (str, list))
        else None
    )
    measure = "value" if shape.type_name == "integer" else "length"
    if size is not None and "max" in limits and size > limits["max"]:
        return f"Member must have {measure} less than or equal to {limits['max']}"
    if size is not None and "min" in limits and size < limits["min"]:
        return f"Member must have {measure} greater than or equal to {limits['min']}"
    if "enum" in limits and value not in limits["enum"]:
        return f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        return f"Member must satisfy regular expression pattern: {limits['pattern']}"
    return None
