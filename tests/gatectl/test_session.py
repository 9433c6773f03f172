"""Tests of what every command does if AWS or the settings cause an error: a sentence, and the AWS
CLI's exit status.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.standard import ExponentialBackoff

from chalicelib.account.reader import AccountReader
from chalicelib.errors import (
    Misconfigured,
    NoAnswer,
    NoRoom,
    NotPermitted,
    NotRetryable,
    PipelineNotFound,
    TakenOver,
)
from gatectl.session import AWS_REFUSED, FAILED, INTERRUPTED, NOT_SET_UP, WRONG_USE, Place
from sandbox.account import ACCOUNT, REGION
from tests.gatectl.conftest import Fail
from tests.support.cli import Said, run
from tests.support.held import hold_k8s
from tests.support.person import act_as_person
from tests.support.refused import run_refused
from tests.support.scene import Scene

ATTACH = ("attach", "k8s", "--depends-on", "infra", "--yes")
HISTORY = ("history", "k8s", "--depends-on", "infra")
RELEASE = ("release", "k8s", "--yes")
UNKNOWN = "It is not known whether k8s was changed. To find out, run this command again."
KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]


@pytest.fixture
def account(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    return scene


def as_role(monkeypatch: pytest.MonkeyPatch, *actions: str) -> None:
    act_as_person(monkeypatch, {"Effect": "Allow", "Action": actions, "Resource": "*"})


def refused(operation: str, code: str, message: str = "because the test says so") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def version(scene: Scene) -> int:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]["version"]


def one_line(result: Said) -> str:
    assert result.out == ""
    assert result.err.count("\n") == 1
    return result.err


class TestNotSetUp:
    @pytest.mark.parametrize(
        ("unset", "words", "text"),
        [
            (KEYS, (), "Unable to locate credentials."),
            (KEYS[1:], (), f"Partial credentials found in env, missing: {KEYS[1]}."),
            (["AWS_DEFAULT_REGION"], (), "You must specify a region."),
            ([], ("--profile", "missing"), "The config profile (missing) could not be found."),
        ],
    )
    def test_says_what_is_missing(
        self,
        account: Scene,
        monkeypatch: pytest.MonkeyPatch,
        unset: list[str],
        words: tuple[str, ...],
        text: str,
    ) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in unset:
            monkeypatch.delenv(name)
        complaint = run_refused(*ATTACH, *words, status=NOT_SET_UP)
        assert complaint.startswith(f"Error: {text} Configure it as for the AWS CLI: with aws")

    def test_a_missing_profile_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "missing")
        complaint = run_refused(*ATTACH, status=NOT_SET_UP)
        assert "profile (missing) could not be found" in complaint


class TestTheRegion:
    def test_aws_region_comes_before_aws_default_region(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in the AWS CLI: `aws` and gatectl in one shell use the same region."""
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert "in us-east-1" in run("holds").out
        assert f"in {REGION}" in run("holds", "--region", REGION).out
        monkeypatch.setenv("AWS_REGION", "")
        assert f"in {REGION}" in run("holds").out

    def test_the_option_and_aws_region_come_before_the_profiles_region(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        assert Place(None, "work", json=False).region == "eu-west-1"
        assert Place("us-east-1", "work", json=False).region == "us-east-1"
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert Place(None, "work", json=False).region == "us-east-1"

    def test_commands_to_paste_use_that_region_even_for_chalice(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert "AWS_DEFAULT_REGION=us-east-1 chalice deploy --stage prod" in run("doctor").out
        monkeypatch.setenv("AWS_REGION", REGION)
        assert Place(None, None, json=False).flags == ()


class TestAwsRefuses:
    def test_a_denied_change_is_named(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading = ("codepipeline:Get*", "codepipeline:List*", "lambda:ListFunctions")
        as_role(monkeypatch, *reading)
        assert run(*ATTACH[:-1], "--dry-run").status == 0
        result = run(*ATTACH)
        assert result.status == 254
        assert result.complaint.startswith("Error: AWS denied codepipeline:UpdatePipeline (")
        assert f"(User: arn:aws:sts::{ACCOUNT}:assumed-role/" in result.complaint
        assert "is not authorized to perform: codepipeline:UpdatePipeline" in result.complaint
        assert version(account) == 1

    @pytest.mark.parametrize(
        "denied", ["codepipeline:ListPipelines", "codepipeline:GetPipeline", "lambda:ListFunctions"]
    )
    def test_a_denied_read_is_named(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        calls = ("ListPipelines", "GetPipeline", "ListPipelineExecutions")
        needed = {*(f"codepipeline:{call}" for call in calls), "lambda:ListFunctions"}
        as_role(monkeypatch, *sorted(needed - {denied}))
        complaint = run_refused(*ATTACH, status=AWS_REFUSED)
        assert f"is not authorized to perform: {denied}" in complaint

    def test_its_message_about_a_structure_is_passed_on(self, account: Scene, fail: Fail) -> None:
        text = "Stages must have names of their own"
        fail("UpdatePipeline", refused("UpdatePipeline", "InvalidStructureException", text))
        assert run_refused(*ATTACH, status=AWS_REFUSED) == (
            f"Error: AWS refused UpdatePipeline (InvalidStructureException): {text}"
        )

    @pytest.mark.parametrize(
        ("code", "command"),
        [
            ("ExpiredTokenException", ATTACH),
            ("SignatureDoesNotMatch", HISTORY),
            ("InvalidClientTokenId", RELEASE),
        ],
    )
    def test_invalid_credentials(
        self, account: Scene, fail: Fail, code: str, command: tuple[str, ...]
    ) -> None:
        secret = "The canonical request should have been ... x-amz-security-token:SECRET"
        for operation in ("GetPipeline", "ListPipelines", "ListRules"):
            fail(operation, refused(operation, code, secret))
        complaint = run_refused(*command, status=NOT_SET_UP)
        assert complaint.startswith(f"Error: AWS does not accept your credentials ({code})")
        assert "SECRET" not in complaint

    def test_throttling_that_ends_is_not_noticed(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore's pauses are random."""
        as_role(monkeypatch, "*")
        monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 2)
        account.world.dials.rates = {"*": 1}
        assert run(*ATTACH).status == 0
        assert version(account) == 2

    def test_throttling_that_does_not_end(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_role(monkeypatch, "*")
        account.world.dials.rates = {"codepipeline:ListPipelines": 0.0001}
        assert run("attach", "k8s", "--depends-on", "k9s").status == 255  # took the only token
        assert run_refused(*ATTACH, status=FAILED) == (
            "Error: codepipeline:ListPipelines was not answered (ThrottlingException)"
        )
        assert version(account) == 1


class TestAwsDoesNotAnswer:
    @pytest.mark.parametrize("operation", ["ListPipelines", "GetPipeline"])
    def test_nothing_was_done(self, account: Scene, fail: Fail, operation: str) -> None:
        fail(operation, EndpointConnectionError(endpoint_url="https://aws.invalid"))
        assert run_refused(*ATTACH, status=FAILED) == (
            f"Error: codepipeline:{operation} was not answered (EndpointConnectionError)"
        )

    @pytest.mark.parametrize("after", [False, True])
    def test_running_it_again_shows_whether_the_change_took_effect(
        self, account: Scene, fail: Fail, monkeypatch: pytest.MonkeyPatch, after: bool
    ) -> None:
        fail("UpdatePipeline", ReadTimeoutError(endpoint_url="https://aws.invalid"), after=after)
        complaint = run_refused(*ATTACH, status=FAILED)
        assert complaint.endswith(f"UpdatePipeline was not answered (ReadTimeoutError). {UNKNOWN}")
        monkeypatch.undo()
        assert ("already has this gate" in run(*ATTACH).out) is after
        assert version(account) == 2

    def test_ctrl_c_while_it_is_changed(self, account: Scene, fail: Fail) -> None:
        fail("UpdatePipeline", KeyboardInterrupt(), after=True)
        assert run_refused(*ATTACH, status=INTERRUPTED) == f"Error: Stopped. {UNKNOWN}"

    def test_ctrl_c_after_that(self, account: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Place, "show", Mock(side_effect=KeyboardInterrupt))
        complaint = run_refused(*ATTACH, status=INTERRUPTED)
        assert complaint.startswith(
            "Error: Stopped. k8s had already been changed, and is now at version"
        )
        assert version(account) == 2

    def test_ctrl_c_before_that(self, account: Scene, fail: Fail) -> None:
        fail("ListPipelines", KeyboardInterrupt())
        assert run_refused(*ATTACH, status=INTERRUPTED) == "Stopped. Nothing was changed."


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (NoAnswer("events:ListRules was not answered"), FAILED, "events:ListRules was not ans"),
        (NotPermitted("events:ListRules", "no"), AWS_REFUSED, "AWS denied events:ListRules (no)"),
        (Misconfigured("k8s depends on itself."), WRONG_USE, "k8s depends on itself."),
        (PipelineNotFound("k8s"), WRONG_USE, "The pipeline k8s, or the execution of it"),
        (NoRoom("events:PutRule"), AWS_REFUSED, "AWS refused events:PutRule, because a quota of"),
        (NotRetryable("Gate"), AWS_REFUSED, "AWS does not retry the stage Gate: the pipeline has"),
        (TakenOver("Gate"), AWS_REFUSED, "AWS does not retry the stage Gate: a newer execution"),
    ],
)
def test_an_error_that_the_command_does_not_handle_is_a_sentence(
    account: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    monkeypatch.setattr(AccountReader, "read_view", Mock(side_effect=error))
    assert run_refused("holds", status=status).startswith(f"Error: {text}")


def test_throttled_commands_exit_with_255(account: Scene, fail: Fail) -> None:
    fail("ListRules", "ThrottlingException")
    fail("ListPipelines", "InternalFailure")
    for words in (("holds",), ATTACH, RELEASE):
        assert run(*words).status == 255


@pytest.mark.parametrize("command", ["attach", "detach", "explain", "release", "cancel", "history"])
def test_a_pipeline_that_does_not_exist(account: Scene, command: str) -> None:
    upstream = ("--depends-on", "infra") if command in ("attach", "history") else ()
    for name in ("", "two words"):
        result = run(command, name, *upstream, "--json")
        assert result.status == 252
        assert one_line(result).startswith("Error: ")
    assert run_refused(command, "k9s", *upstream) == (
        f"Error: There is no pipeline k9s in {REGION}; did you mean k8s?"
    )
    for name in ("infra", "k8s"):
        account.codepipeline.delete_pipeline(name=name)
    complaint = run_refused(command, "k8s", *upstream)
    assert "nor any other. Is this the right region (--region) and account" in complaint


@pytest.mark.parametrize(
    "words",
    [("check",), ("doctor",), ("explain", "k8s"), ("graph",), HISTORY, ("holds",)],
    ids=lambda words: words[0],
)
def test_commands_that_show_only_read(
    sound: Scene, operations: list[str], words: tuple[str, ...]
) -> None:
    hold_k8s(sound)
    operations.clear()
    run(*words)
    assert operations
    reads = ("Get", "List", "Describe", "Simulate")
    assert [operation for operation in operations if not operation.startswith(reads)] == []


def test_confirmation_is_impossible(account: Scene) -> None:
    assert run(*ATTACH[:-1], typed="").complaint == (
        "Error: Cannot ask for confirmation because standard input is closed. Nothing was changed. "
        "Use --yes."
    )
    assert version(account) == 1


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_every_character(scene: Scene, charset: str) -> None:
    """No command stops at a character that is not in the terminal's character set."""
    scene.pipeline("infra")
    variable = {"name": "where", "defaultValue": "\u96f2\u2714"}
    scene.pipeline("k8s", variables=[variable])
    for words, status in (
        ((*ATTACH[:-1], "--bypass", "--dry-run"), 0),
        (("explain", "\u96f2"), 252),
        (("graph",), 0),
        (("check",), 0),
    ):
        assert run(*words, charset=charset).status == status


class TestTheProgram:
    def test_lists_the_commands(self) -> None:
        result = run("--help", columns=80)
        assert result.status == 0
        assert max(map(len, result.out.splitlines())) <= 80
        commands = result.out.partition("Commands:\n")[2]
        assert commands.splitlines()[0].startswith(
            "  attach      Give PIPELINE a gate, so that it waits for others."
        )

    @pytest.mark.parametrize("command", ["attach", "detach", "completion"])
    def test_each_help_fits(self, command: str) -> None:
        result = run(command, "--help", columns=80)
        assert result.status == 0
        assert max(map(len, result.out.splitlines())) <= 80

    def test_its_version(self) -> None:
        result = run("--version")
        assert (result.status, result.out.startswith("gatectl ")) == (0, True)

    def test_wrong_use(self) -> None:
        for line in ("atach", "attach", "attach k8s", "--no-such-option", "attach k8s --nothing"):
            result = run(*line.split())
            assert (result.status, result.out) == (252, "")
            assert result.err.startswith("Usage: gatectl")

    def test_without_a_command_it_shows_the_help(self) -> None:
        result = run()
        assert result.status == 252
        assert "Commands:" in result.out + result.err
