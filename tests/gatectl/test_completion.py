"""Tests of shell completion: commands, options, and the account's pipelines and stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ConnectTimeoutError

from gatectl.__main__ import COMMANDS
from sandbox.account import ACCOUNT, create_role
from tests.support.cli import complete, run
from tests.support.person import act_as_person
from tests.support.scene import Scene

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def account(scene: Scene) -> Scene:
    """infra, infra-dns and k8s here; apps in another region."""
    scene.pipeline("infra")
    scene.pipeline("infra-dns")
    scene.staged("k8s", ("Build", 5), ("Deploy", 5))
    Scene(scene.world, "us-east-1").staged("apps", ("Roll", 5))
    return scene


def plain(*values: str) -> list[str]:
    return [f"plain,{value}" for value in values]


class TestWithoutAws:
    @pytest.fixture(autouse=True)
    def no_aws(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("called AWS")

        monkeypatch.setattr(botocore.client.ClientCreator, "create_client", refuse)

    def test_commands(self) -> None:
        assert complete("gatectl ") == plain(*COMMANDS)
        assert complete("gatectl at") == plain("attach")

    def test_options_and_their_values(self) -> None:
        assert complete("gatectl attach k8s --dep") == plain("--depends-on")
        assert complete("gatectl attach k8s --hold ") == plain("restart", "retry", "wait")
        assert complete("gatectl completion ") == plain(*SHELLS)

    @pytest.mark.parametrize("shell", SHELLS)
    def test_in_the_format_of_each_shell(self, shell: str) -> None:
        assert any("--after" in line for line in complete("gatectl attach k8s --af", shell))


def test_pipelines(account: Scene) -> None:
    for command in ("attach", "detach", "explain", "release", "cancel", "history"):
        assert complete(f"gatectl {command} inf") == plain("infra", "infra-dns")
    assert complete("gatectl attach ") == plain("infra", "infra-dns", "k8s")
    assert complete("gatectl attach --region us-east-1 ") == plain("apps")


def test_aws_region_is_used_as_in_the_commands(
    account: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert complete("gatectl attach ") == plain("apps")
    assert complete("gatectl attach --region eu-central-1 k") == plain("k8s")


def test_each_shell_gets_the_names(account: Scene) -> None:
    for shell in SHELLS:
        assert [line for line in complete("gatectl attach k", shell) if "k8s" in line]


def test_upstreams_are_the_others_and_their_stages(account: Scene) -> None:
    assert complete("gatectl attach k8s --depends-on ") == plain("infra", "infra-dns")
    assert complete("gatectl attach infra --depends-on k") == plain("k8s")
    assert complete("gatectl attach infra --depends-on k8s/") == plain(
        "k8s/Source", "k8s/Build", "k8s/Deploy"
    )
    assert complete("gatectl attach infra --depends-on infra --depends-on k8s/De") == plain(
        "k8s/Deploy"
    )
    assert complete("gatectl attach infra --depends-on missing/") == []


def test_upstreams_after_a_comma_are_those_not_named_yet(account: Scene) -> None:
    assert complete("gatectl attach k8s --depends-on infra,in") == plain("infra,infra-dns")
    assert complete("gatectl attach k8s --depends-on infra,") == plain("infra,infra-dns")
    assert complete("gatectl attach infra --depends-on infra-dns,k8s/De") == plain(
        "infra-dns,k8s/Deploy"
    )
    assert complete("gatectl history k8s --depends-on infra-dns,inf") == plain("infra-dns,infra")


def test_stages_to_come_after(account: Scene) -> None:
    assert complete("gatectl attach k8s --depends-on infra --after ") == plain(
        "Source", "Build", "Deploy"
    )
    assert complete("gatectl attach k8s --after B") == plain("Build")
    assert complete("gatectl attach missing --after ") == []
    assert complete("gatectl attach --after ") == []


class TestWithoutAnAnswerFromAws:
    """Nothing is completed, and nothing is printed: `complete` checks that."""

    def test_not_set_up(self, account: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        assert complete("gatectl attach --profile missing ") == []
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert complete("gatectl attach ") == []
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        assert complete("gatectl attach ") == []

    def test_denied(self, account: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        act_as_person(monkeypatch, {"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
        assert complete("gatectl attach ") == []

    def test_a_profile_that_would_ask_for_a_code(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        role = f"role_arn = arn:aws:iam::{ACCOUNT}:role/admin\ncredential_source = Environment\n"
        config = tmp_path / "config"
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        config.write_text(f"[profile admin]\n{role}")
        anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        create_role("admin", "codepipeline.amazonaws.com").put_policy(
            "may", json.dumps({"Statement": [anything]})
        )
        assert complete("gatectl attach --profile admin ") == plain("infra", "infra-dns", "k8s")
        config.write_text(f"[profile admin]\n{role}mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/ann\n")
        assert complete("gatectl attach --profile admin ") == []

    def test_one_attempt_of_a_few_seconds(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configs: list[Any] = []
        real = botocore.client.ClientCreator.create_client

        def create_client(creator: Any, *arguments: Any, **keywords: Any) -> Any:
            configs.append(keywords["client_config"])
            client = real(creator, *arguments, **keywords)
            client.meta.events.register_first("before-send.codepipeline", no_answer)
            return client

        def no_answer(**_: object) -> None:
            sent.append(1)
            raise ConnectTimeoutError(endpoint_url="https://aws.invalid")

        sent: list[int] = []
        monkeypatch.setattr(botocore.client.ClientCreator, "create_client", create_client)
        assert complete("gatectl attach ") == []
        assert len(sent) == 1
        assert configs[0].connect_timeout + configs[0].read_timeout <= 3


class TestTheScript:
    @pytest.mark.parametrize("shell", SHELLS)
    def test_comes_from_click(self, shell: str) -> None:
        result = run("completion", shell)
        assert (result.status, result.err) == (0, "")
        assert f"_GATECTL_COMPLETE={shell}_complete" in result.out
        assert f"gatectl completion {shell}" in run("completion", "--help").out

    def test_another_shell_is_refused(self) -> None:
        result = run("completion", "tcsh")
        assert result.status == 252
        assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.complaint
