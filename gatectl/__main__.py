"""`gatectl`, also `python -m gatectl`: each command is in the module of its name."""

from __future__ import annotations

import click

from gatectl.attach import attach
from gatectl.detach import detach
from gatectl.doctor import doctor
from gatectl.history import history
from gatectl.release import release
from gatectl.session import Cli


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def gatectl() -> None:
    """Pipelines that wait for pipelines: set up, seen, explained.

    It works with your own AWS credentials, and against the sandbox too (`make sandbox`).
    """


for command in (attach, detach, doctor, history, release):
    gatectl.add_command(command)


def main() -> None:
    gatectl(prog_name="gatectl")


if __name__ == "__main__":
    main()
