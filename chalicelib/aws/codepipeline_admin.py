"""CodePipeline for the command line: a pipeline's structure, read in order to change it.

It is a module of its own because a cold start compiles all of codepipeline.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib.aws.codepipeline import CodePipeline
from chalicelib.errors import translate_errors

if TYPE_CHECKING:
    from botocore.model import Shape


@dataclass(frozen=True)
class PipelineRecord:
    """What GetPipeline returns.

    `declared`: the structure, a PipelineDeclaration (model). `unknown_settings`: what botocore has
    left out of it because it does not know it, such as "stages.name". `created`: aware UTC.
    """

    declared: dict[str, Any]
    unknown_settings: tuple[str, ...]
    arn: str
    created: datetime


@cache
def load_structure_shape() -> Shape:
    """Return how CodePipeline describes a structure (model: PipelineDeclaration)."""
    from botocore.loaders import create_loader  # noqa: PLC0415 - slow; most commands do without it
    from botocore.model import ServiceModel  # noqa: PLC0415

    model = ServiceModel(create_loader().load_service_model("codepipeline", "service-2"))
    return model.shape_for("PipelineDeclaration")


class CodePipelineAdmin(CodePipeline):
    """Every method raises NotPermitted or NoAnswer if AWS denies its call or does not answer."""

    def read_record(self, pipeline: str) -> PipelineRecord:
        """Return everything that AWS keeps of a pipeline itself. Raises PipelineNotFound."""
        bodies: list[bytes] = []

        def keep_body(response_dict: dict[str, Any], **_: object) -> None:
            bodies.append(response_dict["body"])

        hook = ("before-parse.codepipeline.GetPipeline", keep_body)
        self._client.meta.events.register(*hook)
        try:
            with translate_errors("codepipeline:GetPipeline", pipeline):
                answer: Any = self._client.get_pipeline(name=pipeline)
        finally:
            self._client.meta.events.unregister(*hook)
        declared, metadata = answer["pipeline"], answer["metadata"]
        unknown = _list_unknown_keys(json.loads(bodies[-1])["pipeline"], declared)
        return PipelineRecord(
            declared,
            tuple(unknown),
            arn=metadata["pipelineArn"],
            created=metadata["created"].astimezone(UTC),
        )

    def update_pipeline(self, declared: Mapping[str, Any]) -> int:
        """Write a pipeline's structure; return its new version (model: UpdatePipeline)."""
        changed: Any = declared
        with translate_errors("codepipeline:UpdatePipeline"):
            return self._client.update_pipeline(pipeline=changed)["pipeline"]["version"]


def _list_unknown_keys(body: Any, parsed: Any, path: str = "") -> Iterator[str]:
    """Yield the keys of AWS's answer that botocore has left out of what it parsed."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key in parsed:
                yield from _list_unknown_keys(value, parsed[key], f"{path}{key}.")
            elif value is not None:
                yield f"{path}{key}"
    elif isinstance(body, list):
        for item, parsed_item in zip(body, parsed, strict=True):
            yield from _list_unknown_keys(item, parsed_item, path)
