"""What every command does where AWS or the caller's settings do not play along: a sentence, and the
AWS CLI's exit status.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
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
from sandbox.account import ACCOUNT, REGION, create_role
from tests.support.cli import Said, run
from tests.support.scene import Scene

ATTACH = ("attach", "k8s", "--depends-on", "infra", "--yes")
UNKNOWN = "Whether k8s was changed is not known: run this command again, and it tells."


@pytest.fixture
def two(scene: Scene) -> Scene:
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
    """Be somebody who may do only this."""
    role = create_role("somebody", "codepipeline.amazonaws.com")
    role.put_policy(
        "may",
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
            }
        ),
    )
    keys = boto3.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="ann")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])


def refused(operation: str, code: str, message: str = "so it was told") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def version(scene: Scene) -> int:
    return scene.codepipeline.get_pipeline(name="k8s")["pipeline"]["version"]


def one_line(said: Said) -> str:
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


class TestNotSetUp:
    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def test_no_credentials(self, two: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        said = run(*ATTACH)
        assert said.status == 253
        assert one_line(said).startswith(
            "Error: Unable to locate credentials. Set it as for the AWS CLI: aws configure, "
            "--profile and "
        )

    def test_half_of_them(self, two: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        said = run(*ATTACH)
        assert said.status == 253
        assert one_line(said).startswith(
            "Error: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY. Set it as "
            "for the AWS CLI"
        )

    def test_no_region(self, two: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        said = run(*ATTACH)
        assert said.status == 253
        assert one_line(said).startswith(
            "Error: You must specify a region. Set it as for the AWS CLI"
        )
        assert run(*ATTACH, "--region", REGION).status == 0

    @pytest.mark.parametrize("given", ["--profile", "AWS_PROFILE"])
    def test_a_profile_that_is_not_there(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        if given == "AWS_PROFILE":
            monkeypatch.setenv("AWS_PROFILE", "nobody")
        said = run(*ATTACH, *(("--profile", "nobody") if given == "--profile" else ()))
        assert said.status == 253
        assert one_line(said).startswith(
            "Error: The config profile (nobody) could not be found. Set it as for the AWS CLI"
        )

    def test_a_profile_has_its_region_and_the_option_wins(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        assert Place(None, "work", json=False).region == "eu-west-1"
        assert Place("us-east-1", "work", json=False).region == "us-east-1"


class TestTheRegion:
    def test_aws_region_comes_before_aws_default_region(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the AWS CLI has it: `aws` and gatectl in one shell look at the same region."""
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert "in us-east-1" in run("holds").out
        assert f"in {REGION}" in run("holds", "--region", REGION).out
        monkeypatch.setenv("AWS_REGION", "")
        assert f"in {REGION}" in run("holds").out

    def test_and_before_a_profiles(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
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
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading = ("codepipeline:Get*", "codepipeline:List*", "lambda:ListFunctions")
        as_role(monkeypatch, *reading)
        assert run(*ATTACH[:-1], "--dry-run").status == 0
        said = run(*ATTACH)
        assert said.status == 254
        assert said.complaint.startswith("Error: AWS refused UpdatePipeline (AccessDenied")
        assert (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/somebody/ann is not authorized to perform: "
            "codepipeline:UpdatePipeline" in said.complaint
        )
        assert version(two) == 1

    @pytest.mark.parametrize(
        "denied", ["codepipeline:ListPipelines", "codepipeline:GetPipeline", "lambda:ListFunctions"]
    )
    def test_a_denied_look_is_named(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch, denied: str
    ) -> None:
        needed = {
            "codepipeline:ListPipelines",
            "codepipeline:GetPipeline",
            "codepipeline:ListPipelineExecutions",
            "lambda:ListFunctions",
        }
        as_role(monkeypatch, *sorted(needed - {denied}))
        said = run(*ATTACH)
        assert said.status == 254
        assert f"is not authorized to perform: {denied}" in said.complaint

    def test_what_it_says_against_a_structure_is_passed_on(
        self, two: Scene, fail: Callable[..., None]
    ) -> None:
        fail(
            "UpdatePipeline",
            refused(
                "UpdatePipeline", "InvalidStructureException", "Stages must have names of their own"
            ),
        )
        said = run(*ATTACH)
        assert (said.status, said.err) == (
            254,
            "Error: AWS refused UpdatePipeline (InvalidStructureException): Stages must have "
            "names of their own\n",
        )

    @pytest.mark.parametrize(
        "code", ["ExpiredTokenException", "SignatureDoesNotMatch", "InvalidClientTokenId"]
    )
    @pytest.mark.parametrize(
        "command",
        [ATTACH, ("history", "k8s", "--depends-on", "infra"), ("release", "k8s", "--yes")],
    )
    def test_credentials_that_are_no_good(
        self, two: Scene, fail: Callable[..., None], code: str, command: tuple[str, ...]
    ) -> None:
        for operation in ("GetPipeline", "ListPipelines", "ListRules"):
            fail(
                operation,
                refused(
                    operation,
                    code,
                    "The canonical request should have been ... x-amz-security-token:SECRET",
                ),
            )
        said = run(*command)
        assert (said.status, said.complaint) == (
            254,
            f"Error: AWS does not accept your credentials ({code}): they have expired, or are "
            "wrong. Sign in again (aws sso login).",
        )

    def test_throttling_that_ends_is_not_noticed(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_role(monkeypatch, "*")
        two.world.dials.rates = {"*": 0.2}
        assert run(*ATTACH).status == 0
        assert version(two) == 2

    def test_throttling_that_does_not_end(
        self, two: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        as_role(monkeypatch, "*")
        two.world.dials.rates = {"codepipeline:ListPipelines": 0.0001}
        assert run("attach", "k8s", "--depends-on", "k9s").status == 255  # took the only token
        said = run(*ATTACH)
        assert (said.status, one_line(said)) == (
            255,
            "Error: AWS did not answer ListPipelines (ThrottlingException): Rate exceeded\n",
        )
        assert version(two) == 1


class TestNobodyAnswers:
    @pytest.mark.parametrize("operation", ["ListPipelines", "GetPipeline"])
    def test_nothing_was_done(self, two: Scene, fail: Callable[..., None], operation: str) -> None:
        fail(
            operation,
            EndpointConnectionError(
                endpoint_url="https://codepipeline.eu-central-1.amazonaws.com/"
            ),
        )
        said = run(*ATTACH)
        assert (said.status, one_line(said)) == (
            255,
            "Error: Could not connect to the endpoint URL: "
            '"https://codepipeline.eu-central-1.amazonaws.com/"\n',
        )

    @pytest.mark.parametrize("after", [False, True])
    def test_whether_the_change_took_effect_the_next_call_tells(
        self, two: Scene, fail: Callable[..., None], monkeypatch: pytest.MonkeyPatch, after: bool
    ) -> None:
        fail("UpdatePipeline", ReadTimeoutError(endpoint_url="https://aws.invalid"), after=after)
        said = run(*ATTACH)
        assert said.status == 255
        assert (
            said.complaint
            == f"Error: codepipeline:UpdatePipeline was not answered (ReadTimeoutError). {UNKNOWN}"
        )
        monkeypatch.undo()
        assert ("has this gate already" in run(*ATTACH).out) is after
        assert version(two) == 2

    def test_ctrl_c_while_it_is_changed(self, two: Scene, fail: Callable[..., None]) -> None:
        fail("UpdatePipeline", KeyboardInterrupt(), after=True)
        said = run(*ATTACH)
        assert (said.status, said.complaint) == (130, f"Error: Stopped. {UNKNOWN}")

    def test_ctrl_c_after_that(self, two: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Place, "show", stop)
        said = run(*ATTACH)
        assert (said.status, said.complaint) == (
            130,
            "Error: Stopped. k8s was changed before that: it is at version 2 now. Run this "
            "command again, and it tells.",
        )
        assert version(two) == 2

    def test_ctrl_c_before_that(self, two: Scene, fail: Callable[..., None]) -> None:
        fail("ListPipelines", KeyboardInterrupt())
        said = run(*ATTACH)
        assert (said.status, said.complaint) == (130, "Stopped. Nothing was changed.")


@pytest.mark.parametrize(
    ("error", "status", "told"),
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
    two: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, told: str
) -> None:
    def look(*_: object) -> None:
        raise error

    monkeypatch.setattr(AccountReader, "read_view", look)
    said = run("holds")
    assert said.status == status
    assert one_line(said).startswith(f"Error: {told}")


def test_throttled_commands_say_later_wherever_it_is_noticed(
    two: Scene, fail: Callable[..., None]
) -> None:
    fail("ListRules", refused("ListRules", "ThrottlingException"))
    fail("ListPipelines", refused("ListPipelines", "InternalFailure"))
    assert [run(*words).status for words in (("holds",), ATTACH, ("release", "k8s", "--yes"))] == [
        255,
        255,
        255,
    ]


@pytest.mark.parametrize("command", ["attach", "detach", "explain", "release", "history"])
@pytest.mark.parametrize("name", ["", "two words"])
def test_what_is_no_name(two: Scene, command: str, name: str) -> None:
    said = run(
        command,
        name,
        *(("--depends-on", "infra") if command in ("attach", "history") else ()),
        "--json",
    )
    assert said.status == 252
    assert one_line(said).startswith("Error: ")


def test_nobody_to_ask(two: Scene) -> None:
    said = run(*ATTACH[:-1], typed="")
    assert said.status == 252
    assert (
        said.complaint
        == "Error: Nobody answers here, for standard input is closed or at its end: add --yes. "
        "Nothing was changed."
    )
    assert version(two) == 1


class TestTheProgram:
    def test_says_what_there_is(self) -> None:
        said = run("--help", columns=80)
        assert said.status == 0
        assert max(map(len, said.out.splitlines())) <= 80
        commands = said.out.partition("Commands:\n")[2]
        assert commands.splitlines()[0].startswith(
            "  attach      Give PIPELINE a gate, so that it waits for others."
        )

    @pytest.mark.parametrize("words", [(), ("attach",), ("detach",), ("completion",)])
    def test_each_help_fits(self, words: tuple[str, ...]) -> None:
        said = run(*words, "--help", columns=80)
        assert said.status == 0
        assert max(map(len, said.out.splitlines())) <= 80

    def test_its_version(self) -> None:
        said = run("--version")
        assert (said.status, said.out.startswith("gatectl ")) == (0, True)

    @pytest.mark.parametrize(
        "words",
        [
            ("atach",),
            ("attach",),
            ("attach", "k8s"),
            ("--no-such-option",),
            ("attach", "k8s", "--nothing"),
        ],
    )
    def test_wrong_use(self, words: tuple[str, ...]) -> None:
        said = run(*words)
        assert (said.status, said.out) == (252, "")
        assert said.err.startswith("Usage: gatectl")

    def test_without_a_command_it_shows_the_help(self) -> None:
        said = run()
        assert said.status == 252
        assert "Commands:" in said.out + said.err
