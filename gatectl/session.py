"""Where a command works: region and credentials as the AWS CLI has them, and whether people or
programs read what it prints.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, wraps
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from rich.console import Console, RenderableType

from chalicelib.account.console import ConsoleLinks as Links
from chalicelib.errors import (
    Misconfigured,
    NoAnswer,
    NoRoom,
    NotPermitted,
    NotRetryable,
    PipelineNotFound,
    TakenOver,
    UnexpectedAnswer,
    error_code,
    translate_error,
)

if TYPE_CHECKING:
    from botocore.session import Session

WRONG_USE, NOT_SET_UP, AWS_REFUSED, FAILED, INTERRUPTED = 252, 253, 254, 255, 130
"""Exit statuses, as the AWS CLI has them (guide: AWS CLI, "Command line return codes")."""
NOBODY_READS = 141
"""The exit status where the reader of a pipe has gone: a shell's word for a program that SIGPIPE
ended (128 + 13).
"""
FOUND = 1
"""The exit status of a command that looks for faults and has found some, or was not let do what it
would have done.
"""


class Place:
    """One region of an account, and the terminal. `json`: standard output is for a program.
    `flags`: --region and --profile for commands that people paste, where they were given or where
    not every program would find the same region. `changed`: a sentence on what the command has
    changed by now, if it has; Ctrl-C afterwards says it.
    """

    def __init__(self, region: str | None, profile: str | None, *, json: bool) -> None:
        self._region, self._profile = region or region_set(), profile
        self.json = json
        self.changed = ""
        told = region or (
            self._region if self._region != os.environ.get("AWS_DEFAULT_REGION") else None
        )
        self.flags = (
            *(("--region", told) if told else ()),
            *(("--profile", profile) if profile else ()),
        )
        self.console = Terminal(highlight=False)
        self.progress_console = Terminal(stderr=True, highlight=False)

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
        """A client as boto3 makes it, of another region or with other credentials
        (aws_access_key_id, ...) where they are given; it asks again, with pauses, where AWS
        throttles.
        """
        from botocore.config import Config  # noqa: PLC0415

        patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
        return self._session.create_client(
            service, region_name=region or self.region, config=patient, **credentials
        )

    def show(self, for_people: RenderableType, for_programs: object) -> None:
        """Print what a command has to say, for one or the other."""
        if self.json:
            click.echo(json.dumps(for_programs, indent=2, default=_plain))
        else:
            self.console.print(for_people)

    def unfold(self) -> None:
        """Where no terminal reads, let each line be as long as what stands in it, so that grep
        finds long names. COLUMNS is kept to.
        """
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = 10_000

    def agreed(self, question: str) -> bool:
        """Ask on the terminal. Raises Refused where nobody can be asked."""
        if self.json:
            raise Refused(
                "With --json nobody can be asked: add --yes to do it, or --dry-run to see what it "
                "would be."
            )
        nobody = Refused(
            "Nobody answers here, for standard input is closed or at its end: add --yes. Nothing "
            "was changed."
        )
        if sys.stdin is None:
            raise nobody
        try:
            return click.confirm(question)
        except click.Abort as error:
            raise nobody if isinstance(error.__context__, EOFError) else error from None

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """While a command reads much: yields what to tell how many of how many are done. Shown on a
        terminal's standard error only.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.progress_console.is_terminal
        with Progress(
            *columns, console=self.progress_console, transient=True, disable=hidden
        ) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, of: progress.update(task, completed=done, total=of)

    @property
    def links(self) -> Links:
        """The pages of the AWS console for this region."""
        return Links(self.region, self._session.get_partition_for_region(self.region))


def region_set() -> str | None:
    """AWS_REGION, which the AWS CLI and the SDKs take before AWS_DEFAULT_REGION (guide: SDKs and
    tools reference, AWS_REGION); botocore, and with it Chalice, knows only the latter.
    """
    return os.environ.get("AWS_REGION") or None


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --region, --profile and --json, and pass it the Place that they make as its
    first argument.
    """

    @click.option("--region", metavar="NAME", help="The AWS region; else as the AWS CLI has it.")
    @click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @wraps(command)
    def with_place(
        *arguments: Any, region: str | None, profile: str | None, as_json: bool, **more: Any
    ) -> None:
        place = Place(region, profile, json=as_json)
        try:
            command(place, *arguments, **more)
        except (click.Abort, KeyboardInterrupt):
            if place.changed:
                raise Interrupted(f"Stopped. {place.changed}") from None
            raise

    return with_place


class Terminal(Console):
    """rich's console, which would end the program with 1, as if faults were found, where the reader
    of a pipe has gone.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError


@contextmanager
def _while_it_is_read() -> Iterator[None]:
    """End quietly where the reader of a pipe has gone, as with `| head`. Click itself would end
    with 1 there.
    """
    try:
        yield
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # for what the interpreter writes as it ends
        sys.exit(NOBODY_READS)


class Cli(click.Group):
    """A group of commands whose failures are sentences, and whose exit statuses are the AWS CLI's.

    `names`: the commands in the order of --help, each the function of that name in the module of
    that name. A module is imported when its command is called, so that the completion of its words
    is quick.
    """

    def __init__(self, *arguments: Any, names: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return (
            getattr(import_module(f"gatectl.{cmd_name}"), cmd_name)
            if cmd_name in self._names
            else None
        )

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        with _while_it_is_read():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _while_it_is_read():
            return super().invoke(ctx)

    def main(self, *arguments: Any, **more: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(
                stream, TextIOWrapper
            ):  # a name or a sign that it cannot show is no reason to end in the middle
                stream.reconfigure(errors="replace")
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
        except (
            NoCredentialsError,
            PartialCredentialsError,
            NoRegionError,
            ProfileNotFound,
        ) as error:
            what = str(error).rstrip(".")
            _complain(
                f"Error: {what}. Set it as for the AWS CLI: aws configure, --profile and "
                "--region, or AWS_... variables."
            )
            sys.exit(NOT_SET_UP)
        except (NotPermitted, NoAnswer, UnexpectedAnswer, ClientError, BotoCoreError) as error:
            _complain(f"Error: {_told(error)}")
            sys.exit(_status(error))
        except tuple(_LAST_RESORT) as error:
            status, sentence = _LAST_RESORT[type(error)]
            _complain(f"Error: {sentence.format(error)}")
            sys.exit(status)


class Refused(click.ClickException):
    """What was asked for cannot be; the message says what is wrong and what would be right. Nothing
    was changed.
    """

    exit_code = WRONG_USE


class Interrupted(click.ClickException):
    """Ctrl-C while something was being changed; the message says how far it came."""

    exit_code = INTERRUPTED


def _complain(text: str) -> None:
    """On standard error: at a terminal in lines of whole words, else in one line, for a log."""
    console = Terminal(stderr=True, highlight=False)
    console.print(text, markup=False, emoji=False, soft_wrap=not console.is_terminal)


_LAST_RESORT: dict[type[Exception], tuple[int, str]] = {
    Misconfigured: (WRONG_USE, "{}"),
    PipelineNotFound: (
        WRONG_USE,
        "There is no pipeline {} any more, or not the execution of it that was looked at.",
    ),
    NoRoom: (
        AWS_REFUSED,
        "AWS refused {}, for a quota of your account is used up: gatectl doctor says which rules "
        "nobody needs.",
    ),
    NotRetryable: (
        AWS_REFUSED,
        "AWS does not retry the stage {}: its pipeline was edited since, or nothing of it has "
        "failed.",
    ),
    TakenOver: (AWS_REFUSED, "AWS does not retry the stage {}: a newer execution has entered it."),
}
"""The exit status and the sentence for what chalicelib raises, where a command has no better
ones.
"""

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
    if isinstance(refusal, ClientError) and error_code(refusal) in _CREDENTIALS:
        return (
            f"AWS does not accept your credentials ({error_code(refusal)}): they have expired, "
            "or are wrong. Sign in again (aws sso login)."
        )
    if isinstance(error, ClientError) and _status(error) == FAILED:
        return (
            f"AWS did not answer {error.operation_name} ({error_code(error)}): "
            f"{error.response.get('Error', {}).get('Message', '')}"
        )
    if isinstance(error, ClientError):
        return (
            f"AWS refused {error.operation_name} ({error_code(error)}): "
            f"{error.response.get('Error', {}).get('Message', '')}"
        )
    return str(error)


def _status(error: Exception) -> int:
    """AWS has refused, for as long as nothing is changed; or it did not answer, or has said
    "later": throttled, a fault of its own.
    """
    answer = error.__cause__ or error
    if not isinstance(answer, ClientError):
        return FAILED if isinstance(answer, (NoAnswer, BotoCoreError)) else AWS_REFUSED
    later = error_code(answer) not in _CREDENTIALS and isinstance(
        translate_error(answer, answer.operation_name), NoAnswer
    )
    return FAILED if later else AWS_REFUSED
