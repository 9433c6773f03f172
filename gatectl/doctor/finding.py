"""A finding: what is wrong, where, what that means, and how to mend it. Plain data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chalicelib.aws.command import AwsCommand

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: holds are lost or gates fail; warning: they may be, or something is left behind; note: all
is well, and this is why it looks odd.
"""
COLOURS = {"error": "red bold", "warning": "yellow bold", "note": "cyan"}

Words = tuple[str, ...]
"""A command, word by word."""


@dataclass(frozen=True)
class Finding:
    """`kind`: a word for programs, which never changes. `where`: what it is about. `means`: what
    comes of it. `how`: how to mend it.

    `calls`: what mends it, if `gatectl doctor --mend` may do that; otherwise `commands` for a
    person, or none. `consent`: it is only mended if somebody agrees to this one finding. `rule`,
    `function`: the name of the EventBridge rule or Lambda function that it is about. `remedy`:
    `how` as a phrase ("deploy it again"), for errors that only a person can mend.
    """

    kind: str
    severity: Severity
    where: str
    problem: str
    means: str
    how: str
    commands: tuple[Words, ...] = ()
    calls: tuple[AwsCommand, ...] = ()
    consent: bool = False
    rule: str = ""
    function: str = ""
    remedy: str = ""

    @property
    def to_paste(self) -> tuple[Words, ...]:
        return tuple(call.words for call in self.calls) or self.commands


def format_command(words: Words, region: str, flags: Sequence[str]) -> str:
    """Return a command as it is pasted into a shell. `flags`: the --region and --profile that it
    needs there.
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


def build_deploy_command(stage: str) -> Words:
    """Return the command that deploys the gate, in the directory of the project."""
    return ("chalice", "deploy", "--stage", stage)
