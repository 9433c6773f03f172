"""A resource's properties in a template, as the members of the API call that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.exceptions import JsonRESTError
from moto.core.utils import get_service_model

Properties = dict[str, Any]


def build_request(service: str, operation: str, properties: Properties) -> dict[str, Any]:
    """The API's request: the members' own names ("RoleArn" is roleArn, "BuildSpec" buildspec) and
    types, by the service's model.

    A template's types are loose: true, 1 and "1" become what the member's type is, also in the free
    maps, such as an action's Configuration, whose values are strings in the API (practice).
    ValueError, with a message for people, for a property that the API does not have.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    request: dict[str, Any] = _convert(shape, properties, "Properties")
    return request


@contextmanager
def convert_refusals(resource_type: str, name: str) -> Iterator[None]:
    """Turn an error of the API into the stack's, with the API's words (practice: "Resource handler
    returned message").
    """
    # This import takes seconds, and only stacks need it.
    from moto.cloudformation.exceptions import ValidationError  # noqa: PLC0415

    try:
        yield
    except (JsonRESTError, ValueError) as error:
        message = error.message if isinstance(error, JsonRESTError) else str(error)
        raise ValidationError(message=f"{resource_type} {name}: {message}") from error


def _convert(shape: Shape, value: Any, at: str) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        unknown = [key for key in value if key.lower() not in names]
        if unknown:
            raise ValueError(
                f"{at} has no {unknown[0]}; it takes {', '.join(sorted(shape.members))}"
            )
        return {
            names[key.lower()]: _convert(shape.members[names[key.lower()]], item, f"{at}.{key}")
            for key, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_convert(shape.member, item, f"{at}.{number}") for number, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _convert(shape.value, item, f"{at}.{key}") for key, item in value.items()}
    return _convert_scalar(shape.type_name, value)


def _convert_scalar(kind: str, value: Any) -> Any:
    """Convert a value to its type. One that does not fit stays as it is: the API's limits refuse
    it.
    """
    if kind == "string" and isinstance(value, (bool, int, float)):
        return str(value).lower()
    if kind == "integer" and isinstance(value, str) and value.isdecimal():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
