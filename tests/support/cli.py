"""gatectl as a person uses it: words in, exit status and text out. It runs in this process, so the
scene's AWS answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from gatectl.__main__ import gatectl


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """`out` without the line breaks that the terminal's width made."""
        return " ".join(self.out.split())

    @property
    def complaint(self) -> str:
        """`err` without these line breaks."""
        return " ".join(self.err.split())

    def json(self) -> Any:
        return json.loads(self.out)


def complete(line: str, shell: str = "bash") -> list[str]:
    """The completions that a shell gets for `line` and the TAB key: each as "plain,VALUE" or with
    its help.
    """
    words = line.split(" ")
    environment = {
        "_GATECTL_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    if shell == "fish":
        environment["COMP_CWORD"] = words[-1]
    result = CliRunner().invoke(gatectl, [], env=environment, prog_name="gatectl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.stderr == "", "this would appear in the middle of the command line"
    return [line for line in result.stdout.splitlines() if line]


def run(*words: str, typed: str = "", columns: int | None = 120, charset: str = "utf-8") -> Said:
    """`gatectl WORDS`. `columns`: the terminal's width (None: unknown); `typed`: the answers to its
    questions; `charset`: the encoding of the output.
    """
    environment = {"COLUMNS": str(columns) if columns else None}
    result = CliRunner(charset=charset).invoke(
        gatectl, words, input=typed, env=environment, prog_name="gatectl"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)
