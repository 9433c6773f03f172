"""A finding: what is wrong, where, what that means, and how to mend it. Plain data."""

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
"""error: holds are lost or gates fail; warning: they may be, or something is left behind; note: all
is well, and this is why it looks odd.
"""
COLOURS = {"error": "red bold", "warning": "yellow bold", "note": "cyan"}
INDENT = "  "

Words = tuple[str, ...]
"""A command, word by word."""


@dataclass(frozen=True)
class Finding:
    """`kind`: a word for programs, which never changes. `where`: what it is about, such as
    "rule NAME" or "function NAME". `means`: what comes of it. `how`: how to mend it.

    `calls`: what mends it, if `gatectl doctor --mend` may do that; otherwise `commands` for a
    person, or none. `consent`: it is only mended if somebody agrees to this one finding.
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
    """Print a finding, or what was not looked at. `heading`: a word and its colour."""
    place.console.print(Text.assemble(heading, f"  {subject}"))
    for paragraph in filter(None, paragraphs):
        wrapped = textwrap.fill(
            paragraph,
            place.console.width,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_long_words=False,  # no ARN is torn apart
            break_on_hyphens=False,
        )
        place.console.print(wrapped, markup=False, soft_wrap=True)
    for command in commands:
        # As one line, however wide the terminal is: so it can be pasted.
        line = f"{INDENT}{INDENT}{format_command(command, place.region, place.flags)}"
        place.console.print(line, style="bold", markup=False, soft_wrap=True)
    place.console.print()


def format_command(words: Words, region: str, flags: Sequence[str]) -> str:
    """Return a command to paste. `flags`: the --region and --profile that it needs there."""
    if words[0] != "chalice":
        return shlex.join((*words, *flags))
    profile = flags[flags.index("--profile") :] if "--profile" in flags else ()
    return f"AWS_DEFAULT_REGION={region} " * ("--region" in flags) + shlex.join((*words, *profile))


def build_deploy_command(stage: str) -> Words:
    """Return the command that deploys the gate, in the directory of the project."""
    return ("chalice", "deploy", "--stage", stage)
