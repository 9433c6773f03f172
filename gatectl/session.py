"""What all commands share: region and credentials as in the AWS CLI, output for people or programs,
and errors as sentences with an exit status.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, wraps
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeGuard

import click
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    NoRegionError,
    PaginationError,
    ParamValidationError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from rich.console import RenderableType

from chalicelib.account.console import ConsoleLinks
from chalicelib.aws.codepipeline_admin import CodePipelineAdmin
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.aws.iam import Iam
from chalicelib.aws.lambda_functions import LambdaFunctions
from chalicelib.aws.lambda_permission import LambdaPermissions
from chalicelib.aws.logs import Logs
from chalicelib.aws.regions import NO_SUCH_NAME, has_codepipeline
from chalicelib.aws.sts import CallerIdentity, read_caller
from chalicelib.errors import (
    CredentialsRejected,
    Misconfigured,
    NoAnswer,
    NoRoom,
    NoSuchRegion,
    NotPermitted,
    NotRetryable,
    PipelineNotFound,
    TakenOver,
    UnexpectedAnswer,
    read_error_code,
)
from gatectl.output import Terminal, remove_control_characters, write_text

if TYPE_CHECKING:
    from botocore.session import Session

WRONG_USE, NOT_SET_UP, AWS_REFUSED, FAILED, INTERRUPTED = 252, 253, 254, 255, 130
"""Exit statuses, as in the AWS CLI (guide: AWS CLI, "Command line return codes")."""
NOBODY_READS = 141
"""The exit status if the reader has closed the pipe, as a shell reports a program that SIGPIPE
ended (128 + 13).
"""
FAULTS_FOUND = 1
"""The exit status of a command that has found problems, or whose change was not confirmed."""


class Place:
    """A region of an account, and the terminal: what a command reads from, changes and prints to.

    `json`: standard output is for a program. `flags`: --region and --profile for commands to paste,
    if they were given or if other programs could use a different region. `changed`: a sentence
    about what the command has changed so far, which Ctrl-C then prints, or "".
    """

    def __init__(self, region: str | None, profile: str | None, *, json: bool) -> None:
        self._region, self._profile = region or read_aws_region(), profile
        self._session_lock = Lock()
        self.json = json
        self.changed = ""
        flagged = region or (
            self._region if self._region != os.environ.get("AWS_DEFAULT_REGION") else None
        )
        self.flags = (
            *(("--region", flagged) if flagged else ()),
            *(("--profile", profile) if profile else ()),
        )
        self.console = Terminal(highlight=False)
        self.progress_console = Terminal(stderr=True, highlight=False)

    @cached_property
    def _session(self) -> Session:
        """botocore's session: boto3 creates the same clients, but doubles the import time."""
        from chalicelib.aws.clients import make_session  # noqa: PLC0415 - slow; --help does without it

        return make_session(self._profile)

    @cached_property
    def region(self) -> str:
        region = self._region or self._session.get_config_variable("region")
        if not region:
            raise NoRegionError
        return str(region)

    @cached_property
    def caller(self) -> CallerIdentity:
        return read_caller(self.client("sts"))

    @cached_property
    def codepipeline(self) -> CodePipelineAdmin:
        return self.connect_codepipeline()

    def connect_codepipeline(self, region: str | None = None) -> CodePipelineAdmin:
        """Return CodePipeline in this or another region, with the command's credentials.

        Raises NoSuchRegion.
        """
        client = self.client("codepipeline", region)
        if region not in (None, self.region) and not has_codepipeline(
            self._session, client, self.links.partition
        ):
            raise NoSuchRegion(region)
        return CodePipelineAdmin(client)

    @cached_property
    def eventbridge(self) -> EventBridge:
        return EventBridge(self.client("events"))

    @cached_property
    def lambda_permissions(self) -> LambdaPermissions:
        return LambdaPermissions(self.client("lambda"))

    @cached_property
    def functions(self) -> LambdaFunctions:
        return self.connect_functions()

    def connect_functions(self, region: str | None = None) -> LambdaFunctions:
        """Return Lambda in this or another region, with the command's credentials."""
        return LambdaFunctions(self.client("lambda", region))

    @cached_property
    def iam(self) -> Iam:
        return Iam(self.client("iam"))

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.client("logs"))

    def client(self, service: str, region_name: str | None = None, **credentials: Any) -> Any:
        """Return a client as boto3 creates it, for chalicelib's wrappers; in another region or with
        other credentials (aws_access_key_id, ...) if they are given. If AWS throttles or does not
        answer, the client retries with pauses. Raises NotSetUp if the settings are broken.

        Safe to call from several threads: the lock is there because a session may create clients
        on one thread at a time only (guide: boto3, "Session", multithreading).
        """
        from botocore.config import Config  # noqa: PLC0415

        patient = Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        with self._session_lock:
            try:
                return self._session.create_client(
                    service, region_name=region_name or self.region, config=patient, **credentials
                )
            except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError) as error:
                # botocore passes on what a credential process or a file of settings causes.
                problem = str(error) or type(error).__name__
                raise NotSetUp(_describe_settings(problem)) from error

    def show(self, for_people: RenderableType, for_programs: object) -> None:
        """Print a command's result: for people, or as JSON for programs."""
        if self.json:
            write_text(json.dumps(for_programs, indent=2, default=_encode))
        else:
            self.console.print(for_people)

    def keep_lines_whole(self) -> None:
        """Do not wrap lines unless the output is a terminal, so that grep finds long names. COLUMNS
        still applies.
        """
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = 10_000

    def confirm(self, question: str) -> bool:
        """Ask a yes/no question on the terminal. Raises Refused if that is impossible."""
        if self.json:
            raise Refused(
                "Cannot ask for confirmation with --json. Use --yes to make the change, or "
                "--dry-run to see it."
            )
        unanswered = Refused(
            "Cannot ask for confirmation because standard input is closed. Nothing was changed. "
            "Use --yes."
        )
        if sys.stdin is None:
            raise unanswered
        try:
            return click.confirm(remove_control_characters(question))
        except click.Abort as error:
            raise unanswered if isinstance(error.__context__, EOFError) else error from None

    @contextmanager
    def show_progress(self, task: str) -> Iterator[Callable[[int, int], None]]:
        """Show a progress bar for a long `task` if standard error is a terminal. Yields a function
        that takes the number of parts that are done, and the total.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.progress_console.is_terminal
        with Progress(
            *columns, console=self.progress_console, transient=True, disable=hidden
        ) as progress:
            bar = progress.add_task(task, total=None)
            yield lambda done, total: progress.update(bar, completed=done, total=total)

    @property
    def links(self) -> ConsoleLinks:
        """The pages of the AWS console for this region."""
        return ConsoleLinks(self.region, self._session.get_partition_for_region(self.region))


def read_aws_region() -> str | None:
    """Return AWS_REGION, which the AWS CLI and the SDKs prefer to AWS_DEFAULT_REGION (guide: SDKs
    and tools reference, AWS_REGION). botocore and Chalice know only the latter.
    """
    return os.environ.get("AWS_REGION") or None


def _encode(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def add_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --region, --profile and --json, and pass it a Place as its first argument."""

    @click.option("--region", metavar="NAME", help="The AWS region.  [default: as in the AWS CLI]")
    @click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @wraps(command)
    def with_place(
        *arguments: Any, region: str | None, profile: str | None, as_json: bool, **keywords: Any
    ) -> None:
        place = Place(region, profile, json=as_json)
        try:
            command(place, *arguments, **keywords)
        except (click.Abort, KeyboardInterrupt):
            if place.changed:
                raise Interrupted(f"Stopped. {place.changed}") from None
            raise

    return with_place


@contextmanager
def _exit_without_reader() -> Iterator[None]:
    """Exit quietly if the reader has closed the pipe, as `| head` does. click would exit with 1."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes standard output as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOBODY_READS)


class Cli(click.Group):
    """A group of commands whose errors are sentences, with the exit statuses of the AWS CLI.

    `names`: the commands in the order of --help, each the function of that name in the module of
    that name. A module is imported only when its command is called, so that completion is fast.
    """

    def __init__(self, *arguments: Any, names: Sequence[str] = (), **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return (
            getattr(import_module(f"gatectl.{cmd_name}"), cmd_name)
            if cmd_name in self._names
            else None
        )

    def make_context(self, *arguments: Any, **keywords: Any) -> click.Context:
        with _exit_without_reader():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: click.Context) -> Any:
        with _exit_without_reader():
            return super().invoke(ctx)

    def main(self, *arguments: Any, **keywords: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A character that the terminal cannot show must not end the command.
                stream.reconfigure(errors="replace")
        try:
            sys.exit(super().main(*arguments, **{**keywords, "standalone_mode": False}) or 0)
        except click.UsageError as error:
            error.show()
            sys.exit(WRONG_USE)
        except click.ClickException as error:
            _complain(f"Error: {error.format_message()}")
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _complain("Stopped. Nothing was changed.")
            sys.exit(INTERRUPTED)
        except Exception as error:
            status, sentence = describe_error(error)
            _complain(f"Error: {sentence}")
            sys.exit(status)


class Refused(click.ClickException):
    """The request is impossible, and nothing was changed. The message says what is wrong and what
    to do instead.
    """

    exit_code = WRONG_USE


class NotSetUp(click.ClickException):
    """The AWS settings cannot be used: a credential process, a file of settings, or an endpoint."""

    exit_code = NOT_SET_UP


class Unfinished(click.ClickException):
    """A change got no answer of AWS's. The message says what may have been changed."""

    exit_code = FAILED


class Interrupted(click.ClickException):
    """Ctrl-C during a change. The message says what was changed."""

    exit_code = INTERRUPTED


def _complain(text: str) -> None:
    """Print on standard error: wrapped on a terminal, otherwise on one line, for a log."""
    console = Terminal(stderr=True, highlight=False)
    console.print(text, markup=False, emoji=False, soft_wrap=not console.is_terminal)


_LAST_RESORT: dict[type[Exception], tuple[int, str]] = {
    Misconfigured: (WRONG_USE, "{}"),
    PipelineNotFound: (
        WRONG_USE,
        "The pipeline {}, or the execution of it that this command needs, no longer exists.",
    ),
    NoSuchRegion: (
        WRONG_USE,
        "There is no region {} with CodePipeline in your partition: correct the ARN.",
    ),
    NoRoom: (
        AWS_REFUSED,
        "AWS refused {}, because a quota of your account is used up. gatectl doctor lists the "
        "rules that are not needed.",
    ),
    NotRetryable: (
        AWS_REFUSED,
        "AWS does not retry the stage {}: the pipeline has been edited since, or no action of the "
        "stage has failed.",
    ),
    TakenOver: (AWS_REFUSED, "AWS does not retry the stage {}: a newer execution has entered it."),
}
"""The exit status and the sentence for errors of chalicelib that the command does not handle."""


_DURING_A_CALL = (
    BotoConnectionError,
    HTTPClientError,
    ChecksumError,
    IncompleteReadError,
    PaginationError,
    ParamValidationError,
)
"""botocore's errors that do not come from the settings of its user."""
_EXPIRED = (SSOError, TokenRetrievalError, LoginError)


def describe_error(error: Exception) -> tuple[int, str]:
    """Return the exit status and the sentence for an error that is not gatectl's own."""
    if isinstance(error, (NotPermitted, NoAnswer, UnexpectedAnswer, BotoCoreError)):
        return _find_status(error), _describe_aws_error(error)
    if type(error) in _LAST_RESORT:
        status, sentence = _LAST_RESORT[type(error)]
        return status, sentence.format(error)
    return FAILED, _describe_crash(error)


def _describe_aws_error(error: Exception) -> str:
    """Return AWS's message only if it cannot contain what the request was signed with."""
    if isinstance(error, CredentialsRejected):
        return (
            f"AWS does not accept your credentials ({error.code}): they are wrong or have expired. "
            "Sign in again (aws sso login)."
        )
    answer = error.__cause__
    if _is_wrong_endpoint(answer):
        return (
            f"There is no AWS at {answer.kwargs['endpoint_url']}. Correct the region (--region or "
            "AWS_REGION) or AWS_ENDPOINT_URL. If they are right, this machine is offline."
        )
    if isinstance(error, UnexpectedAnswer) and isinstance(answer, ClientError):
        if _is_foreign(answer):
            return f"{answer.operation_name} was answered by something that is not AWS. {_BETWEEN}"
        message = answer.response.get("Error", {}).get("Message", "")
        return f"AWS refused {answer.operation_name} ({read_error_code(answer)}): {message}"
    problem = str(error).rstrip(".")
    if isinstance(error, _EXPIRED):
        return f"{problem}. Sign in again (aws sso login)."
    if isinstance(error, BotoCoreError) and not isinstance(error, _DURING_A_CALL):
        return _describe_settings(problem)
    return str(error)


def _describe_settings(problem: str) -> str:
    return (
        f"{problem.rstrip('.')}. Configure it as for the AWS CLI: with aws configure, --profile "
        "and --region, or AWS_... variables."
    )


_BETWEEN = (
    "Is there a proxy or a sign-in page between this machine and AWS, or is AWS_ENDPOINT_URL wrong?"
)


def _describe_crash(error: Exception) -> str:
    """What no other case covers: an answer without what AWS promises, or a defect of gatectl."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "?"
    return (
        f"An answer is not in AWS's form, or gatectl has a defect ({type(error).__name__} in "
        f"{place}). {_BETWEEN} If not, please report this."
    )


def _is_foreign(answer: ClientError) -> bool:
    """Whether an error has no code of AWS's; botocore then takes the HTTP status."""
    code = read_error_code(answer)
    return not code or code.isdecimal()


def _is_wrong_endpoint(error: BaseException | None) -> TypeGuard[EndpointConnectionError]:
    """Whether the name of the endpoint does not exist, or nothing listens at the user's own."""
    if not isinstance(error, EndpointConnectionError):
        return False
    if str(error.kwargs.get("endpoint_url")).startswith(os.environ.get("AWS_ENDPOINT_URL") or "?"):
        return True
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, socket.gaierror):
        cause = cause.__cause__ or cause.__context__
    return cause is not None and cause.errno in NO_SUCH_NAME


def _find_status(error: Exception) -> int:
    """Return NOT_SET_UP if the settings or credentials have to be corrected; AWS_REFUSED if trying
    again is useless; FAILED if AWS did not answer, throttled the call, or had an internal error.
    """
    if isinstance(error, CredentialsRejected) or _is_wrong_endpoint(error.__cause__):
        return NOT_SET_UP
    if isinstance(error, BotoCoreError):
        return FAILED if isinstance(error, _DURING_A_CALL) else NOT_SET_UP
    answer = error.__cause__
    is_foreign = isinstance(answer, ClientError) and _is_foreign(answer)
    return FAILED if isinstance(error, NoAnswer) or is_foreign else AWS_REFUSED
