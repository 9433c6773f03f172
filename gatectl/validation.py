"""Whether JSON is a pipeline's structure, by CodePipeline's own description (model:
PipelineDeclaration).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from chalicelib.aws.codepipeline_admin import load_structure_shape
from chalicelib.phrases import quote

TYPES: dict[str, tuple[Any, str]] = {
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
}
NAMES = {"PipelineName", "StageName", "ActionName", "RuleName"}


def find_fault(declared: object) -> str:
    """Return what is wrong with a structure, in words; "" if it is one.

    Settings that botocore does not know are accepted, and so are values that only CodePipeline can
    judge.
    """
    return next(_find_faults(declared, load_structure_shape(), ""), "")


def _find_faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    kind, noun = TYPES.get(shape.type_name, (object, ""))
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"{path or 'it'} must be {noun}"
    elif shape.type_name == "structure":
        prefix = f"{path}." if path else ""
        for name in shape.required_members:
            if name not in value:
                yield f"{prefix}{name} is missing"
        for name, member in shape.members.items():
            if name in value:
                yield from _find_faults(value[name], member, f"{prefix}{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _find_faults(item, shape.member, f"{path}[{number}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _find_faults(item, shape.value, f"{path}.{quote(name)}")
    elif shape.name in NAMES and not (
        re.fullmatch(shape.metadata["pattern"], value) and len(value) <= shape.metadata["max"]
    ):
        yield f"{path} is {quote(value)}, which CodePipeline does not allow as a name"
