"""A finding: what is wrong, where, what follows from it, and how to fix it. Plain data."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from chalicelib.aws.command import AwsCommand
from gatectl.session import Place
from gatectl.wording import format_count

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: holds are lost or gates fail. warning: that may happen, or something is left behind.
note: nothing is wrong, but it may look as if it were.
"""
COLOURS = {"error": "red bold", "warning": "yellow bold", "note": "cyan"}
INDENT = "  "

Words = tuple[str, ...]
"""A command, word by word."""


@dataclass(frozen=True)
class Finding:
    """`kind`: a public word for programs. `where`: its subject, such as "rule NAME".
    `means`: what follows from it. `how`: how to fix it.

    `calls`: the calls of `gatectl doctor --mend`; otherwise `commands` for a person, or none.
    `question`: what --mend asks, if not `how`. `consent`: --yes does not answer that question.
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
    question: str = ""

    @property
    def to_paste(self) -> tuple[Words, ...]:
        return tuple(call.words for call in self.calls) or self.commands


def count_by_severity(findings: Sequence[Finding]) -> str:
    """Return "1 error, 2 warnings", the worst first; "" if there are none."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(format_count(counts[word], word) for word in SEVERITIES if counts[word])


def print_entry(
    place: Place,
    heading: tuple[str, str],
    subject: str,
    *paragraphs: str,
    commands: Sequence[Words] = (),
) -> None:
    """Print a finding, or what was not checked. `heading`: a word and its colour."""
    place.console.print(Text.assemble(heading, f"  {subject}"))
    for paragraph in filter(None, paragraphs):
        wrapped = textwrap.fill(
            paragraph,
            place.console.width,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_long_words=False,  # keeps ARNs whole
            break_on_hyphens=False,
        )
        place.console.print(wrapped, markup=False, soft_wrap=True)
    for command in commands:
        # On one line, however narrow the terminal is, so that it can be pasted.
        region = place.region if "--region" in place.flags else ""  # may not be configured
        line = f"{INDENT}{INDENT}{format_command(command, region, place.flags)}"
        place.console.print(line, style="bold", markup=False, soft_wrap=True)
    place.console.print()


def format_command(words: Words, region: str, flags: Sequence[str]) -> str:
    """Return a command to paste. `flags`: the --region and --profile to add to it."""
    if words[0] != "chalice":
        return shlex.join((*words, *flags))
    profile = flags[flags.index("--profile") :] if "--profile" in flags else ()
    return f"AWS_DEFAULT_REGION={region} " * ("--region" in flags) + shlex.join((*words, *profile))


def build_deploy_command(stage: str) -> Words:
    """Return the command that deploys the gate. It runs in the project's directory."""
    return ("chalice", "deploy", "--stage", stage)
