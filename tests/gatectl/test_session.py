"""What every command does where AWS or the caller's settings do not play along: a sentence, and the
AWS CLI's exit status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

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
from gatectl.session import Place
from sandbox.account import ACCOUNT, REGION
from tests.support.cli import Said, run
from tests.support.scene import Scene
from tests.support.somebody import as_somebody

ATTACH = ("attach", "k8s", "--depends-on", "infra", "--yes")
UNKNOWN = "Whether k8s was changed is not known: run this command again, and it tells."


@pytest.fixture
def account(scene: Scene) -> Scene:
    scene.pipeline("infra")
    scene.pipeline("k8s")
    return scene


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let an operation fail, before it takes effect or `after`."""

    def fail(operation: str, error: BaseException, *, after: bool = False) -> None:
        real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def make_api_call(client: Any, name: str, arguments: dict[str, Any]) -> Any:
            if name != operation:
                return real(client, name, arguments)
            if after:
                real(client, name, arguments)
            raise error

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)

    return fail


def as_role(monkeypatch: pytest.MonkeyPatch, *actions: str) -> None:
    as_somebody(monkeypatch, {"Effect": "Allow", "Action": actions, "Resource": "*"})


def refused(operation: str, code: str, message: str = "so it was told") -> ClientError:
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
            (
                ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
                (),
                "Unable to locate credentials.",
            ),
            (
                ["AWS_SECRET_ACCESS_KEY"],
                (),
                "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY.",
            ),
            (["AWS_DEFAULT_REGION"], (), "You must specify a region."),
            ([], ("--profile", "nobody"), "The config profile (nobody) could not be found."),
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
        result = run(*ATTACH, *words)
        assert result.status == 253
        assert one_line(result).startswith(
            f"Error: {text} Set it as for the AWS CLI: aws configure, --profile and --region, or "
        )

    def test_a_profile_of_the_environment_that_is_not_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        result = run(*ATTACH)
        assert (result.status, "profile (nobody) could not be found" in result.err) == (253, True)


class TestTheRegion:
    def test_aws_region_comes_before_aws_default_region(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the AWS CLI has it: `aws` and gatectl in one shell look at the same region."""
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert "in us-east-1" in run("holds").out
        assert f"in {REGION}" in run("holds", "--region", REGION).out
        monkeypatch.setenv("AWS_REGION", "")
        assert f"in {REGION}" in run("holds").out

    def test_a_profiles_comes_after_the_option_and_aws_region(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        assert Place(None, "work", json=False).region == "eu-west-1"
        assert Place("us-east-1", "work", json=False).region == "us-east-1"
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert Place(None, "work", json=False).region == "us-east-1"

    def test_what_is_pasted_goes_there_too_although_chalice_does_not_know_aws_region(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert "AWS_DEFAULT_REGION=us-east-1 chalice deploy --stage prod" in run("doctor").out
        monkeypatch.setenv("AWS_REGION", REGION)
        assert Place(None, None, json=False).flags == ()


class TestAwsRefuses:
    def test_what_is_denied_is_named_and_nothing_changed(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading = ("codepipeline:Get*", "codepipeline:List*", "lambda:ListFunctions")
        as_role(monkeypatch, *reading)
        assert run(*ATTACH[:-1], "--dry-run").status == 0
        result = run(*ATTACH)
        assert result.status == 254
        assert result.complaint.startswith("Error: AWS denied codepipeline:UpdatePipeline (")
        assert (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/somebody/ann is not authorized to perform: "
            "codepipeline:UpdatePipeline" in result.complaint
        )
        assert version(account) == 1

    @pytest.mark.parametrize(
        "denied", ["codepipeline:ListPipelines", "codepipeline:GetPipeline", "lambda:ListFunctions"]
    )
    def test_a_denied_look_is_named(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        needed = {
            "codepipeline:ListPipelines",
            "codepipeline:GetPipeline",
            "codepipeline:ListPipelineExecutions",
            "lambda:ListFunctions",
        }
        as_role(monkeypatch, *sorted(needed - {denied}))
        result = run(*ATTACH)
        assert result.status == 254
        assert f"is not authorized to perform: {denied}" in result.complaint

    def test_what_it_says_against_a_structure_is_passed_on(
        self, account: Scene, fail: Callable[..., None]
    ) -> None:
        fail(
            "UpdatePipeline",
            refused(
                "UpdatePipeline", "InvalidStructureException", "Stages must have names of their own"
            ),
        )
        result = run(*ATTACH)
        assert (result.status, result.err) == (
            254,
            "Error: AWS refused UpdatePipeline (InvalidStructureException): Stages must have "
            "names of their own\n",
        )

    @pytest.mark.parametrize(
        ("code", "command"),
        [
            ("ExpiredTokenException", ATTACH),
            ("SignatureDoesNotMatch", ("history", "k8s", "--depends-on", "infra")),
            ("InvalidClientTokenId", ("release", "k8s", "--yes")),
        ],
    )
    def test_credentials_that_are_no_good(
        self, account: Scene, fail: Callable[..., None], code: str, command: tuple[str, ...]
    ) -> None:
        secret = "The canonical request should have been ... x-amz-security-token:SECRET"
        for operation in ("GetPipeline", "ListPipelines", "ListRules"):
            fail(operation, refused(operation, code, secret))
        result = run(*command)
        assert (result.status, result.complaint) == (
            254,
            f"Error: AWS does not accept your credentials ({code}): they have expired, or are "
            "wrong. Sign in again (aws sso login).",
        )

    def test_throttling_that_ends_is_not_noticed(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_role(monkeypatch, "*")
        account.world.dials.rates = {"*": 0.2}
        assert run(*ATTACH).status == 0
        assert version(account) == 2

    def test_throttling_that_does_not_end(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_role(monkeypatch, "*")
        account.world.dials.rates = {"codepipeline:ListPipelines": 0.0001}
        assert run("attach", "k8s", "--depends-on", "k9s").status == 255  # took the only token
        result = run(*ATTACH)
        assert (result.status, one_line(result)) == (
            255,
            "Error: codepipeline:ListPipelines was not answered (ThrottlingException)\n",
        )
        assert version(account) == 1


class TestNobodyAnswers:
    @pytest.mark.parametrize("operation", ["ListPipelines", "GetPipeline"])
    def test_nothing_was_done(
        self, account: Scene, fail: Callable[..., None], operation: str
    ) -> None:
        fail(
            operation,
            EndpointConnectionError(
                endpoint_url="https://codepipeline.eu-central-1.amazonaws.com/"
            ),
        )
        result = run(*ATTACH)
        assert (result.status, one_line(result)) == (
            255,
            f"Error: codepipeline:{operation} was not answered (EndpointConnectionError)\n",
        )

    @pytest.mark.parametrize("after", [False, True])
    def test_whether_the_change_took_effect_the_next_call_tells(
        self,
        account: Scene,
        fail: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        after: bool,
    ) -> None:
        fail("UpdatePipeline", ReadTimeoutError(endpoint_url="https://aws.invalid"), after=after)
        result = run(*ATTACH)
        assert result.status == 255
        assert (
            result.complaint
            == f"Error: codepipeline:UpdatePipeline was not answered (ReadTimeoutError). {UNKNOWN}"
        )
        monkeypatch.undo()
        assert ("has this gate already" in run(*ATTACH).out) is after
        assert version(account) == 2

    def test_ctrl_c_while_it_is_changed(self, account: Scene, fail: Callable[..., None]) -> None:
        fail("UpdatePipeline", KeyboardInterrupt(), after=True)
        result = run(*ATTACH)
        assert (result.status, result.complaint) == (130, f"Error: Stopped. {UNKNOWN}")

    def test_ctrl_c_after_that(self, account: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Place, "show", stop)
        result = run(*ATTACH)
        assert (result.status, result.complaint) == (
            130,
            "Error: Stopped. k8s was changed before that: it is at version 2 now. Run this "
            "command again, and it tells.",
        )
        assert version(account) == 2

    def test_ctrl_c_before_that(self, account: Scene, fail: Callable[..., None]) -> None:
        fail("ListPipelines", KeyboardInterrupt())
        result = run(*ATTACH)
        assert (result.status, result.complaint) == (130, "Stopped. Nothing was changed.")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            NoAnswer("events:ListRules was not answered (ThrottlingException)"),
            255,
            "events:ListRules was not answered",
        ),
        (
            NotPermitted("events:ListRules", "so it was told"),
            254,
            "AWS denied events:ListRules (so it was told)",
        ),
        (Misconfigured("k8s depends on itself."), 252, "k8s depends on itself."),
        (
            PipelineNotFound("k8s"),
            252,
            "There is no pipeline k8s any more, or not the execution of it that was looked at.",
        ),
        (
            NoRoom("events:PutRule"),
            254,
            "AWS refused events:PutRule, for a quota of your account is used up",
        ),
        (
            NotRetryable("Gate"),
            254,
            "AWS does not retry the stage Gate: its pipeline was edited since",
        ),
        (
            TakenOver("Gate"),
            254,
            "AWS does not retry the stage Gate: a newer execution has entered it.",
        ),
    ],
)
def test_what_no_command_provides_for_is_a_sentence_all_the_same(
    account: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    def look(*_: object) -> None:
        raise error

    monkeypatch.setattr(AccountReader, "read_view", look)
    result = run("holds")
    assert result.status == status
    assert one_line(result).startswith(f"Error: {text}")


def test_throttled_commands_say_later_wherever_it_is_noticed(
    account: Scene, fail: Callable[..., None]
) -> None:
    fail("ListRules", refused("ListRules", "ThrottlingException"))
    fail("ListPipelines", refused("ListPipelines", "InternalFailure"))
    for words in (("holds",), ATTACH, ("release", "k8s", "--yes")):
        assert run(*words).status == 255


@pytest.mark.parametrize("command", ["attach", "detach", "explain", "release", "history"])
def test_what_is_no_name(account: Scene, command: str) -> None:
    upstream = ("--depends-on", "infra") if command in ("attach", "history") else ()
    for name in ("", "two words"):
        result = run(command, name, *upstream, "--json")
        assert result.status == 252
        assert one_line(result).startswith("Error: ")


def test_nobody_to_ask(account: Scene) -> None:
    result = run(*ATTACH[:-1], typed="")
    assert (result.status, result.complaint) == (
        252,
        "Error: Nobody answers here, for standard input is closed or at its end: add --yes. "
        "Nothing was changed.",
    )
    assert version(account) == 1


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_everything(scene: Scene, charset: str) -> None:
    """No command ends in the middle because of a sign that is not in the terminal's charset."""
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
    def test_says_what_there_is(self) -> None:
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
