"""Where a command works: region and credentials as the AWS CLI has them, and whether people or programs read what it prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer, code

WRONG_USE, NOT_SET_UP, AWS_REFUSED, FAILED, INTERRUPTED = 252, 253, 254, 255, 130
"""Exit statuses, as the AWS CLI has them (guide: AWS CLI, "Command line return codes")."""
FOUND = 1
"""The exit status of a command that looks for faults and has found some, or was not let do what it would have done."""


class Place:
    """One region of an account, and the terminal. `json`: standard output is for a program. `flags`: --region and --profile as they were
    given, for commands that people paste."""

    def __init__(self, region: str | None, profile: str | None, *, json: bool) -> None:
        self._session = boto3.Session(region_name=region, profile_name=profile)
        self.json = json
        self.flags = (*(("--region", region) if region else ()), *(("--profile", profile) if profile else ()))
        self.console = Console(highlight=False)
        self.progress_console = Console(stderr=True, highlight=False)

    @property
    def region(self) -> str:
        if not self._session.region_name:
            raise NoRegionError
        return str(self._session.region_name)

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client, of another region where one is given; it asks again, with pauses, where AWS throttles."""
        patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
        return self._session.client(service, region_name=region or self.region, config=patient)  # type: ignore[call-overload]

    def show(self, for_people: RenderableType, for_programs: object) -> None:
        """Print what a command has to say, for one or the other."""
        if self.json:
            click.echo(json.dumps(for_programs, indent=2, default=_plain))
        else:
            self.console.print(for_people)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """While a command reads much: yields what to tell how many of how many are done. Shown on a terminal's standard error only."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.progress_console.is_terminal
        with Progress(*columns, console=self.progress_console, transient=True, disable=hidden) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, of: progress.update(task, completed=done, total=of)

    def pipeline_link(self, pipeline: str) -> str:
        """The console's page of a pipeline of this region."""
        host = f"{self.region}.console.aws.amazon.com"
        if self._session.get_partition_for_region(self.region) == "aws-cn":
            host = f"{self.region}.console.amazonaws.cn"
        return f"https://{host}/codesuite/codepipeline/pipelines/{pipeline}/view?region={self.region}"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --region, --profile and --json, and pass it the Place that they make as its first argument."""

    @click.option("--region", metavar="NAME", help="The AWS region; else as the AWS CLI has it.")
    @click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @wraps(command)
    def with_place(*arguments: Any, region: str | None, profile: str | None, as_json: bool, **more: Any) -> None:
        command(Place(region, profile, json=as_json), *arguments, **more)

    return with_place


class Cli(click.Group):
    """A group of commands whose failures are sentences, and whose exit statuses are the AWS CLI's."""

    def main(self, *arguments: Any, **more: Any) -> Any:
        try:
            sys.exit(super().main(*arguments, **{**more, "standalone_mode": False}) or 0)
        except click.UsageError as error:
            error.show()
            sys.exit(WRONG_USE)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("Stopped. Nothing was changed.", err=True)
            sys.exit(INTERRUPTED)
        except (NoCredentialsError, NoRegionError, ProfileNotFound) as error:
            click.echo(f"Error: {error}. Set it as for the AWS CLI: aws configure, --profile and --region, or AWS_... variables.", err=True)
            sys.exit(NOT_SET_UP)
        except (NotPermitted, NoAnswer, UnexpectedAnswer, ClientError, BotoCoreError) as error:
            click.echo(f"Error: {_told(error)}", err=True)
            sys.exit(AWS_REFUSED)
        except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)


class Refused(click.ClickException):
    """What was asked for cannot be; the message says what is wrong and what would be right. Nothing was changed."""

    exit_code = WRONG_USE


def _told(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"AWS refused {error.operation_name} ({code(error)}): {error.response.get('Error', {}).get('Message', '')}"
    return str(error)
