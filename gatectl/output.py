"""All that gatectl prints goes through here.

Names and messages come from AWS and from files. In a terminal, a control character could hide text,
or change what was printed before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_CONTROL_CHARACTERS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f"  # C0 except newline, DEL, C1 (ECMA-48)
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # bidirectional marks (Unicode, UAX #9)
)


def remove_control_characters(text: str) -> str:
    return _CONTROL_CHARACTERS.sub("", text)


def make_one_line(text: str) -> str:
    """Return the text with spaces instead of its line breaks."""
    return " ".join(text.splitlines())


def write_text(text: str) -> None:
    """Print a text on standard output as it is, for programs."""
    click.echo(remove_control_characters(text))


class Terminal(Console):
    """rich's console, without control characters in the text.

    rich would itself end the program with 1, as if faults were found, if the reader of a pipe has
    gone.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else remove_control_characters(text), style, control)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError
