"""Every sentence of the console and of errors, word for word, because people have to act on them.
Other tests check a verdict, a log line or one phrase.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib import phrases
from chalicelib.deployment import Deployment, refuse_long_stage
from chalicelib.errors import Misconfigured, RefusedInput, UnexpectedAnswer
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import build_pattern, read_date, read_rule_name
from chalicelib.holds.schedule import Schedule
from chalicelib.job import Job
from chalicelib.parameters import (
    parse_parameters,
    refuse_closed_accounts,
    refuse_other_partitions,
)
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import Execution
from chalicelib.pipelines.state import ActionState, PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording import held_pipeline, open_gate, refusals
from chalicelib.wording.reasons import describe_end_of_wait, describe_expected_end, describe_reasons
from tests.support.samples import DEADLINE, HOLD, INFRA, NOW

RUN = INFRA.executions[0].id
ARN = "arn:aws:codepipeline:us-east-1:111122223333:infra"
NET, SUCCEEDED, STAGE = (
    Dependency("net"),
    Dependency("infra", require="succeeded"),
    Dependency("infra", stage="Net"),
)


def ran(status: str, minutes_ago: float, took: float = 0, id_: str = RUN) -> Execution:
    began = NOW - timedelta(minutes=minutes_ago)
    return Execution(id_, status, began, began + timedelta(minutes=took))


def stage(
    status: str,
    *actions: ActionState,
    execution: str | None = RUN,
    inbound: bool = False,
    disabled_since: datetime | None = None,
) -> StageState:
    """The stage Net of infra. `inbound`: the execution waits to enter it."""
    return StageState(
        "Net",
        None if inbound else execution,
        status,
        (RUN,) if inbound else (),
        inbound,
        disabled_since,
        actions,
    )


def at_net(dependency: Dependency, execution: Execution, *stages: StageState) -> Upstream:
    return Upstream(dependency, (execution,), PipelineState(stages))


RUNNING, FAILED = ran("InProgress", 3), ran("Failed", 3, 1)
ASKS = stage("InProgress", ActionState("Ask", "InProgress", NOW - timedelta(days=2), approval=True))
SILENT = Upstream(NET, unanswered="throttled")
HELD = replace(HOLD, depends_on=(NET, Dependency("dns", stage="Zone")))
EARLIER = NOW - timedelta(hours=2)
RUNS = "infra is running: execution 1a2b3c4d has been InProgress since 12:01 UTC"


# Why an upstream keeps a gate closed, and what is awaited

REASONS: list[tuple[Upstream, str]] = [
    (INFRA, f"{RUNS}."),
    (
        Upstream(INFRA.dependency, (ran("Stopping", 2000),)),
        "infra is running: execution 1a2b3c4d has been Stopping since 2026-01-04 02:44 UTC.",
    ),
    (
        Upstream(Dependency(ARN), (RUNNING,)),
        "infra (us-east-1) is running: execution 1a2b3c4d has been InProgress since 12:01 UTC.",
    ),
    (replace(INFRA, unanswered="throttled"), "The gate could not check infra: throttled."),
    (
        replace(INFRA, state=PipelineState((ASKS,))),
        f"{RUNS} and is waiting for a person: the approval Ask in its stage Net has been open "
        "since 2026-01-03 12:04 UTC.",
    ),
    (
        replace(INFRA, state=PipelineState((stage("", inbound=True, disabled_since=NOW),))),
        f"{RUNS} and is waiting for a person: the transition into its stage Net has been disabled "
        "since 12:04 UTC.",
    ),
    (
        replace(INFRA, state=PipelineState((stage("", inbound=True),))),
        f"{RUNS} and is waiting for a person: the transition into its stage Net is disabled.",
    ),
    (
        Upstream(INFRA.dependency, (FAILED,), hold=HELD),
        "infra is held too, and will run again: it has been waiting for net and dns's stage Zone "
        "since 12:04 UTC.",
    ),
    (
        Upstream(
            SUCCEEDED, (FAILED,), hold=HELD, cycle=Cycle(("k8s", "infra", "k8s"), deadlock=False)
        ),
        "infra has not succeeded: its last execution 1a2b3c4d Failed at 12:02 UTC.",
    ),
    (
        Upstream(SUCCEEDED, (ran("Superseded", 3),)),
        "infra has not succeeded: it has never finished an execution.",
    ),
    (
        at_net(replace(STAGE, require="succeeded"), FAILED, stage("Failed")),
        "infra's stage Net has not succeeded: its status is Failed.",
    ),
    (
        at_net(replace(STAGE, require="succeeded"), FAILED, stage("", execution=None)),
        "infra's stage Net has not succeeded: it has never run.",
    ),
    (
        at_net(STAGE, FAILED, stage("InProgress")),
        "infra's stage Net is running: execution 1a2b3c4d is InProgress.",
    ),
    (
        Upstream(INFRA.dependency, (ran("Cancelled", 3, 2),), read_at=NOW),
        "infra counts as running until 12:05 UTC: its execution 1a2b3c4d was cancelled at 12:03 "
        "UTC because the pipeline was edited, and will probably be started again.",
    ),
    (
        Upstream(SUCCEEDED, (replace(ran("Succeeded", 3, 1), kind="ROLLBACK"),)),
        "infra was rolled back at 12:02 UTC (execution 1a2b3c4d): what was pushed has not "
        "succeeded.",
    ),
    (
        at_net(
            replace(STAGE, require="succeeded"),
            ran("Succeeded", 3, 1, "another-id"),
            replace(stage("Succeeded"), kind="ROLLBACK"),
        ),
        "infra's stage Net was rolled back (execution 1a2b3c4d): what was pushed has not "
        "succeeded.",
    ),
    (
        Upstream(SUCCEEDED, (ran("Stopped", 3, 1),)),
        "infra has not succeeded: its last execution 1a2b3c4d Stopped at 12:02 UTC (if its actions "
        "were abandoned, they may still be working).",
    ),
    (
        at_net(replace(STAGE, require="succeeded"), FAILED, stage("Stopped")),
        "infra's stage Net has not succeeded: its status is Stopped (if its actions were "
        "abandoned, they may still be working).",
    ),
]


@pytest.mark.parametrize(("upstream", "sentence"), REASONS)
def test_why_a_gate_is_closed(upstream: Upstream, sentence: str) -> None:
    assert describe_reasons([upstream], NOW) == sentence


def test_of_many_reasons_the_last_are_counted() -> None:
    assert describe_reasons([INFRA] * 5, NOW) == " ".join([f"{RUNS}."] * 5)
    assert describe_reasons([INFRA] * 7, NOW) == " ".join([f"{RUNS}."] * 5) + (
        " 2 more also keep it waiting."
    )


USUALLY_TEN = tuple(ran("Succeeded", 100 * n, 10) for n in (1, 2, 3))
USUALLY_SECONDS = tuple(ran("Succeeded", 100 * n, 0.1) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("began", "usually", "sentence", "expected"),
    [
        (
            3,
            USUALLY_TEN,
            (" It usually takes 10 min, so it should finish at about 12:11 UTC."),
            "12:11",
        ),
        (10, USUALLY_TEN, " It usually takes 10 min; this time it is taking longer.", ""),
        (600, USUALLY_TEN, " It usually takes 10 min; this time it is taking longer.", ""),
        (3, USUALLY_TEN[:2], "", ""),
        (
            0,
            USUALLY_SECONDS,
            (" It usually takes 1 min, so it should finish at about 12:04 UTC."),
            "12:04",
        ),
    ],
)
def test_how_long_still(
    began: int, usually: tuple[Execution, ...], sentence: str, expected: str
) -> None:
    upstream = Upstream(INFRA.dependency, (ran("InProgress", began), *usually))
    assert describe_reasons([upstream], NOW).partition(" UTC.")[2] == sentence
    assert describe_expected_end([upstream], NOW) == (
        f"Expected to end at about {expected} UTC. " if expected else ""
    )


def test_of_several_the_last_one_tells_the_end_if_each_has_one() -> None:
    first, last, unknown = (
        Upstream(INFRA.dependency, (ran("InProgress", began), *usually))
        for began, usually in ((3, USUALLY_TEN), (1, USUALLY_TEN), (1, ()))
    )
    assert describe_expected_end([first, last], NOW) == "Expected to end at about 12:13 UTC. "
    assert describe_expected_end([first, unknown], NOW) == describe_expected_end([], NOW) == ""


@pytest.mark.parametrize(
    ("dependency", "stage_state"), [(INFRA.dependency, ASKS), (STAGE, stage("InProgress"))]
)
def test_an_approval_or_a_single_stage_has_no_estimate(
    dependency: Dependency, stage_state: StageState
) -> None:
    upstream = Upstream(dependency, (RUNNING, *USUALLY_TEN), PipelineState((stage_state,)))
    assert "usually" not in describe_reasons([upstream], NOW)
    assert describe_expected_end([upstream], NOW) == ""
    assert not upstream.foreseeable


@pytest.mark.parametrize(
    ("dependencies", "end"),
    [
        ([INFRA.dependency, STAGE], "infra and infra's stage Net finish (successfully or not)"),
        ([SUCCEEDED], "infra succeeds"),
        ([NET, SUCCEEDED], "net finishes (successfully or not) and infra succeeds"),
        (
            [Dependency(ARN)],
            "infra (us-east-1) finishes (successfully or not), if its events are forwarded to "
            "this region's event bus",
        ),
    ],
)
def test_what_is_awaited(dependencies: list[Dependency], end: str) -> None:
    assert describe_end_of_wait([Upstream(dependency) for dependency in dependencies]) == end


# The gate's action, and a rule's description


def describe_hold(
    minutes: int = 5, revisions: str = "", execution_mode: str = "SUPERSEDED", **changes: object
) -> str:
    hold, schedule = replace(HOLD, **changes), Schedule.begin(NOW, minutes)  # type: ignore[arg-type]
    return held_pipeline.describe_hold(
        [INFRA, SILENT], hold, schedule, NOW, revisions, execution_mode
    )


ANN = phrases.describe_person("arn:aws:iam::123456789012:user/ann", 'the "old" cluster')
WHY = f"{RUNS}. The gate could not check net: throttled."
TO_GO_ON = (
    "To continue now anyway, run: gatectl release k8s. To stop waiting, run: gatectl cancel k8s."
)
MESSAGES: list[tuple[str, str]] = [
    (
        describe_hold(),
        f"k8s has been waiting for infra and net since 12:04 UTC. {WHY} This execution failed on "
        "purpose: k8s starts again automatically within seconds after infra and net finish "
        "(successfully or not), unless a newer execution of k8s starts first. Pipeline Gate also "
        "checks every 5 minutes, next at 12:09 UTC. "
        f"You do not need to do anything. {TO_GO_ON}",
    ),
    (
        held_pipeline.describe_wait([INFRA], "k8s", EARLIER, None, "stop", NOW),
        f"k8s has been waiting for infra since 10:04 UTC. {RUNS}. Last checked at 12:04 UTC; the "
        f"gate keeps checking until the wait ends. {TO_GO_ON}",
    ),
    (
        held_pipeline.describe_wait([INFRA], "k8s", EARLIER, DEADLINE, "continue", NOW),
        f"k8s has been waiting for infra since 10:04 UTC. {RUNS}. If that has not happened by "
        "14:04 UTC, the pipeline continues anyway. Last checked at 12:04 UTC; the gate keeps "
        f"checking until the wait ends. {TO_GO_ON}",
    ),
    (
        held_pipeline.describe_wait([INFRA], "k8s", EARLIER, None, "stop", NOW, "commit 1a2b3c4"),
        f"k8s has been waiting for infra since 10:04 UTC. {RUNS}. Last checked at 12:04 UTC; the "
        "gate keeps checking until the wait ends. Then k8s continues with commit 1a2b3c4. "
        f"{TO_GO_ON}",
    ),
    (
        held_pipeline.describe_give_up([INFRA], EARLIER, NOW),
        "Gave up waiting for infra: the wait began at 10:04 UTC, and give_up_minutes is over. "
        f"{RUNS}. Nothing starts automatically anymore. To wait again, retry this stage.",
    ),
    (
        held_pipeline.describe_cancellation(["infra", "net"], [INFRA], ANN, EARLIER, NOW),
        f"Canceled by {ANN}. It had been waiting for infra and net since 10:04 UTC. {RUNS}. "
        "Nothing starts automatically. To check again, retry this stage.",
    ),
    (
        held_pipeline.describe_deadlock(Cycle(("k8s", "infra", "net", "k8s"), deadlock=True)),
        "Deadlock: k8s waits for infra, which waits for net, which waits for k8s. Each has to "
        "continue before the other can, so this wait would never end. To break the cycle, remove "
        'one of these pipelines from the other\'s depends_on, or use "require": "idle".',
    ),
    (
        held_pipeline.describe_full_quota([INFRA], NOW),
        f"{RUNS}. No EventBridge rule is available (the default quota is 300 per region), so this "
        "action stays in progress, and the gate keeps checking. Remove rules that are not "
        "needed, or ask AWS for a higher quota.",
    ),
    (
        held_pipeline.describe_rule(HELD, [], NOW),
        "Since 2026-01-05 12:04 UTC k8s (execution 5e6f7a8b) is waiting for net and dns's stage "
        "Zone. Pipeline Gate removes this rule when the wait is over.",
    ),
    (
        open_gate.describe_pass([Upstream(NET, (ran("Succeeded", 1),)), Upstream(STAGE)], NOW),
        "net is idle: its last execution 1a2b3c4d Succeeded at 12:03 UTC; infra's stage Net is "
        "idle: no execution has reached it",
    ),
    (
        open_gate.describe_pass([Upstream(NET, (ran("Failed", 24 * 60),))], NOW),
        "net is idle: its last execution 1a2b3c4d Failed at 2026-01-04 12:04 UTC",
    ),
    (
        open_gate.describe_pass([Upstream(NET)] * 7, NOW),
        "net is idle: it has not run in the last 14 days; " * 5 + "2 more do not block it either",
    ),
    (
        open_gate.describe_pass(
            [
                at_net(STAGE, RUNNING, stage("Succeeded")),
                at_net(replace(STAGE, parked="pass"), RUNNING, stage("", inbound=True)),
                at_net(STAGE, FAILED, stage("Succeeded", execution="9a9a9a9a-0")),
            ],
            NOW,
        ),
        "infra's stage Net does not count: execution 1a2b3c4d has already left it; infra's stage "
        "Net does not count: execution 1a2b3c4d is waiting for a person; infra's stage Net is "
        "idle: execution 9a9a9a9a Succeeded there",
    ),
    (
        open_gate.describe_pass(
            [
                Upstream(NET, (ran("Stopped", 3, 1),)),
                at_net(STAGE, FAILED, stage("Stopped")),
            ],
            NOW,
        ),
        "net is idle: its last execution 1a2b3c4d Stopped at 12:02 UTC (if its actions were "
        "abandoned, they may still be working); infra's stage Net is idle: execution 1a2b3c4d "
        "Stopped there (if its actions were abandoned, they may still be working)",
    ),
    (
        open_gate.describe_release([INFRA], ANN, EARLIER, NOW),
        'Released by arn:aws:iam::123456789012:user/ann ("the \\"old\\" cluster"). It had been '
        "waiting for infra since "
        f"10:04 UTC. {RUNS}.",
    ),
    (
        open_gate.describe_pass_after_give_up([INFRA], EARLIER, NOW),
        "Continued without waiting any longer for infra: the wait began at 10:04 UTC, and "
        f"give_up_minutes is over. {RUNS}.",
    ),
    (
        open_gate.describe_observed_wait([INFRA], NOW),
        f"Observe only: the gate would have held this pipeline for infra. {RUNS}.",
    ),
    (
        open_gate.describe_observed_refusal("Wrong."),
        "Observe only: the gate would have failed this action. Wrong.",
    ),
    (
        open_gate.describe_bypass([NET, STAGE]),
        'Bypassed: bypass is "true", so the gate did not check net and infra\'s stage Net.',
    ),
    (
        refusals.describe_missing_upstream("Infra", "123456789012", "eu-west-1"),
        "There is no pipeline Infra in account 123456789012, region eu-west-1. Correct "
        "depends_on in this action's UserParameters. Names are case-sensitive.",
    ),
    (
        refusals.describe_missing_region("infra", "eu-centrall-1", "aws"),
        "infra cannot be in region eu-centrall-1: partition aws, which the gate is in, has no such "
        "region with CodePipeline. Correct the ARN in this action's UserParameters.",
    ),
    (
        refusals.describe_missing_stage("infra", "Deplyo", ["Source", "Deploy"]),
        "infra has no stage Deplyo; it has Source and Deploy. Correct depends_on in this "
        "action's UserParameters. Names are case-sensitive.",
    ),
    (
        refusals.describe_foreign_execution("5e6f", "k9s"),
        "k9s has no execution 5e6f. In this action's UserParameters, `pipeline` must be the name "
        "of the pipeline that contains this action, and `execution` must be "
        '"#{codepipeline.PipelineExecutionId}".',
    ),
    (
        refusals.describe_foreign_pipeline("victim", "evil"),
        "This action is in the pipeline evil, but its UserParameters name the pipeline victim. "
        "Correct `pipeline`: a gate can only hold its own pipeline.",
    ),
    (
        refusals.describe_finished_execution("5e6f", "k8s", "Failed"),
        "Execution 5e6f of k8s is Failed, so it is not waiting at this action. In this action's "
        'UserParameters, `execution` must be "#{codepipeline.PipelineExecutionId}".',
    ),
    (
        refusals.describe_no_gate_in_progress("5e6f", "k8s"),
        "In execution 5e6f of k8s, no action of this gate is in progress, so it is not waiting at "
        "this action. In this action's UserParameters, `pipeline` must be the name of the pipeline "
        'that contains this action, and `execution` must be "#{codepipeline.PipelineExecutionId}".',
    ),
    (
        refusals.describe_unknown_owner("pipeline"),
        "The gate has to hold this pipeline, but CodePipeline did not send its pipeline. Add "
        '"pipeline": "<this pipeline\'s name>" to this action\'s UserParameters.',
    ),
    (
        refusals.describe_unknown_owner("execution"),
        "The gate has to hold this pipeline, but CodePipeline did not send its execution. Add "
        '"execution": "#{codepipeline.PipelineExecutionId}" to this action\'s UserParameters.',
    ),
    (
        refusals.describe_no_room("k8s"),
        "The gate cannot hold k8s: the quota of EventBridge rules is used up, and a stage "
        "condition cannot stay in progress until a rule can be created. Remove rules that are not "
        "needed, or ask AWS for a higher quota. Then retry this stage.",
    ),
    (
        refusals.describe_closed_condition("held"),
        "The gate keeps this stage closed (held). The gate function's log has the reason.",
    ),
    (
        refusals.describe_defect(KeyError("a secret"), "req-1"),
        "The gate itself failed (KeyError). This may have nothing to do with your pipelines or "
        "this action's parameters. Retry this stage. If it fails again, report what the gate "
        "function's log says about request req-1.",
    ),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_what_people_read_at_the_action(message: str, expected: str) -> None:
    assert message == expected


def test_a_defect_that_aws_caused_names_the_call() -> None:
    error = UnexpectedAnswer("events:PutRule answered Whatever")
    assert "failed (events:PutRule answered Whatever)." in refusals.describe_defect(error, "req-1")


@pytest.mark.parametrize(
    ("message", "phrase"),
    [
        (
            describe_hold(mode=RETRY),
            "its stage is retried automatically within seconds after infra and net finish "
            "(successfully or not), unless a newer execution of k8s starts first. ",
        ),
        (describe_hold(execution_mode="QUEUED"), ", unless a newer execution of k8s starts first."),
        (describe_hold(execution_mode="PARALLEL"), "finish (successfully or not). Pipeline Gate"),
        (describe_hold(execution_mode=""), "finish (successfully or not). Pipeline Gate"),
        (
            describe_hold(revisions="commit 1a2b3c4"),
            "starts first. k8s continues with commit 1a2b3c4. Pipeline Gate also checks",
        ),
        (describe_hold(1), "Pipeline Gate also checks every minute, next at"),
        (
            describe_hold(give_up=DEADLINE),
            "If that has not happened by 14:09 UTC, the wait ends and nothing is started; to "
            "wait again, retry this stage. You do not need to do anything until then.",
        ),
        # its rule looks only then
        (describe_hold(give_up=DEADLINE - timedelta(seconds=30)), "by 14:04 UTC, the wait ends"),
        (describe_hold(give_up=NOW), "by 12:09 UTC, the wait ends"),
        (describe_hold(give_up=NOW + timedelta(days=14)), "by 2026-01-19 12:09 UTC, the wait ends"),
        (
            describe_hold(give_up=DEADLINE, on_give_up="continue"),
            "by 14:09 UTC, the pipeline continues anyway. You do not need to do anything until "
            "then.",
        ),
    ],
)
def test_held_in_other_ways(message: str, phrase: str) -> None:
    assert phrase in message


@pytest.mark.parametrize("number", [1, 9, 100])
def test_every_message_fits(number: int) -> None:
    dependency = Dependency("x" * 100, stage="y" * 100)
    many = [Upstream(dependency, unanswered="z" * 1500)] * number
    summaries = [
        held_pipeline.describe_wait(many, "k8s", NOW, None, "stop", NOW),
        held_pipeline.describe_full_quota(many, NOW),
        open_gate.describe_pass_after_give_up(many, NOW, NOW),
        open_gate.describe_observed_wait(many, NOW),
        open_gate.describe_bypass([dependency] * number),
        open_gate.describe_observed_refusal("x" * 3000),
        open_gate.describe_pass([Upstream(dependency)] * number, NOW),
    ]
    assert max(map(len, summaries)) <= 2048  # model: ExecutionSummary
    failures = [
        held_pipeline.describe_give_up(many, NOW, NOW),
        held_pipeline.describe_hold(many, HOLD, Schedule.begin(NOW, 1), NOW),
    ]
    assert max(map(len, failures)) <= 5000  # model: Message
    hold = replace(HOLD, pipeline="x" * 100, depends_on=(dependency,) * number)
    description = held_pipeline.describe_rule(hold, [], NOW)
    assert len(description) <= 512  # model: RuleDescription
    assert read_date(description) == NOW.replace(second=0)


def test_another_rules_description_tells_no_time() -> None:
    assert read_date("Nightly backup") is None


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcde", "a, b, c, d and e"),
        ("abcdef", "a, b, c, d, e and 1 more"),
    ],
)
def test_names_in_a_sentence(names: str, joined: str) -> None:
    assert phrases.join_names(list(names)) == joined


def test_what_is_too_long_ends_in_dots() -> None:
    assert phrases.quote("x" * 60) == '"' + "x" * 60 + '"'
    assert phrases.quote("x" * 61) == '"' + "x" * 60 + '..."'
    assert phrases.shorten("x" * 10, 10) == "x" * 10
    assert phrases.shorten("x" * 11, 10) == "x" * 7 + "..."


# Refusals of what an action or an event asks for. What is refused, without the words, is in
# test_parameters.py and test_dependency.py.

EXAMPLE = (
    '{"depends_on": ["infra"], "pipeline": "k8s", "execution": '
    '"#{codepipeline.PipelineExecutionId}"}'
)
MINUTES = "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"
NO_JSON = f"Write {EXAMPLE}, or plain names: infra, network."
NO_NAME = "which is not a pipeline's name: it must be 1 to 100 letters, digits and . @ - _"
AS_EXECUTION = 'Write it as "#{codepipeline.PipelineExecutionId}"'
PARAMETERS: list[tuple[str | None, str]] = [
    (
        None,
        (
            "The action has no UserParameters. They name the pipelines to wait for, for example "
            f"{EXAMPLE}."
        ),
    ),
    (
        '{"depends_on": "infra',
        "UserParameters is not valid JSON (Unterminated string starting at character 16). "
        f"{NO_JSON}",
    ),
    ("[" * 100_000, f"UserParameters is not valid JSON (it is nested too deep). {NO_JSON}"),
    (
        '{"a": ' + "9" * 5000 + "}",
        f"UserParameters is not valid JSON (it has a number that is too long). {NO_JSON}",
    ),
    ('{"a": 1, "a": 2}', 'UserParameters has the key "a" twice. Remove one of them.'),
    (
        '["infra"]',
        f"UserParameters must be a JSON object or plain names, not a list. Write {EXAMPLE}.",
    ),
    (
        "{}",
        f"UserParameters has no depends_on, the pipelines to wait for. Write {EXAMPLE}.",
    ),
    (
        '{"depends_on": []}',
        "depends_on is an empty list. Name at least one pipeline to wait for, or remove the "
        "action.",
    ),
    ('{"depends_on": null}', "depends_on must be a pipeline's name or a list of names, not null."),
    (
        '{"depends_on": {}}',
        'An entry of depends_on has no "pipeline", the name of the pipeline to wait for.',
    ),
    (
        '{"depends_on": [1.5]}',
        "Each entry of depends_on must be a pipeline's name, its ARN or an object like "
        '{"pipeline": "infra"}, not a number.',
    ),
    (
        "a b",
        f'depends_on has "a b", {NO_NAME} (separate several names by commas), or an ARN '
        "arn:aws:codepipeline:REGION:ACCOUNT:NAME.",
    ),
    ('{"depends_on": "a", "pipeline": ""}', f'pipeline is "", {NO_NAME}.'),
    (
        '{"depend_on": "a"}',
        'UserParameters has an unknown key "depend_on" (did you mean depends_on?). The known '
        "keys are depends_on, require, hold, retry_minutes, give_up_minutes, on_give_up, "
        "revisions, parked, bypass, observe, condition, pipeline, execution.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "zzz": "b"}}',
        'An entry of depends_on has an unknown key "zzz". The known keys are pipeline, require, '
        "stage, parked, role_arn, external_id.",
    ),
    (
        '{"depends_on": {"pipeline": 5}}',
        "In an entry of depends_on, pipeline must be a name or an ARN, not a number.",
    ),
    ('{"depends_on": "a", "parked": "skip"}', 'parked is "skip", but must be one of wait, pass.'),
    (
        '{"depends_on": "a", "require": true}',
        "require is true or false, but must be one of idle, succeeded.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "stage": "De ploy"}}',
        "stage must be the name of one of the upstream's stages (1 to 100 letters, digits and . "
        '@ - _), not "De ploy".',
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": "arn:aws:iam::111122223333:role/admin"}}',
        'role_arn is "arn:aws:iam::111122223333:role/admin", but must be the ARN of a role that '
        "the gate may assume: arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": '
        '"arn:aws:iam::111122223333:role/pipeline-gate-look"}}',
        "role_arn belongs to another account than the pipeline a. Write the pipeline as an ARN "
        "with the role's account: arn:aws:codepipeline:REGION:ACCOUNT:NAME.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "x y"}}',
        "external_id must be a string of 2 to 1224 letters, digits and + = , . @ : / - _.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "xy"}}',
        "depends_on has an external_id for a, but no role_arn to use it with.",
    ),
    (
        '{"depends_on": "a", "give_up_minutes": 20161}',
        "give_up_minutes is 20161, but must be a whole number of minutes, 1 to 20160 (14 days).",
    ),
    (
        '{"depends_on": "a", "give_up_minutes": "5"}',
        "give_up_minutes must be a whole number of minutes, 1 to 20160 (14 days), not a string.",
    ),
    (
        '{"depends_on": "a", "on_give_up": "stop"}',
        "on_give_up says what happens after give_up_minutes, which is missing. Add it, for "
        'example "give_up_minutes": 120.',
    ),
    (
        '{"depends_on": "a", "bypass": true}',
        'bypass is true or false, but must be the string "true" or "false". Write it as '
        '"#{variables.bypass}", and declare the pipeline variable bypass with the default "false".',
    ),
    ('{"depends_on": "a", "observe": "true"}', "observe must be true or false, not a string."),
    ('{"depends_on": "a", "condition": 1}', "condition must be true or false, not a number."),
    (
        '{"depends_on": "a", "condition": true, "hold": "wait"}',
        'A stage condition cannot stay in progress, so hold must be "restart" or "retry", not '
        '"wait".',
    ),
    (
        '{"depends_on": "a", "pipeline": 5}',
        "pipeline must be this pipeline's own name, not a number.",
    ),
    (
        '{"depends_on": "a", "retry_minutes": ' + "7" * 99 + "}",
        f"retry_minutes is {'7' * 20}, but must divide 60: one of {MINUTES}.",
    ),
    (
        '{"depends_on": "a", "retry_minutes": true}',
        f"retry_minutes must be a whole number, one of {MINUTES}, not true or false.",
    ),
    (
        '{"depends_on": "a", "pipeline": "a"}',
        "a depends on itself, so it would wait forever. Remove it from depends_on.",
    ),
    (
        '{"depends_on": "a", "execution": 5}',
        f"execution must be a string, not a number. {AS_EXECUTION}.",
    ),
    (
        '{"depends_on": "a", "execution": "x"}',
        f'execution is "x", which is not an execution id. {AS_EXECUTION}: CodePipeline fills in '
        "the id.",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), PARAMETERS)
def test_wrong_parameters(text: str | None, sentence: str) -> None:
    with pytest.raises(Misconfigured) as error:
        parse_parameters(text, "5")
    assert str(error.value) == sentence


HERE = Deployment("aws", "eu-west-1", "123456789012", "dev")
NAMES = [f"{n:0>44}" for n in range(37)]
LONGEST = "x" * (2048 - len(build_pattern([Dependency(name) for name in (*NAMES, "")])))
"""A name with which those names just fit into EventBridge's default quota for a pattern."""


def test_as_many_names_as_a_rule_takes_are_accepted() -> None:
    parameters = parse_parameters(json.dumps({"depends_on": [*NAMES, LONGEST]}), "5")
    assert [dependency.name for dependency in parameters.depends_on] == [*NAMES, LONGEST]


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (
            lambda: parse_parameters(json.dumps({"depends_on": [*NAMES, LONGEST + "x"]}), "5"),
            Misconfigured,
            "depends_on has 38 pipelines, more than fit into the event pattern of one "
            "EventBridge rule (2048 characters). Spread them over several gate actions.",
        ),
        (
            lambda: parse_parameters("infra", "7"),
            Misconfigured,
            f'The gate\'s environment variable RETRY_MINUTES is "7", but must be one of {MINUTES}. '
            "Correct it in .chalice/config.json.",
        ),
        (
            lambda: refuse_closed_accounts([NET, Dependency(ARN)], "123456789012"),
            Misconfigured,
            "infra is in account 111122223333, but the gate is in 123456789012. Add a role_arn "
            f'that lets the gate read it: {{"pipeline": "{ARN}", "role_arn": '
            '"arn:aws:iam::111122223333:role/pipeline-gate-..."}.',
        ),
        (
            lambda: refuse_other_partitions([NET, Dependency(ARN)], "aws-cn"),
            Misconfigured,
            "The ARN of infra begins with arn:aws:, but the gate is in partition aws-cn and can "
            "read no other. Correct the ARN in this action's UserParameters.",
        ),
        (
            lambda: Job.parse({}),
            RefusedInput,
            "This event is not a CodePipeline job: it has no `CodePipeline.job` with a job's "
            "`id`. Only a pipeline's Lambda action can invoke the gate.",
        ),
        (
            lambda: read_rule_name({}, HERE),
            RefusedInput,
            'This event does not name a hold: {"rule": "..."} is missing. Only the gate\'s own '
            "EventBridge rules invoke the retry function.",
        ),
        (
            lambda: read_rule_name({"rule": "nightly"}, HERE),
            RefusedInput,
            'The rule "nightly" does not belong to this gate, whose rules are named '
            "pipeline-gate-dev-<execution id>. Nothing was changed.",
        ),
        (
            lambda: Deployment.from_context(None),
            Misconfigured,
            "The gate does not know which deployment it belongs to: '' is not the ARN of a "
            "function named pipeline-gate-STAGE-gate or pipeline-gate-STAGE-retry. Deploy it "
            "with Chalice, or set RETRY_FUNCTION_ARN.",
        ),
        (
            lambda: refuse_long_stage("s" * 14),
            Misconfigured,
            "The name of the Chalice stage 'ssssssssssssss' has 14 characters. The gate's rules "
            "are named after the stage, so it can have at most 13. Choose a shorter name.",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_these_words(
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], object],
    error: type[Exception],
    sentence: str,
) -> None:
    monkeypatch.delenv("RETRY_FUNCTION_ARN", raising=False)
    with pytest.raises(error) as refusal:
        act()
    assert str(refusal.value) == sentence
