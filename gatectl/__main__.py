"""`gatectl`, also `python -m gatectl`: each command is in the module of its name."""

from __future__ import annotations

import click

from gatectl.session import Cli

COMMANDS = (
    "attach",
    "detach",
    "holds",
    "explain",
    "release",
    "graph",
    "check",
    "history",
    "doctor",
    "completion",
)
"""In the order of --help. Each is the function of that name in the module of that name, which is
imported only when the command is called.
"""

STATUSES = """
\b
Exit status, as of the AWS CLI:
  0    done, or nothing to do
  1    faults were found, or you said no
  130  stopped with Ctrl-C
  141  nobody reads what it prints any more, as after | head
  252  wrong use, or what was asked for cannot be
  253  no credentials, region or profile
  254  AWS refused
  255  AWS did not answer, or said "later": try again
"""


@click.group(
    cls=Cli,
    names=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=STATUSES,
)
@click.version_option(package_name="gatectl", message="%(prog)s %(version)s")
def gatectl() -> None:
    """Pipelines that wait for pipelines: set up, seen, explained.

    It works with your own AWS credentials, and against the sandbox too (`make sandbox`).
    """


def main() -> None:
    gatectl(prog_name="gatectl")


if __name__ == "__main__":
    main()
