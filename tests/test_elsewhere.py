"""Upstreams in other regions and accounts. tests/test_docs.py runs the commands of
docs/elsewhere.md.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock, patch

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from chalicelib import runtime
from chalicelib.aws import other_accounts
from sandbox.account import ACCOUNT, REGION
from tests.support.ask import ask
from tests.support.calls import Calls
from tests.support.elsewhere import OTHER_ACCOUNT as OTHERS
from tests.support.elsewhere import THEIR_PIPELINE_ROLE, in_the_other_account
from tests.support.scene import Scene

THERE = "us-east-1"
INFRA = f"arn:aws:codepipeline:{THERE}:{ACCOUNT}:infra"
THEIR_INFRA = f"arn:aws:codepipeline:{THERE}:{OTHERS}:infra"


@pytest.fixture
def there(scene: Scene) -> Scene:
    """Another region, where infra runs until 12:10:02."""
    there = Scene(scene.world, region=THERE)
    there.pipeline("infra")
    there.start("infra")
    return there


def test_the_schedule_releases_the_hold_if_no_event_comes(scene: Scene, there: Scene) -> None:
    scene.gated("k8s", ask(INFRA))
    scene.start("k8s")
    assert f"infra ({THERE}) is running" in scene.gate_message()
    assert "forwarded" in scene.gate_message()
    scene.wait(minutes=14)
    assert scene.statuses() == ["Failed"]
    scene.wait(minutes=1)
    assert scene.statuses() == ["InProgress", "Failed"]


def test_a_pipeline_of_that_name_here_is_another(scene: Scene, there: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask("infra"))
    scene.start("k8s")
    assert scene.statuses() == ["InProgress"]


def test_the_arn_of_a_pipeline_here_is_as_good_as_its_name(scene: Scene) -> None:
    scene.pipeline("infra")
    scene.gated("k8s", ask(f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:infra"))
    scene.start("infra")
    scene.start("k8s")
    assert "forwarded" not in scene.gate_message()
    scene.wait(minutes=10)
    assert scene.statuses() == ["InProgress", "Failed"]


def test_one_that_is_not_there_is_named_with_its_place(scene: Scene) -> None:
    _, message = scene.refusal(ask(INFRA))
    assert f"in account {ACCOUNT}, region {THERE}" in message


def test_another_account_without_a_role_is_refused(scene: Scene) -> None:
    kind, message = scene.refusal(ask(THEIR_INFRA))
    assert kind == "ConfigurationError"
    assert "role_arn" in message


class TestARegionThatDoesNotExist:
    """A permanent error: a hold would wait forever."""

    NOWHERE = f"arn:aws:codepipeline:eu-centrall-1:{ACCOUNT}:infra"

    @pytest.fixture
    def name_server(self, monkeypatch: pytest.MonkeyPatch) -> Mock:
        """It knows no name that botocore does not know either."""
        resolve = Mock(side_effect=socket.gaierror(socket.EAI_NONAME, "no such name"))
        monkeypatch.setattr("chalicelib.aws.regions.socket.getaddrinfo", resolve)
        return resolve

    @pytest.mark.parametrize("region", ["eu-centrall-1", "mars-1", "cn-north-1", "us-gov-west-1"])
    def test_it_is_refused_without_a_call(
        self, scene: Scene, calls: Calls, name_server: Mock, region: str
    ) -> None:
        kind, message = scene.refusal(ask(INFRA.replace(THERE, region)))
        assert kind == "ConfigurationError"
        assert message.startswith(f"infra cannot be in region {region}: partition aws, which")
        assert "ListPipelineExecutions" not in calls.made

    @pytest.mark.parametrize("region", [THERE, REGION])
    def test_a_partition_that_is_not_the_gates_is_refused(self, scene: Scene, region: str) -> None:
        arn = INFRA.replace("arn:aws:", "arn:aws-cn:").replace(THERE, region)
        kind, message = scene.refusal(ask(arn))
        assert kind == "ConfigurationError"
        assert message.startswith("The ARN of infra begins with arn:aws-cn:, but the gate is in")

    def test_the_role_there_is_not_assumed(self, scene: Scene, name_server: Mock) -> None:
        role = f"arn:aws:iam::{OTHERS}:role/pipeline-gate-look"
        arn = THEIR_INFRA.replace(THERE, "mars-1")
        kind, _ = scene.refusal(ask({"pipeline": arn, "role_arn": role}))
        assert kind == "ConfigurationError"

    @pytest.mark.parametrize("answer", [None, socket.gaierror(socket.EAI_AGAIN, "try later")])
    def test_a_region_that_may_be_newer_than_botocore_is_read(
        self, scene: Scene, name_server: Mock, answer: Exception | None
    ) -> None:
        name_server.side_effect = answer
        scene.gated("k8s", ask(self.NOWHERE))
        with no_answer_from("eu-centrall-1"):
            scene.start("k8s")
        assert "could not check infra (eu-centrall-1)" in scene.gate_message()

    def test_a_region_that_is_down_is_waited_for(self, scene: Scene, name_server: Mock) -> None:
        scene.gated("k8s", ask(INFRA))
        with no_answer_from(THERE):
            scene.start("k8s")
        assert "could not check infra (us-east-1)" in scene.gate_message()
        name_server.assert_not_called()

    def test_an_older_gates_hold_ends(
        self, scene: Scene, name_server: Mock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(other_accounts, "has_codepipeline", lambda *_: True)
        scene.gated("k8s", ask(self.NOWHERE))
        with no_answer_from("eu-centrall-1"):
            scene.start("k8s")
        assert "could not check infra" in scene.gate_message()
        monkeypatch.undo()
        monkeypatch.setattr("chalicelib.aws.regions.socket.getaddrinfo", name_server)
        runtime.aws._other_accounts._clients.clear()
        scene.wait(minutes=6)
        assert scene.statuses() == ["Failed", "Failed"]
        assert scene.gate_message().startswith("infra cannot be in region eu-centrall-1")


@contextmanager
def no_answer_from(region: str) -> Iterator[None]:
    """CodePipeline is down in one region."""
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def make_api_call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if client.meta.region_name == region:
            raise EndpointConnectionError(endpoint_url=client.meta.endpoint_url)
        return real(client, operation, arguments)

    with patch.object(BaseClient, "_make_api_call", make_api_call):
        yield


class TestAnotherAccount:
    """The other account decides who may read it: its role names the gate's role, and an external
    id.
    """

    @pytest.fixture
    def entry(self, scene: Scene) -> dict[str, str]:
        """infra, which runs there, as an entry of depends_on."""
        theirs = in_the_other_account(scene, THERE)
        theirs.pipeline("infra", roleArn=THEIR_PIPELINE_ROLE)
        theirs.start("infra")
        role = f"arn:aws:iam::{OTHERS}:role/pipeline-gate-look"
        return {"pipeline": THEIR_INFRA, "role_arn": role, "external_id": "a-word-that-both-know"}

    def test_the_gate_reads_it_with_that_role(self, scene: Scene, entry: dict[str, str]) -> None:
        scene.gated("k8s", ask(entry))
        scene.start("k8s")
        assert f"infra ({THERE}, account {OTHERS})" in scene.gate_message()
        scene.wait(minutes=16)
        assert scene.statuses() == ["Succeeded", "Failed"]

    def test_a_session_serves_until_shortly_before_its_end(
        self, scene: Scene, entry: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assumed: list[str] = []
        elsewhere = runtime.aws._other_accounts
        real = elsewhere._assume_role

        def session(wanted: Any) -> Any:
            assumed.append(wanted.name)
            return real(wanted)

        elsewhere._clients.clear()
        monkeypatch.setattr(elsewhere, "_assume_role", session)
        scene.gated("k8s", ask(entry, hold="wait"))
        scene.start("k8s")
        scene.wait(minutes=9)
        assert assumed == ["infra"]
        scene.wait(minutes=120)
        assert scene.statuses() == ["Succeeded"]

    def test_no_credential_of_it_reaches_a_log_or_a_message(
        self, scene: Scene, entry: dict[str, str]
    ) -> None:
        scene.gated("k8s", ask(entry))
        scene.start("k8s")
        logs = boto3.client("logs").filter_log_events(
            logGroupName="/aws/lambda/pipeline-gate-dev-gate"
        )["events"]
        written = json.dumps([logs, scene.gate_action()], default=str)
        assert "a-word-that-both-know" not in written
        for room, _ in runtime.aws._other_accounts._clients.values():
            client: Any = room._client
            secret = client._request_signer._credentials
            assert secret.secret_key not in written
            assert secret.token not in written
