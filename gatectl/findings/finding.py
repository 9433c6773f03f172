"""A finding: what is wrong, where, what that means, and how to mend it, as plain data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore import xform_name

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: holds are lost or gates fail; warning: they may, or something is left behind; note: all is
well, and here is why it looks odd.
"""

Words = tuple[str, ...]
"""A command, word by word."""


@dataclass(frozen=True)
class Call:
    """One call to AWS: `operation` and `parameters` as boto3 has them ("delete_rule", {"Name":
    ...}).
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def words(self) -> Words:
        """The same call by the AWS CLI."""
        options = [
            word
            for name, value in self.parameters.items()
            for word in (f"--{xform_name(name, '-')}", *_values(value))
        ]
        return ("aws", self.service, self.operation.replace("_", "-"), *options)


def _values(value: object) -> Sequence[str]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return [value if isinstance(value, str) else json.dumps(value)]


@dataclass(frozen=True)
class Finding:
    """`kind`: a word for programs, which stays. `where`: what it is about. `means`: what comes of
    it. `how`: how to mend it.

    `calls`: what mends it, where `gatectl doctor --mend` may do that; else `commands` for a person,
    or none. `consent`: it is done only where somebody says yes to this one by name.
    """

    kind: str
    severity: Severity
    where: str
    what: str
    means: str
    how: str
    commands: tuple[Words, ...] = ()
    calls: tuple[Call, ...] = ()
    consent: bool = False

    @property
    def to_paste(self) -> tuple[Words, ...]:
        return tuple(call.words for call in self.calls) or self.commands


def pasted(words: Words, region: str, flags: Sequence[str]) -> str:
    """A command as it is pasted into a shell; `flags`: the --region and --profile that it needs
    there.
    """
    if words[0] != "chalice":
        return shlex.join((*words, *flags))
    profile = [
        word
        for name, value in zip(flags[::2], flags[1::2], strict=True)
        if name == "--profile"
        for word in (name, value)
    ]
    return f"AWS_DEFAULT_REGION={region} " * ("--region" in flags) + shlex.join((*words, *profile))


def deploy(stage: str) -> Words:
    """In the directory of the project."""
    return ("chalice", "deploy", "--stage", stage)
