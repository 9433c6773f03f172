"""Why an upstream keeps a gate closed, word for word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.state import ActionState, PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording.reasons import describe_end_of_wait, describe_expected_end, describe_reasons

NOW = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC)
INFRA, SUCCEEDED, STAGE = (
    Dependency("infra"),
    Dependency("infra", require="succeeded"),
    Dependency("infra", stage="Net"),
)
HOLD = Hold(
    "a-rule",
    "infra",
    "x",
    (Dependency("net"), Dependency("dns", stage="Zone")),
    NOW - timedelta(days=1),
)


def run(
    status: str,
    minutes_ago: int,
    took: float = 0,
    id_: str = "1a2b3c4d-0000-4000-8000-000000000001",
) -> Execution:
    began = NOW - timedelta(minutes=minutes_ago)
    return Execution(id_, status, began, began + timedelta(minutes=took))


def stage(
    status: str,
    *actions: ActionState,
    inbound: bool = False,
    closed: bool = False,
    since: datetime | None = NOW,
) -> StageState:
    here = run("", 0).id
    return StageState(
        "Net",
        None if inbound else here,
        status,
        (here,) if inbound else (),
        closed,
        since if closed else None,
        actions,
    )


RUNNING = Upstream(INFRA, (run("InProgress", 3),))
ASKS = stage("InProgress", ActionState("Ask", "InProgress", NOW - timedelta(days=2), approval=True))
IS_RUNNING = "infra runs: execution 1a2b3c4d is InProgress since 12:01 UTC"


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        (RUNNING, f"{IS_RUNNING}."),
        (
            Upstream(INFRA, (run("Stopping", 2000),)),
            "infra runs: execution 1a2b3c4d is Stopping since 2026-01-04 02:44 UTC.",
        ),
        (replace(RUNNING, unanswered="throttled"), "Whether infra runs is not known: throttled."),
        (
            replace(RUNNING, state=PipelineState((ASKS,))),
            f"{IS_RUNNING} and waits for a person: the approval Ask in its stage Net is open "
            "since 2026-01-03 12:04 UTC.",
        ),
        (
            replace(RUNNING, state=PipelineState((stage("Succeeded", inbound=True, closed=True),))),
            f"{IS_RUNNING} and waits for a person: the transition into its stage Net is disabled "
            "since 12:04 UTC.",
        ),
        (
            replace(
                RUNNING, state=PipelineState((stage("", inbound=True, closed=True, since=None),))
            ),
            f"{IS_RUNNING} and waits for a person: the transition into its stage Net is disabled.",
        ),
        (
            Upstream(INFRA, (run("Failed", 3),), hold=HOLD),
            "infra is held itself since 2026-01-04 12:04 UTC, and will run again: it waits for "
            "net and dns's stage Zone.",
        ),
        (
            Upstream(SUCCEEDED, (run("Failed", 3, 1),)),
            "infra has not succeeded: its last execution 1a2b3c4d Failed at 12:02 UTC.",
        ),
        (
            Upstream(
                SUCCEEDED,
                (run("Failed", 3, 1),),
                hold=HOLD,
                cycle=Cycle(("k8s", "infra", "k8s"), deadlock=False),
            ),
            "infra has not succeeded: its last execution 1a2b3c4d Failed at 12:02 UTC.",
        ),
        (
            Upstream(SUCCEEDED, (run("Superseded", 3),)),
            "infra has not succeeded: it has never finished an execution.",
        ),
        (
            Upstream(
                replace(STAGE, require="succeeded"),
                (run("Failed", 3),),
                PipelineState((stage("Failed"),)),
            ),
            "infra's stage Net has not succeeded: it is Failed.",
        ),
        (
            Upstream(
                replace(STAGE, require="succeeded"),
                (),
                PipelineState((replace(stage(""), execution=None),)),
            ),
            "infra's stage Net has not succeeded: it has never run.",
        ),
        (
            Upstream(STAGE, (run("Failed", 3),), PipelineState((stage("InProgress"),))),
            "infra's stage Net runs.",
        ),
        (
            Upstream(
                Dependency("arn:aws:codepipeline:us-east-1:111122223333:infra"),
                (run("InProgress", 3),),
            ),
            "infra (us-east-1) runs: execution 1a2b3c4d is InProgress since 12:01 UTC.",
        ),
    ],
)
def test_why(upstream: Upstream, said: str) -> None:
    assert describe_reasons([upstream], NOW) == said


USUALLY_TEN = tuple(run("Succeeded", 100 * n, 10) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("began", "usually", "said"),
    [
        (3, USUALLY_TEN, " It usually takes 10 min, so until about 12:11 UTC."),
        (10, USUALLY_TEN, " It usually takes 10 min; this time it takes longer."),
        (600, USUALLY_TEN, " It usually takes 10 min; this time it takes longer."),
        (3, USUALLY_TEN[:2], ""),
        (
            0,
            tuple(run("Succeeded", 100 * n, 0.1) for n in (1, 2, 3)),
            " It usually takes 1 min, so until about 12:04 UTC.",
        ),
    ],
)
def test_how_long_still(began: int, usually: tuple[Execution, ...], said: str) -> None:
    sentence = describe_reasons([Upstream(INFRA, (run("InProgress", began), *usually))], NOW)
    assert sentence.partition(" UTC.")[2] == said


def test_who_waits_for_a_person_is_given_no_time() -> None:
    upstream = Upstream(INFRA, (run("InProgress", 3), *USUALLY_TEN), PipelineState((ASKS,)))
    assert "usually" not in describe_reasons([upstream], NOW)
    assert describe_expected_end([upstream], NOW) == ""


def test_of_one_stage_the_past_executions_tell_no_time() -> None:
    upstream = Upstream(
        STAGE, (run("InProgress", 3), *USUALLY_TEN), PipelineState((stage("InProgress"),))
    )
    assert (
        describe_reasons([upstream], NOW)
        == "infra's stage Net runs: execution 1a2b3c4d is InProgress since 12:01 UTC."
    )
    assert describe_expected_end([upstream], NOW) == ""


def test_each_has_its_sentence_and_of_many_the_rest_is_counted() -> None:
    assert (
        describe_reasons([RUNNING, Upstream(SUCCEEDED)], NOW)
        == f"{IS_RUNNING}. infra has not succeeded: it has never finished an execution."
    )
    assert describe_reasons([RUNNING] * 5, NOW).count("infra runs") == 5
    assert describe_reasons([RUNNING] * 7, NOW).endswith(". So do 2 more.")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([INFRA], "the end of infra, successful or not"),
        ([INFRA, STAGE], "the end of infra and infra's stage Net, successful or not"),
        ([SUCCEEDED], "the next success of infra"),
        (
            [Dependency("net"), SUCCEEDED],
            "the end of net, successful or not, and the next success of infra",
        ),
        (
            [Dependency("arn:aws:codepipeline:us-east-1:111122223333:infra")],
            "the end of infra (us-east-1), successful or not, if its events are forwarded to this "
            "region's event bus",
        ),
    ],
)
def test_what_is_awaited(wanted: list[Dependency], said: str) -> None:
    assert describe_end_of_wait([Upstream(one) for one in wanted]) == said


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        ([(3, USUALLY_TEN)], "Expected about 12:11 UTC. "),
        ([(3, USUALLY_TEN), (1, USUALLY_TEN)], "Expected about 12:13 UTC. "),
        ([(3, USUALLY_TEN), (1, ())], ""),
        ([(10, USUALLY_TEN)], ""),
        ([], ""),
    ],
)
def test_when_the_last_of_them_is_expected(
    waiting: list[tuple[int, tuple[Execution, ...]]], said: str
) -> None:
    assert (
        describe_expected_end(
            [Upstream(INFRA, (run("InProgress", began), *usually)) for began, usually in waiting],
            NOW,
        )
        == said
    )
