"""Where a command works: region and credentials as the AWS CLI has them, and whether people or programs read what it prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError, ProfileNotFound
from rich.console import Console, RenderableType

from chalicelib.errors import NoAnswer, NotPermitted, UnexpectedAnswer, code
from chalicelib.landscape.console import Console as Links

if TYPE_CHECKING:
    from botocore.session import Session

WRONG_USE, NOT_SET_UP, AWS_REFUSED, FAILED, INTERRUPTED = 252, 253, 254, 255, 130
"""Exit statuses, as the AWS CLI has them (guide: AWS CLI, "Command line return codes")."""
FOUND = 1
"""The exit status of a command that looks for faults and has found some, or was not let do what it would have done."""


class Place:
    """One region of an account, and the terminal. `json`: standard output is for a program. `flags`: --region and --profile for commands
    that people paste, where they were given or where not every program would find the same region."""

    def __init__(self, region: str | None, profile: str | None, *, json: bool) -> None:
        self._region, self._profile = region or region_set(), profile
        self.json = json
        told = region or (self._region if self._region != os.environ.get("AWS_DEFAULT_REGION") else None)
        self.flags = (*(("--region", told) if told else ()), *(("--profile", profile) if profile else ()))
        self.console = Console(highlight=False)
        self.progress_console = Console(stderr=True, highlight=False)

    @cached_property
    def _session(self) -> Session:
        """botocore's: boto3 makes the same clients, and takes as long to import as all the rest."""
        from botocore.session import Session  # noqa: PLC0415 - --help and the completion of a word's names do without

        return Session(profile=self._profile)

    @cached_property
    def region(self) -> str:
        region = self._region or self._session.get_config_variable("region")
        if not region:
            raise NoRegionError
        return str(region)

    @cached_property
    def account(self) -> str:
        """The id of the account that the credentials are of."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str, region: str | None = None, **credentials: Any) -> Any:
        """A client as boto3 makes it, of another region or with other credentials (aws_access_key_id, ...) where they are given; it asks
        again, with pauses, where AWS throttles."""
        from botocore.config import Config  # noqa: PLC0415

        patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
        return self._session.create_client(service, region_name=region or self.region, config=patient, **credentials)

    def show(self, for_people: RenderableType, for_programs: object) -> None:
        """Print what a command has to say, for one or the other."""
        if self.json:
            click.echo(json.dumps(for_programs, indent=2, default=_plain))
        else:
            self.console.print(for_people)

    def agreed(self, question: str) -> bool:
        """Ask on the terminal. Raises Refused where nobody can be asked."""
        if self.json:
            raise Refused("With --json nobody can be asked: add --yes to do it, or --dry-run to see what it would be.")
        nobody = Refused("Nobody answers here, for standard input is closed or at its end: add --yes. Nothing was changed.")
        if sys.stdin is None:
            raise nobody
        try:
            return click.confirm(question)
        except click.Abort as error:
            raise nobody if isinstance(error.__context__, EOFError) else error from None

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """While a command reads much: yields what to tell how many of how many are done. Shown on a terminal's standard error only."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.progress_console.is_terminal
        with Progress(*columns, console=self.progress_console, transient=True, disable=hidden) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, of: progress.update(task, completed=done, total=of)

    @property
    def links(self) -> Links:
        """The pages of the AWS console for this region."""
        return Links(self.region, self._session.get_partition_for_region(self.region))


def region_set() -> str | None:
    """AWS_REGION, which the AWS CLI and the SDKs take before AWS_DEFAULT_REGION (guide: SDKs and tools reference, AWS_REGION); botocore,
    and with it Chalice, knows only the latter."""
    return os.environ.get("AWS_REGION") or None


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
    """A group of commands whose failures are sentences, and whose exit statuses are the AWS CLI's.

    `names`: the commands in the order of --help, each the function of that name in the module of that name. A module is imported when its
    command is called, so that the completion of its words is quick.
    """

    def __init__(self, *arguments: Any, names: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return getattr(import_module(f"gatectl.{cmd_name}"), cmd_name) if cmd_name in self._names else None

    def main(self, *arguments: Any, **more: Any) -> Any:
        try:
            sys.exit(super().main(*arguments, **{**more, "standalone_mode": False}) or 0)
        except click.UsageError as error:
            error.show()
            sys.exit(WRONG_USE)
        except click.ClickException as error:
            _complain(f"Error: {error.format_message()}")
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _complain("Stopped. Nothing was changed.")
            sys.exit(INTERRUPTED)
        except (NoCredentialsError, PartialCredentialsError, NoRegionError, ProfileNotFound) as error:
            what = str(error).rstrip(".")
            _complain(f"Error: {what}. Set it as for the AWS CLI: aws configure, --profile and --region, or AWS_... variables.")
            sys.exit(NOT_SET_UP)
        except (NotPermitted, NoAnswer, UnexpectedAnswer, ClientError, BotoCoreError) as error:
            _complain(f"Error: {_told(error)}")
            sys.exit(AWS_REFUSED if isinstance(error.__cause__ or error, ClientError) else FAILED)
        except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)


class Refused(click.ClickException):
    """What was asked for cannot be; the message says what is wrong and what would be right. Nothing was changed."""

    exit_code = WRONG_USE


class Interrupted(click.ClickException):
    """Ctrl-C while something was being changed; the message says how far it came."""

    exit_code = INTERRUPTED


def _complain(text: str) -> None:
    """On standard error: at a terminal in lines of whole words, else in one line, for a log."""
    console = Console(stderr=True, highlight=False)
    console.print(text, markup=False, emoji=False, soft_wrap=not console.is_terminal)


_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "IncompleteSignature",
    }
)


def _told(error: Exception) -> str:
    """AWS's own words only where they cannot repeat what a request was signed with."""
    refusal = error.__cause__ or error
    if isinstance(refusal, ClientError) and code(refusal) in _CREDENTIALS:
        return f"AWS does not accept your credentials ({code(refusal)}): they have expired, or are wrong. Sign in again (aws sso login)."
    if isinstance(error, ClientError):
        return f"AWS refused {error.operation_name} ({code(error)}): {error.response.get('Error', {}).get('Message', '')}"
    return str(error)
