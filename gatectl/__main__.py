"""`gatectl`, also `python -m gatectl`. Each command is in the module of its name."""

from __future__ import annotations

import click

from gatectl.session import Cli

COMMANDS = (
    "attach",
    "detach",
    "holds",
    "explain",
    "release",
    "cancel",
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
Exit statuses, as in the AWS CLI:
  0    done, or nothing to do
  1    problems were found, or you answered no
  130  stopped with Ctrl-C
  141  the reader closed the pipe, as | head does
  252  wrong usage, or the request is impossible
  253  missing or broken credentials, region, profile or endpoint
  254  AWS refused
  255  AWS did not answer, throttled the call or failed: try again
"""


@click.group(
    cls=Cli,
    names=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=STATUSES,
)
@click.version_option(package_name="gatectl", message="%(prog)s %(version)s")
def gatectl() -> None:
    """Set up, show and explain pipelines that wait for other pipelines.

    Uses your AWS credentials. Also works with the sandbox (`make sandbox`).
    """


def main() -> None:
    gatectl(prog_name="gatectl")


if __name__ == "__main__":
    main()
