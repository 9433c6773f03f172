"""How often the Board reads AWS, what a reading costs, and what it shows if AWS does not answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from chalicelib.board.lookout import Lookout
from tests.support.scene import Scene


class Session(boto3.Session):
    """Clients whose calls are counted, and fail as a test says. `made` counts the sessions, because
    each reads the credentials again.
    """

    calls: ClassVar[list[str]] = []
    failure: Exception | None = None
    made = 0

    def __init__(self) -> None:
        super().__init__()
        Session.made += 1

    def client(self, *arguments: Any, **more: Any) -> Any:
        room: Any = super().client(*arguments, **more)
        room.meta.events.register("before-call", self._call)
        return room

    def _call(self, model: Any, **_: Any) -> None:
        Session.calls.append(model.name)
        if Session.failure:
            raise Session.failure


@pytest.fixture
def lookout() -> Lookout:
    Session.calls, Session.failure, Session.made = [], None, 0
    return Lookout(Session)


@pytest.fixture
def chain(scene: Scene) -> Scene:
    """The smallest chain: k8s is waiting for infra."""
    scene.pipeline("infra", seconds=3000)
    scene.k8s()
    scene.start("infra")
    scene.start("k8s")
    return scene


def test_reading_two_pipelines_and_a_hold_costs_seven_calls(chain: Scene, lookout: Lookout) -> None:
    lookout.ask()
    chain.wait(minutes=1)
    Session.calls = []
    lookout.ask()
    each = ["GetPipelineState", "ListPipelineExecutions"]
    assert sorted(Session.calls) == sorted(
        [*each, *each, "ListPipelines", "ListRules", "ListTargetsByRule"]
    )


def test_one_reading_in_five_seconds_serves_all_pages(chain: Scene, lookout: Lookout) -> None:
    first = lookout.ask()
    assert first.ask_again == timedelta(seconds=5)
    Session.calls = []
    chain.wait(seconds=3)
    assert lookout.ask().looked_at == first.looked_at
    assert lookout.ask().ask_again == timedelta(seconds=2)
    assert Session.calls == []
    chain.wait(seconds=2)
    assert lookout.ask().looked_at != first.looked_at


def test_a_large_account_gets_at_most_four_calls_per_second(scene: Scene, lookout: Lookout) -> None:
    scene.pipeline("infra")
    for number in range(30):
        scene.gated(f"app-{number}", {"depends_on": ["infra"]})
    lookout.ask()
    scene.wait(minutes=1)
    Session.calls = []
    answer = lookout.ask()
    assert len(Session.calls) == 2 + 31
    assert answer.ask_again == timedelta(seconds=33 / 4)


def test_what_has_not_changed_looks_the_same_whenever_it_was_read(
    chain: Scene, lookout: Lookout
) -> None:
    first = lookout.ask()
    chain.wait(seconds=10)
    second = lookout.ask()
    assert (second.state, second.looked_at != first.looked_at) == (first.state, True)


def test_if_aws_does_not_answer_the_last_reading_stays_and_the_pauses_grow(
    chain: Scene, lookout: Lookout
) -> None:
    before = lookout.ask()
    Session.failure = EndpointConnectionError(endpoint_url="https://aws.invalid")
    chain.wait(seconds=5)
    pauses = []
    for _ in range(5):
        answer = lookout.ask()
        pauses.append(answer.ask_again.total_seconds())
        chain.wait(seconds=answer.ask_again.total_seconds())
    assert pauses == [10, 20, 40, 60, 60]
    assert (answer.state["seen"], answer.looked_at) == (before.state["seen"], before.looked_at)
    assert "was not answered (EndpointConnectionError)" in answer.state["problem"]
    Session.failure = None
    answer = lookout.ask()
    assert (answer.state["problem"], answer.ask_again) == (None, timedelta(seconds=5))


def aws_says(code: str, message: str = "not authorized") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ListPipelines")


@pytest.mark.parametrize(
    ("failure", "said", "renewed"),
    [
        (NoCredentialsError(), "Configure it as for the AWS CLI: run aws configure,", True),
        (aws_says("ExpiredTokenException"), "(ExpiredTokenException). Renew them", True),
        (aws_says("AccessDeniedException", "not yours"), "(not yours). Allow this call", True),
        (aws_says("ThrottlingException"), "was not answered (ThrottlingException).", False),
        (aws_says("ValidationException", "secret"), "itself failed (codepipeline:List", False),
        (ZeroDivisionError("secret"), "itself failed (ZeroDivisionError).", False),
    ],
)
def test_a_failure_says_what_to_do_and_new_credentials_are_used_automatically(
    chain: Scene,
    lookout: Lookout,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    said: str,
    *,
    renewed: bool,
) -> None:
    Session.failure = failure
    problem = lookout.ask().state["problem"]
    assert said in problem
    logged = capsys.readouterr().out
    assert "secret" not in problem + logged
    assert ('"decision": "defect"' in logged) == ("itself" in said)
    Session.failure = None
    chain.wait(minutes=1)
    assert lookout.ask().state["problem"] is None
    assert Session.made == (2 if renewed else 1)


@pytest.mark.usefixtures("scene")
def test_a_missing_region_is_said(monkeypatch: pytest.MonkeyPatch, lookout: Lookout) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    answer = lookout.ask()
    assert "You must specify a region." in answer.state["problem"]
    assert (answer.state["seen"], answer.looked_at) == (None, None)
