"""Every sentence of the console and of an error, word for word: they are what a person has to act
on. Elsewhere tests look at a verdict, a log line or one phrase.
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
from chalicelib.job import Job
from chalicelib.parameters import parse_parameters, refuse_closed_accounts
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
    """The stage Net of infra. `inbound`: the execution stands before it."""
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
RUNS = "infra runs: execution 1a2b3c4d is InProgress since 12:01 UTC"


# Why an upstream keeps a gate closed, and what is awaited

REASONS: list[tuple[Upstream, str]] = [
    (INFRA, f"{RUNS}."),
    (
        Upstream(INFRA.dependency, (ran("Stopping", 2000),)),
        "infra runs: execution 1a2b3c4d is Stopping since 2026-01-04 02:44 UTC.",
    ),
    (
        Upstream(Dependency(ARN), (RUNNING,)),
        "infra (us-east-1) runs: execution 1a2b3c4d is InProgress since 12:01 UTC.",
    ),
    (replace(INFRA, unanswered="throttled"), "Whether infra runs is not known: throttled."),
    (
        replace(INFRA, state=PipelineState((ASKS,))),
        f"{RUNS} and waits for a person: the approval Ask in its stage Net is open since "
        "2026-01-03 12:04 UTC.",
    ),
    (
        replace(INFRA, state=PipelineState((stage("", inbound=True, disabled_since=NOW),))),
        f"{RUNS} and waits for a person: the transition into its stage Net is disabled since "
        "12:04 UTC.",
    ),
    (
        replace(INFRA, state=PipelineState((stage("", inbound=True),))),
        f"{RUNS} and waits for a person: the transition into its stage Net is disabled.",
    ),
    (
        Upstream(INFRA.dependency, (FAILED,), hold=HELD),
        "infra is held itself since 12:04 UTC, and will run again: it waits for net and dns's "
        "stage Zone.",
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
        "infra's stage Net has not succeeded: it is Failed.",
    ),
    (
        at_net(replace(STAGE, require="succeeded"), FAILED, stage("", execution=None)),
        "infra's stage Net has not succeeded: it has never run.",
    ),
    (at_net(STAGE, FAILED, stage("InProgress")), "infra's stage Net runs."),
]


@pytest.mark.parametrize(("upstream", "sentence"), REASONS)
def test_why_a_gate_is_closed(upstream: Upstream, sentence: str) -> None:
    assert describe_reasons([upstream], NOW) == sentence


def test_of_many_reasons_the_last_are_counted() -> None:
    assert describe_reasons([INFRA] * 5, NOW) == " ".join([f"{RUNS}."] * 5)
    assert describe_reasons([INFRA] * 7, NOW) == " ".join([f"{RUNS}."] * 5) + " So do 2 more."


USUALLY_TEN = tuple(ran("Succeeded", 100 * n, 10) for n in (1, 2, 3))
USUALLY_SECONDS = tuple(ran("Succeeded", 100 * n, 0.1) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("began", "usually", "sentence", "expected"),
    [
        (3, USUALLY_TEN, " It usually takes 10 min, so until about 12:11 UTC.", "12:11"),
        (10, USUALLY_TEN, " It usually takes 10 min; this time it takes longer.", ""),
        (600, USUALLY_TEN, " It usually takes 10 min; this time it takes longer.", ""),
        (3, USUALLY_TEN[:2], "", ""),
        (0, USUALLY_SECONDS, " It usually takes 1 min, so until about 12:04 UTC.", "12:04"),
    ],
)
def test_how_long_still(
    began: int, usually: tuple[Execution, ...], sentence: str, expected: str
) -> None:
    upstream = Upstream(INFRA.dependency, (ran("InProgress", began), *usually))
    assert describe_reasons([upstream], NOW).partition(" UTC.")[2] == sentence
    assert describe_expected_end([upstream], NOW) == (
        f"Expected about {expected} UTC. " if expected else ""
    )


def test_of_several_the_last_one_tells_the_end_if_each_has_one() -> None:
    first, last, unknown = (
        Upstream(INFRA.dependency, (ran("InProgress", began), *usually))
        for began, usually in ((3, USUALLY_TEN), (1, USUALLY_TEN), (1, ()))
    )
    assert describe_expected_end([first, last], NOW) == "Expected about 12:13 UTC. "
    assert describe_expected_end([first, unknown], NOW) == describe_expected_end([], NOW) == ""


@pytest.mark.parametrize(
    ("dependency", "stage_state"), [(INFRA.dependency, ASKS), (STAGE, stage("InProgress"))]
)
def test_nobody_knows_how_long_a_person_or_one_stage_takes(
    dependency: Dependency, stage_state: StageState
) -> None:
    upstream = Upstream(dependency, (RUNNING, *USUALLY_TEN), PipelineState((stage_state,)))
    assert "usually" not in describe_reasons([upstream], NOW)
    assert describe_expected_end([upstream], NOW) == ""
    assert not upstream.foreseeable


@pytest.mark.parametrize(
    ("dependencies", "end"),
    [
        ([INFRA.dependency, STAGE], "the end of infra and infra's stage Net, successful or not"),
        ([SUCCEEDED], "the next success of infra"),
        ([NET, SUCCEEDED], "the end of net, successful or not, and the next success of infra"),
        (
            [Dependency(ARN)],
            "the end of infra (us-east-1), successful or not, if its events are forwarded to this "
            "region's event bus",
        ),
    ],
)
def test_what_is_awaited(dependencies: list[Dependency], end: str) -> None:
    assert describe_end_of_wait([Upstream(dependency) for dependency in dependencies]) == end


# The gate's action, and a rule's description


def describe_hold(minutes: int = 5, **changes: object) -> str:
    hold, next_check = replace(HOLD, **changes), NOW + timedelta(minutes=minutes)  # type: ignore[arg-type]
    return held_pipeline.describe_hold([INFRA, SILENT], hold, minutes, next_check, NOW)


WHY = f"{RUNS}. Whether net runs is not known: throttled."
TO_GO_ON = "To go on now all the same: gatectl release k8s. To stop waiting: "
MESSAGES: list[tuple[str, str]] = [
    (
        describe_hold(),
        f"k8s waits for infra and net since 12:04 UTC. {WHY} This execution ends here, and that "
        "is as planned: k8s starts again by itself within seconds of the end of infra and net, "
        "successful or not (looked at again every 5 minutes too, next at 12:09 UTC). There is "
        f"nothing to do. {TO_GO_ON}remove the EventBridge rule the-rule with its target.",
    ),
    (
        held_pipeline.describe_wait([INFRA], "k8s", EARLIER, None, "stop", NOW),
        f"k8s waits for infra since 10:04 UTC. {RUNS}. Looked at 12:04 UTC; CodePipeline asks "
        f"again by itself. {TO_GO_ON}stop this execution.",
    ),
    (
        held_pipeline.describe_wait([INFRA], "k8s", EARLIER, DEADLINE, "continue", NOW),
        f"k8s waits for infra since 10:04 UTC. {RUNS}. If that has not come by 14:04 UTC, it goes "
        "on all the same. Looked at 12:04 UTC; CodePipeline asks again by itself. "
        f"{TO_GO_ON}stop this execution.",
    ),
    (
        held_pipeline.describe_give_up([INFRA], EARLIER, NOW),
        f"Gave up: waited for infra since 10:04 UTC, as long as give_up_minutes says. {RUNS}. "
        "Nothing starts by itself any more. Retry this stage to wait anew.",
    ),
    (
        held_pipeline.describe_deadlock(Cycle(("k8s", "infra", "net", "k8s"), deadlock=True)),
        "Deadlock: k8s waits for infra, which waits for net, which waits for k8s. None of them "
        "can go on before another does, so nothing would ever end this wait. Take one of these "
        "out of its depends_on, or let it require only that the other is idle, and not in the "
        "mode wait.",
    ),
    (
        held_pipeline.describe_full_quota([INFRA], NOW),
        f"{RUNS}. All of EventBridge's rules are taken (300 a region, unless your quota is "
        "higher), so this action stays in progress and looks again when CodePipeline asks. Remove "
        "rules that nobody needs, or ask AWS for a higher quota.",
    ),
    (
        held_pipeline.describe_rule(HELD, [], NOW),
        "Since 2026-01-05 12:04 UTC k8s (execution 5e6f7a8b) waits for net and dns's stage Zone. "
        "Pipeline Gate removes this rule when the wait is over.",
    ),
    (
        open_gate.describe_pass([Upstream(NET, (ran("Succeeded", 1),)), Upstream(STAGE)], NOW),
        "net is idle: last execution 1a2b3c4d Succeeded at 12:03 UTC; infra's stage Net is idle: "
        "no execution has been there",
    ),
    (
        open_gate.describe_pass([Upstream(NET, (ran("Failed", 24 * 60),))], NOW),
        "net is idle: last execution 1a2b3c4d Failed at 2026-01-04 12:04 UTC",
    ),
    (
        open_gate.describe_pass([Upstream(NET)] * 7, NOW),
        "net is idle: it has not run in the last 14 days; " * 5 + "so are 2 more",
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
        "infra's stage Net does not count: execution 1a2b3c4d is past that stage; infra's stage "
        "Net does not count: execution 1a2b3c4d is parked until a person lets it go on; infra's "
        "stage Net is idle: execution 9a9a9a9a Succeeded there",
    ),
    (
        open_gate.describe_release([INFRA], "arn:aws:iam::123456789012:user/ann", EARLIER, NOW),
        "Goes on in spite of infra: waited since 10:04 UTC, and "
        f"arn:aws:iam::123456789012:user/ann let it go. {RUNS}.",
    ),
    (
        open_gate.describe_pass_after_give_up([INFRA], EARLIER, NOW),
        "Goes on in spite of infra: waited since 10:04 UTC, as long as give_up_minutes says. "
        f"{RUNS}.",
    ),
    (
        open_gate.describe_observed_wait([INFRA], NOW),
        f"Observe only: would have held this pipeline for infra. {RUNS}.",
    ),
    (
        open_gate.describe_observed_refusal("Wrong."),
        "Observe only: would have failed this action. Wrong.",
    ),
    (
        open_gate.describe_bypass([NET, STAGE]),
        "Bypassed: the pipeline variable asked for it, so nobody looked whether net and infra's "
        "stage Net runs.",
    ),
    (
        refusals.describe_missing_upstream("Infra", "123456789012", "eu-west-1"),
        "There is no pipeline Infra in account 123456789012, region eu-west-1. Correct depends_on "
        "in this action's UserParameters; upper and lower case count.",
    ),
    (
        refusals.describe_missing_stage("infra", "Deplyo", ["Source", "Deploy"]),
        "infra has no stage Deplyo; it has Source and Deploy. Correct depends_on in this action's "
        "UserParameters; upper and lower case count.",
    ),
    (
        refusals.describe_foreign_execution("5e6f", "k9s"),
        "k9s has no execution 5e6f. In UserParameters, `pipeline` must be the name of the "
        "pipeline that this action stands in, and `execution` "
        '"#{codepipeline.PipelineExecutionId}".',
    ),
    (
        refusals.describe_unknown_owner("pipeline"),
        "The gate must hold this pipeline, but CodePipeline does not tell it which pipeline this "
        'is. Add "pipeline": "<this pipeline\'s name>" to this action\'s UserParameters.',
    ),
    (
        refusals.describe_unknown_owner("execution"),
        "The gate must hold this pipeline, but CodePipeline does not tell it which execution this "
        'is. Add "execution": "#{codepipeline.PipelineExecutionId}" to this action\'s '
        "UserParameters.",
    ),
    (
        refusals.describe_defect(KeyError("a secret"), "req-1"),
        "The gate itself failed (KeyError); neither the pipelines nor this action's parameters "
        "need be at fault. Retry this stage; if it fails again, look into the gate function's log "
        "at request req-1 and report what stands there.",
    ),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_what_people_read_at_the_action(message: str, expected: str) -> None:
    assert message == expected


def test_a_defect_that_aws_caused_names_the_call() -> None:
    error = UnexpectedAnswer("events:PutRule answered Whatever")
    assert "failed (events:PutRule answered Whatever);" in refusals.describe_defect(error, "req-1")


@pytest.mark.parametrize(
    ("message", "phrase"),
    [
        (
            describe_hold(mode=RETRY),
            "its stage is retried by itself within seconds of the end of infra",
        ),
        (describe_hold(1), "looked at again every minute too"),
        (
            describe_hold(give_up=DEADLINE),
            "If that has not come by 14:04 UTC, the wait ends and nothing is started: retry this "
            "stage then. Until then there is nothing to do.",
        ),
        # its rule looks only then
        (describe_hold(give_up=DEADLINE + timedelta(seconds=1)), "by 14:09 UTC, the wait ends"),
        (describe_hold(give_up=NOW), "by 12:09 UTC, the wait ends"),
        (describe_hold(give_up=NOW + timedelta(days=14)), "by 2026-01-19 12:04 UTC, the wait ends"),
        (
            describe_hold(give_up=DEADLINE, on_give_up="continue"),
            "by 14:04 UTC, it goes on all the same. Until then there is nothing to do.",
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
        held_pipeline.describe_hold(many, HOLD, 1, NOW, NOW),
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
NO_JSON = f"Right would be {EXAMPLE}, or plain names: infra, network."
NO_NAME = "which is no pipeline's name: 1 to 100 letters, digits and . @ - _"
AS_EXECUTION = 'Write it as "#{codepipeline.PipelineExecutionId}"'
PARAMETERS: list[tuple[str | None, str]] = [
    (None, f"The action has no UserParameters. They say what to wait for, for example {EXAMPLE}."),
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
    ('{"a": 1, "a": 2}', 'UserParameters has two keys "a": leave one of them out.'),
    (
        '["infra"]',
        "UserParameters must be a JSON object or plain names, not a list. Right would be "
        f"{EXAMPLE}.",
    ),
    (
        "{}",
        "UserParameters has no depends_on: it names the pipelines to wait for. Right would be "
        f"{EXAMPLE}.",
    ),
    (
        '{"depends_on": []}',
        "depends_on is an empty list: name at least one pipeline to wait for, or take the action "
        "out.",
    ),
    ('{"depends_on": null}', "depends_on must be a pipeline's name or a list of names, not null."),
    (
        '{"depends_on": {}}',
        'An entry of depends_on has no "pipeline": it names the pipeline to wait for.',
    ),
    (
        '{"depends_on": [1.5]}',
        'depends_on must hold pipelines\' names, ARNs or objects like {"pipeline": "infra"}, not '
        "a number.",
    ),
    (
        "a b",
        f'depends_on has "a b", {NO_NAME} (several names are separated by commas), or an ARN '
        "arn:aws:codepipeline:REGION:ACCOUNT:NAME.",
    ),
    ('{"depends_on": "a", "pipeline": ""}', f'pipeline is "", {NO_NAME}.'),
    (
        '{"depend_on": "a"}',
        'UserParameters has an unknown key "depend_on" (did you mean depends_on?). Known: '
        "depends_on, require, hold, retry_minutes, give_up_minutes, on_give_up, revisions, "
        "parked, bypass, observe, pipeline, execution.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "zzz": "b"}}',
        'An entry of depends_on has an unknown key "zzz". Known: pipeline, require, stage, '
        "parked, role_arn, external_id.",
    ),
    (
        '{"depends_on": {"pipeline": 5}}',
        "pipeline, in an entry of depends_on, must be a name or an ARN, not a number.",
    ),
    ('{"depends_on": "a", "parked": "skip"}', 'parked is "skip", but must be one of wait, pass.'),
    (
        '{"depends_on": "a", "require": true}',
        "require is true or false, but must be one of idle, succeeded.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "stage": "De ploy"}}',
        "stage must be the name of one of the upstream's stages, 1 to 100 letters, digits and . "
        '@ - _, not "De ploy".',
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": "arn:aws:iam::111122223333:role/admin"}}',
        'role_arn is "arn:aws:iam::111122223333:role/admin"; it must be the ARN of a role that '
        "the gate may assume, arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": '
        '"arn:aws:iam::111122223333:role/pipeline-gate-look"}}',
        "role_arn is of another account than the pipeline a: name that as an ARN, "
        "arn:aws:codepipeline:REGION:ACCOUNT:NAME, with the role's account.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "x y"}}',
        "external_id must be a string of 2 to 1224 letters, digits and + = , . @ : / - _.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "xy"}}',
        "depends_on has an external_id for a, but no role_arn that it would be for.",
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
        "on_give_up says what happens after give_up_minutes, which is not there: add "
        '"give_up_minutes": 120, or the like.',
    ),
    (
        '{"depends_on": "a", "bypass": true}',
        'bypass is true or false, but must be the string "true" or "false". Write it as '
        '"#{variables.bypass}", and declare the pipeline variable bypass with the default "false".',
    ),
    ('{"depends_on": "a", "observe": "true"}', "observe must be true or false, not a string."),
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
        "a depends on itself: it runs while it asks, so it would wait for ever. Take it out of "
        "depends_on.",
    ),
    (
        '{"depends_on": "a", "execution": 5}',
        f"execution must be a string, not a number. {AS_EXECUTION}.",
    ),
    (
        '{"depends_on": "a", "execution": "x"}',
        f'execution is "x", which is no execution id. {AS_EXECUTION}: CodePipeline fills in the '
        "id.",
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
            "depends_on has 38 names, more than fit into one EventBridge rule (2048 characters, "
            "with the rule's own words). Spread them over several gate actions.",
        ),
        (
            lambda: parse_parameters("infra", "7"),
            Misconfigured,
            'The gate\'s environment variable RETRY_MINUTES is "7": it must be one of '
            f"{MINUTES}. It stands in .chalice/config.json.",
        ),
        (
            lambda: refuse_closed_accounts([NET, Dependency(ARN)], "123456789012"),
            Misconfigured,
            "infra is in account 111122223333, and the gate in 123456789012. Add a role_arn that "
            f'lets the gate look: {{"pipeline": "{ARN}", "role_arn": '
            '"arn:aws:iam::111122223333:role/pipeline-gate-..."}.',
        ),
        (
            lambda: Job.parse({}),
            RefusedInput,
            "This event is no CodePipeline job: it has no `CodePipeline.job` with the `id` of "
            "one. The gate is invoked by an action of provider Lambda in a pipeline, not by hand.",
        ),
        (
            lambda: read_rule_name({}, HERE),
            RefusedInput,
            'This event names no hold: {"rule": "..."} is missing. The retry is invoked by the '
            "gate's own EventBridge rules.",
        ),
        (
            lambda: read_rule_name({"rule": "nightly"}, HERE),
            RefusedInput,
            'The rule "nightly" is none of this gate\'s: those are named '
            "pipeline-gate-dev-<execution id>. Nothing was touched.",
        ),
        (
            lambda: Deployment.from_context(None),
            Misconfigured,
            "The gate cannot tell its deployment: '' is no ARN of a function "
            "pipeline-gate-STAGE-gate or pipeline-gate-STAGE-retry. Deploy it with Chalice, or "
            "set RETRY_FUNCTION_ARN.",
        ),
        (
            lambda: refuse_long_stage("s" * 14),
            Misconfigured,
            "The Chalice stage 'ssssssssssssss' has 14 characters; the gate's rules are named "
            "after it, and that leaves room for 13. Take a shorter name.",
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
