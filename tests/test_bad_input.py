"""Whatever an action, a job or an invocation holds: one clear result or one clear error, and never
a rule from bad input.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import given
from hypothesis import strategies as st
from moto.awslambda.models import LambdaFunction

import app
from chalicelib import runtime
from chalicelib.errors import RefusedInput
from chalicelib.holds.mode import MODES
from chalicelib.parameters import ON_GIVE_UP, RETRY_MINUTES, REVISIONS
from chalicelib.pipelines.dependency import PARKED, REQUIRE
from sandbox.account import ACCOUNT, REGION
from sandbox.executor import Invocation, RunOutcome
from sandbox.inprocess import ChaliceExecutor, in_process
from sandbox.world import Dials
from tests.support.calls import Calls
from tests.support.scene import EXECUTION, Scene

MISSING = object()
DEEP = json.loads("[" * 900 + "]" * 900)
UUID = "5e6f7a8b-0000-4000-8000-000000000001"

RIGHT = re.compile(
    r"infra|k8s|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)  # Hypothesis knows the code's own strings, these too
texts = st.text(st.characters(exclude_categories=()), max_size=200).filter(
    lambda text: not RIGHT.search(text)
)
"""With surrogates and control characters."""
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
no_texts = values.filter(lambda value: not isinstance(value, str))
monsters = st.sampled_from(
    [
        *("9" * 5000, "-" + "9" * 4000, "1e999", "NaN", '"' + "x" * 50_000 + '"'),
        *("[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900),
    ]
)
"""JSON that is hard to read or to repeat."""

moments = st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "0001-01-05", "9999-12-31T23:59:00-14:00", "9999-12-31"]
)
"""Of any year: few of them are when a hold can have begun."""

LETTERS = string.ascii_letters + string.digits + ".@-_"  # model: PipelineName


def names(shortest: int = 1, longest: int = 100) -> st.SearchStrategy[str]:
    """Names of pipelines that do not exist."""
    return st.text(LETTERS, min_size=shortest, max_size=longest).filter(
        lambda name: name not in {"infra", "k8s"}
    )


no_names = names(101, 300) | texts.filter(
    lambda text: not 0 < len(text) <= 100 or not set(text) <= set(LETTERS)
)


@st.composite
def nearly_right(draw: st.DrawFn) -> str:
    """The documented parameters, as JSON, with one thing wrong."""
    no_upstreams = values.filter(lambda value: not isinstance(value, (str, list)))
    wrong_entry = {
        "pipeline": no_texts | no_names,
        "require": values.filter(lambda value: value not in REQUIRE),
        "parked": values.filter(lambda value: value not in PARKED),
        "stage": no_texts | no_names,
        "role_arn": no_texts | texts,
        "external_id": values,
    }
    entry = st.sampled_from(sorted(wrong_entry)).flatmap(
        lambda key: wrong_entry[key].map(lambda value: {"pipeline": "infra", key: value})
    )
    wrong: dict[str, st.SearchStrategy[object]] = {
        "depends_on": no_upstreams
        | no_names
        | st.lists(no_texts | no_names | entry, max_size=5)
        | entry
        | st.just(["infra", "k8s"]),
        "retry_minutes": values.filter(
            lambda value: isinstance(value, (bool, float)) or value not in RETRY_MINUTES
        ),
        "require": values.filter(lambda value: value not in REQUIRE),
        "parked": values.filter(lambda value: value not in PARKED),
        "hold": values.filter(lambda value: value not in [*MODES]),
        "revisions": values.filter(lambda value: value not in REVISIONS),
        "give_up_minutes": values.filter(
            lambda value: (
                isinstance(value, (bool, float))
                or not isinstance(value, int)
                or not 0 < value < 20161
            )
        ),
        "on_give_up": values | st.sampled_from(ON_GIVE_UP),
        "bypass": values.filter(lambda value: value not in ("true", "false")),
        "observe": values.filter(lambda value: not isinstance(value, bool)),
        "pipeline": no_texts | no_names | st.just("infra"),
        "execution": no_texts
        | texts
        | st.sampled_from([EXECUTION, UUID.upper(), UUID + "\n", UUID[:-1], UUID + "0"]),
    }
    key = draw(st.sampled_from(sorted(wrong)) | texts)
    text = json.dumps({"depends_on": ["infra"], "pipeline": "k8s", "execution": UUID, key: "HERE"})
    return text.replace('"HERE"', draw(wrong.get(key, values).map(json.dumps) | monsters))


HERE, THERE = (
    f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:",
    f"arn:aws:codepipeline:us-east-1:{ACCOUNT}:",
)
entries = st.fixed_dictionaries(
    {
        "pipeline": st.sampled_from(
            ["infra", "idle", f"{HERE}infra", f"{HERE}idle", "nowhere", f"{THERE}infra"]
        )
    },
    optional={
        "require": st.sampled_from(REQUIRE),
        "parked": st.sampled_from(PARKED),
        "stage": st.sampled_from(["Deploy", "Source", "Other"]),
    },
)
right = st.fixed_dictionaries(
    {
        "depends_on": entries
        | st.lists(entries | st.sampled_from(["infra", "idle"]), min_size=1, max_size=7)
    },
    optional={
        "require": st.sampled_from(REQUIRE),
        "parked": st.sampled_from(PARKED),
        "hold": st.sampled_from([*MODES]),
        "revisions": st.sampled_from(REVISIONS),
        "retry_minutes": st.sampled_from(RETRY_MINUTES),
        "give_up_minutes": st.integers(1, 20160),
        "bypass": st.sampled_from(["true", "false"]),
        "observe": st.booleans(),
    },
)
"""What an action may ask for: infra runs, idle is idle, there is no stage Other, and no pipeline
nowhere, nor any in another region.
"""


class Intercepted(ChaliceExecutor):
    """Keeps the gate's jobs back, so that a test can alter them and hand them over itself."""

    def __init__(self) -> None:
        super().__init__(app, Path(__file__).parents[1])
        self.jobs: list[dict[str, Any]] = []

    def run(self, function: LambdaFunction, invocation: Invocation) -> RunOutcome:
        """See Executor.run."""
        self.jobs.append(json.loads(invocation.payload))
        return RunOutcome("null", None, "")


@dataclass
class Account:
    """infra runs for months. Any number of executions of k8s wait for the answers to their jobs,
    independently of each other.
    """

    scene: Scene
    calls: Calls
    jobs: list[dict[str, Any]]
    functions: Client = field(default_factory=lambda: Client(app.app))

    def job(self) -> tuple[str, dict[str, Any]]:
        """A new execution of k8s and its job. There is no rule yet, and no call has been made."""
        for rule in self.scene.rules():
            self.scene.events.remove_targets(Rule=rule, Ids=["retry"])
            self.scene.events.delete_rule(Name=rule)
        execution = self.scene.codepipeline.start_pipeline_execution(name="k8s")[
            "pipelineExecutionId"
        ]
        self.scene.wait(seconds=3)
        self.calls.made.clear()
        return execution, self.jobs.pop()

    def answer(self, execution: str, job: object) -> tuple[str, str]:
        """The type and the message with which the gate fails the job: one answer, in words for
        people.
        """
        self.functions.lambda_.invoke("gate", job)
        assert [call for call in self.calls.made if call.startswith("PutJob")] == [
            "PutJobFailureResult"
        ]
        attempts = self.scene.codepipeline.list_action_executions(
            pipelineName="k8s", filter={"pipelineExecutionId": execution}
        )
        gate = next(one for one in attempts["actionExecutionDetails"] if one["stageName"] == "Gate")
        error = gate["output"]["executionResult"]["errorDetails"]
        assert_for_people(error["message"])
        return error["code"], error["message"]

    def refusal(self, parameters: str) -> str:
        """The message for an action with these parameters. The gate only reads from AWS whether its
        upstreams exist.
        """
        execution, job = self.job()
        configuration(job)["UserParameters"] = parameters
        kind, message = self.answer(execution, job)
        assert kind == "ConfigurationError"
        assert set(self.calls.made) <= {
            "ListPipelineExecutions",
            "PutJobFailureResult",
        }  # so no rule was made
        return message

    def kept(self, execution: str) -> dict[str, Any]:
        """The hold of an execution, from its rule's target."""
        (target,) = self.scene.events.list_targets_by_rule(Rule=f"pipeline-gate-dev-{execution}")[
            "Targets"
        ]
        hold: dict[str, Any] = json.loads(target["Input"])
        return hold

    def refused(self, function: str, event: object) -> None:
        """An event that the function does not serve gives an error for people, and no AWS call."""
        self.calls.made.clear()
        with pytest.raises(RefusedInput) as error:
            self.functions.lambda_.invoke(function, event)
        assert_for_people(str(error.value))
        assert self.calls.made == []


def configuration(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    return found


def assert_for_people(message: str) -> None:
    assert 1 <= len(message) <= 5000  # model: Message
    assert message.isascii()
    assert message.isprintable()  # so it is one line
    for internal in ("Traceback", "The gate itself failed", "object at 0x", "Error(", "sys."):
        assert internal not in message


@pytest.fixture(scope="class")
def account() -> Iterator[Account]:
    executor = Intercepted()
    with (
        in_process(executor, dials=Dials(start_on_create=False, action_seconds=1)) as world,
        Calls(runtime.aws) as calls,
    ):
        scene = Scene(world)
        scene.pipeline("infra", seconds=100 * 24 * 3600)
        scene.start("infra")
        scene.pipeline("idle")
        scene.k8s(mode="PARALLEL")
        yield Account(scene, calls, executor.jobs)


class TestParameters:
    """The messages for an action's author. infra is running, so valid parameters would create a
    hold.
    """

    @given(text=texts | values.map(json.dumps) | monsters)
    def test_anything(self, account: Account, text: str) -> None:
        account.refusal(text)

    @given(text=nearly_right())
    def test_one_thing_wrong(self, account: Account, text: str) -> None:
        account.refusal(text)


class TestJobs:
    @given(
        event=values
        | st.fixed_dictionaries(
            {"CodePipeline.job": values | st.fixed_dictionaries({"id": values, "data": values})}
        )
    )
    def test_what_is_no_job_is_refused(self, account: Account, event: object) -> None:
        account.refused("gate", event)

    @given(
        place=st.sampled_from(
            [
                "accountId",
                "data",
                "data.continuationToken",
                "data.actionConfiguration",
                "data.actionConfiguration.configuration",
            ]
        ),
        value=values | monsters,
        upstream=st.sampled_from(["infra", "nowhere"]),
    )
    def test_a_job_whose_data_is_odd_has_its_answer(
        self, account: Account, place: str, value: object, upstream: str
    ) -> None:
        execution, job = account.job()
        configuration(job)["UserParameters"] = json.dumps(
            {"depends_on": upstream, "pipeline": "k8s", "execution": execution}
        )
        *way, last = place.split(".")
        inner = job["CodePipeline.job"]
        for key in way:
            inner = inner[key]
        inner[last] = value
        kind, message = account.answer(execution, job)
        if (
            place in ("accountId", "data.continuationToken") and upstream == "infra"
        ):  # nothing that a hold needs
            assert (kind, account.scene.rules()) == (
                "JobFailed",
                [f"pipeline-gate-dev-{execution}"],
            )
            assert message.endswith("[pipeline-gate/1 held]")
        else:
            assert (kind, account.scene.rules()) == ("ConfigurationError", [])

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"hold": "wait"},
            {"hold": "wait", "give_up_minutes": 20160},
            {"give_up_minutes": 1, "on_give_up": "continue"},
        ],
    )
    @given(token=moments | texts | monsters)
    def test_a_job_whose_token_is_odd_is_held_given_up_or_passed(
        self, account: Account, more: dict[str, Any], token: str
    ) -> None:
        execution, job = account.job()
        asked = {
            "depends_on": {"pipeline": "infra", "require": "idle"},
            "pipeline": "k8s",
            "execution": execution,
            **more,
        }
        configuration(job)["UserParameters"] = json.dumps(asked)
        job["CodePipeline.job"]["data"]["continuationToken"] = token
        decided = account.functions.lambda_.invoke("gate", job).payload["decision"]
        assert decided in ("held", "still held", "gave up")
        assert len([call for call in account.calls.made if call.startswith("PutJob")]) == 1
        assert len(account.scene.rules()) == (
            1 if "PutJobFailureResult" in account.calls.made and decided != "gave up" else 0
        )
        if "PutJobSuccessResult" in account.calls.made:  # 50 run at once at most
            account.scene.codepipeline.stop_pipeline_execution(
                pipelineName="k8s", pipelineExecutionId=execution, abandon=True
            )

    @given(asked=right, since=st.none() | st.just("2026-11-23T11:00:00+00:00") | moments)
    def test_what_may_be_asked_has_one_answer_and_a_hold_if_need_be(
        self, account: Account, asked: dict[str, Any], since: str | None
    ) -> None:
        execution, job = account.job()
        configuration(job)["UserParameters"] = json.dumps(
            {**asked, "pipeline": "k8s", "execution": execution}
        )
        if since:
            job["CodePipeline.job"]["data"]["continuationToken"] = since
        record = account.functions.lambda_.invoke("gate", job).payload
        (answer,) = [call for call in account.calls.made if call.startswith("PutJob")]
        assert record["decision"] in {
            "passed",
            "released",
            "held",
            "still held",
            "refused",
            "bypassed",
            "observed",
            "gave up",
        }
        held = record["decision"] in ("held", "still held")
        held_by_rule = held and answer == "PutJobFailureResult"
        assert account.scene.rules() == ([f"pipeline-gate-dev-{execution}"] if held_by_rule else [])
        if asked.get("observe") or asked.get("bypass") == "true":
            assert answer == "PutJobSuccessResult"
        if "PutJobSuccessResult" in account.calls.made:  # 50 run at once at most
            account.scene.codepipeline.stop_pipeline_execution(
                pipelineName="k8s", pipelineExecutionId=execution, abandon=True
            )
        assert_for_people(record.get("reason") or record["summary"])


@pytest.fixture(scope="class")
def hold(account: Account) -> dict[str, Any]:
    """What an event says of a hold that stands."""
    execution, job = account.job()
    account.functions.lambda_.invoke("gate", job)
    return account.kept(execution)


class TestRetry:
    @given(event=values | st.fixed_dictionaries({"rule": values}, optional={"pipeline": values}))
    def test_what_names_no_hold_is_refused(self, account: Account, event: object) -> None:
        account.refused("retry", event)

    @given(
        key=st.sampled_from(
            [
                "pipeline",
                "execution",
                "depends_on",
                "since",
                "variables",
                "mode",
                "revisions",
                "give_up",
                "on_give_up",
            ]
        ),
        value=values
        | st.lists(texts | names(), min_size=1)
        | st.sampled_from([MISSING, DEEP, "0001-01-01T00:00:00+14:00", "9999-12-31"]),
    )
    def test_a_hold_stays_as_it_is_whatever_else_an_event_says_of_it(
        self, account: Account, hold: dict[str, Any], key: str, value: object
    ) -> None:
        account.calls.made.clear()
        event = {name: one for name, one in {**hold, key: value}.items() if one is not MISSING}
        assert account.functions.lambda_.invoke("retry", event).payload["decision"] == "waiting"
        assert set(account.calls.made) <= {
            "ListPipelineExecutions",
            "ListTargetsByRule",
            "ListActionExecutions",
        }
        assert account.kept(hold["execution"]) == hold

    @given(since=moments, give_up=moments)
    def test_a_check_copes_with_any_time_in_an_event(
        self, account: Account, hold: dict[str, Any], since: str, give_up: str
    ) -> None:
        """The check calculates with the times of the event, and reads far back in the history if
        the wait seems to have ended.
        """
        event = {**hold, "depends_on": ["nowhere"], "since": since, "give_up": give_up}
        assert account.functions.lambda_.invoke("retry", event).payload["decision"] == "waiting"
        assert account.kept(hold["execution"]) == hold
