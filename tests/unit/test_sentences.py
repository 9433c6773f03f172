"""Every sentence of the console and of an error, word for word: they are what a person has to act
on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import phrases as wording
from chalicelib.deployment import Deployment, refuse_long_stage
from chalicelib.errors import Misconfigured, RefusedInput, UnexpectedAnswer
from chalicelib.holds.mode import RETRY
from chalicelib.holds.rule import build_pattern, read_rule_name
from chalicelib.job import Job
from chalicelib.parameters import parse_parameters, refuse_closed_accounts
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.state import PipelineState, StageState
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording import held_pipeline, open_gate, refusals
from tests.support.samples import DEADLINE, HOLD, INFRA, NOW, build_execution

EXAMPLE = (
    '{"depends_on": ["infra"], "pipeline": "k8s", "execution": '
    '"#{codepipeline.PipelineExecutionId}"}'
)
MINUTES = "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"


BUSY = (
    Upstream(
        Dependency("infra"),
        (build_execution("InProgress", 3), build_execution("Stopping", 4, "5e6f7a8b-0")),
    ),
    Upstream(Dependency("net"), unanswered="throttled"),
)
WHY = (
    "infra runs: execution 1a2b3c4d is InProgress since 12:01 UTC and execution 5e6f7a8b is "
    "Stopping since 12:00 UTC. "
    "Whether net runs is not known: throttled."
)


def test_held() -> None:
    assert held_pipeline.describe_hold(BUSY, HOLD, 5, NOW + timedelta(minutes=5), NOW) == (
        f"k8s waits for infra and net since 12:04 UTC. {WHY} "
        "This execution ends here, and that is as planned: k8s starts again by itself within "
        "seconds of the end of infra and net, "
        "successful or not (looked at again every 5 minutes too, next at 12:09 UTC). There is "
        "nothing to do. "
        "To go on now all the same: gatectl release k8s. To stop waiting: remove the EventBridge "
        "rule the-rule with its target."
    )


def test_held_by_more_than_a_person_wants_to_read() -> None:
    waiting = [Upstream(Dependency(f"p{n}"), (build_execution("InProgress", 3),)) for n in range(7)]
    each = " ".join(
        f"p{n} runs: execution 1a2b3c4d is InProgress since 12:01 UTC." for n in range(5)
    )
    names = "p0, p1, p2, p3, p4 and 2 more"
    assert held_pipeline.describe_hold(waiting, HOLD, 1, NOW + timedelta(days=1), NOW) == (
        f"k8s waits for {names} since 12:04 UTC. {each} So do 2 more. "
        "This execution ends here, and that is as planned: k8s starts again by itself within "
        f"seconds of the end of {names}, "
        "successful or not (looked at again every minute too, next at 2026-01-06 12:04 UTC). "
        "There is nothing to do. "
        "To go on now all the same: gatectl release k8s. To stop waiting: remove the EventBridge "
        "rule the-rule with its target."
    )
    assert "more" not in held_pipeline.describe_hold(waiting[:5], HOLD, 1, NOW, NOW)


def test_no_room() -> None:
    assert held_pipeline.describe_full_quota(BUSY, NOW) == (
        f"{WHY} All of EventBridge's rules are taken (300 a region, unless your quota is higher), "
        "so this action stays in progress and "
        "looks again when CodePipeline asks. Remove rules that nobody needs, or ask AWS for a "
        "higher quota."
    )
    assert (
        len(
            held_pipeline.describe_full_quota(
                [Upstream(Dependency("x"), unanswered="y" * 500)] * 9, NOW
            )
        )
        == 2048
    )  # model: ExecutionSummary


def test_no_such_upstream() -> None:
    assert refusals.describe_missing_upstream("Infra", "123456789012", "eu-west-1") == (
        "There is no pipeline Infra in account 123456789012, region eu-west-1. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


def test_not_this_pipelines_execution() -> None:
    assert refusals.describe_foreign_execution("5e6f", "k9s") == (
        "k9s has no execution 5e6f. In UserParameters, `pipeline` must be the name of the "
        "pipeline that this "
        'action stands in, and `execution` "#{codepipeline.PipelineExecutionId}".'
    )


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("pipeline", '"pipeline": "<this pipeline\'s name>"'),
        ("execution", '"execution": "#{codepipeline.PipelineExecutionId}"'),
    ],
)
def test_whose_job_it_is(key: str, right: str) -> None:
    assert refusals.describe_unknown_owner(key) == (
        f"The gate must hold this pipeline, but CodePipeline does not tell it which {key} this is. "
        f"Add {right} to this action's UserParameters."
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("a secret"), "KeyError"),
        (UnexpectedAnswer("events:PutRule answered Whatever"), "events:PutRule answered Whatever"),
    ],
)
def test_a_defect(error: Exception, kind: str) -> None:
    assert refusals.describe_defect(error, "req-1") == (
        f"The gate itself failed ({kind}); neither the pipelines nor this action's parameters "
        "need be at fault. "
        "Retry this stage; if it fails again, look into the gate function's log at request req-1 "
        "and report what stands there."
    )


def test_a_rules_description() -> None:
    assert held_pipeline.describe_rule(
        replace(HOLD, depends_on=(Dependency("infra"), Dependency("net"))), [], NOW
    ) == (
        "Since 2026-01-05 12:04 UTC k8s (execution 5e6f7a8b) waits for infra and net. "
        "Pipeline Gate removes this rule when the wait is over."
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcde"), "a, b, c, d and e"),
        (list("abcdef"), "a, b, c, d, e and 1 more"),
    ],
)
def test_names_in_a_sentence(names: list[str], said: str) -> None:
    assert wording.join_names(names) == said


def test_what_is_too_long_ends_in_dots() -> None:
    assert wording.quote("x" * 60) == '"' + "x" * 60 + '"'
    assert wording.quote("x" * 61) == '"' + "x" * 60 + '..."'
    assert (wording.shorten("x" * 10, 10), wording.shorten("x" * 11, 10)) == (
        "x" * 10,
        "x" * 7 + "...",
    )


# Of the other ways to hold, and of passing in spite of an upstream

RUNS = "infra runs: execution 1a2b3c4d is InProgress since 12:01 UTC."


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"mode": RETRY},
            "This action ends here, and that is as planned: its stage is retried by itself within "
            "seconds of the end of infra, ",
        ),
        (
            {"give_up": DEADLINE},
            "next at 12:09 UTC). If that has not come by 14:04 UTC, the wait ends and nothing is "
            "started: retry this stage then. "
            "Until then there is nothing to do.",
        ),
        (
            {"give_up": DEADLINE + timedelta(seconds=1)},
            "If that has not come by 14:09 UTC, the wait ends",  # its rule looks then
        ),
        (
            {"give_up": NOW},
            "If that has not come by 12:09 UTC, the wait ends",
        ),
        (
            {"give_up": DEADLINE, "on_give_up": "continue"},
            "next at 12:09 UTC). If that has not come by 14:04 UTC, it goes on all the same. "
            "Until then there is nothing to do.",
        ),
        (
            {"give_up": NOW + timedelta(days=14)},
            "If that has not come by 2026-01-19 12:04 UTC, the wait ends and nothing is started: ",
        ),
    ],
)
def test_held_in_other_ways(more: dict[str, Any], said: str) -> None:
    assert said in held_pipeline.describe_hold(
        [INFRA], replace(HOLD, **more), 5, NOW + timedelta(minutes=5), NOW
    )


def test_waits_in_place() -> None:
    began = NOW - timedelta(minutes=10)
    assert held_pipeline.describe_wait([INFRA], "k8s", began, None, "stop", NOW) == (
        f"k8s waits for infra since 11:54 UTC. {RUNS} Looked at 12:04 UTC; CodePipeline asks "
        "again by itself. "
        "To go on now all the same: gatectl release k8s. To stop waiting: stop this execution."
    )
    assert held_pipeline.describe_wait([INFRA], "k8s", began, DEADLINE, "continue", NOW) == (
        f"k8s waits for infra since 11:54 UTC. {RUNS} If that has not come by 14:04 UTC, it goes "
        "on all the same. "
        "Looked at 12:04 UTC; CodePipeline asks again by itself. "
        "To go on now all the same: gatectl release k8s. To stop waiting: stop this execution."
    )


def test_let_go() -> None:
    ann = "arn:aws:iam::123456789012:user/ann"
    assert open_gate.describe_release([INFRA], ann, NOW - timedelta(hours=2), NOW) == (
        f"Goes on in spite of infra: waited since 10:04 UTC, and {ann} let it go. {RUNS}"
    )


def test_gave_up() -> None:
    began = NOW - timedelta(hours=2)
    assert held_pipeline.describe_give_up([INFRA], began, NOW) == (
        f"Gave up: waited for infra since 10:04 UTC, as long as give_up_minutes says. {RUNS} "
        "Nothing starts by itself any more. Retry this stage to wait anew."
    )
    assert open_gate.describe_pass_after_give_up([INFRA], began, NOW) == (
        "Goes on in spite of infra: waited since 10:04 UTC, as long as give_up_minutes says. "
        f"{RUNS}"
    )


def test_observed() -> None:
    assert (
        open_gate.describe_observed_wait([INFRA], NOW)
        == f"Observe only: would have held this pipeline for infra. {RUNS}"
    )
    assert (
        open_gate.describe_observed_refusal("Wrong.")
        == "Observe only: would have failed this action. Wrong."
    )


def test_bypassed() -> None:
    assert open_gate.describe_bypass([Dependency("infra"), Dependency("net", stage="Deploy")]) == (
        "Bypassed: the pipeline variable asked for it, so nobody looked whether infra and net's "
        "stage Deploy runs."
    )


def test_a_deadlock() -> None:
    assert held_pipeline.describe_deadlock(
        Cycle(("k8s", "infra", "net", "k8s"), deadlock=True)
    ) == (
        "Deadlock: k8s waits for infra, which waits for net, which waits for k8s. None of them "
        "can go on before another does, so nothing "
        "would ever end this wait. Take one of these out of its depends_on, or let it require "
        "only that the other is idle, and not in "
        "the mode wait."
    )


def test_no_such_stage() -> None:
    assert refusals.describe_missing_stage("infra", "Deplyo", ["Source", "Deploy"]) == (
        "infra has no stage Deplyo; it has Source and Deploy. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


@pytest.mark.parametrize(
    "say",
    [
        lambda many: held_pipeline.describe_wait(many, "k8s", NOW, None, "stop", NOW),
        lambda many: open_gate.describe_pass_after_give_up(many, NOW, NOW),
        lambda many: open_gate.describe_observed_wait(many, NOW),
        lambda many: open_gate.describe_bypass([upstream.dependency for upstream in many] * 9),
        lambda many: open_gate.describe_observed_refusal("x" * 3000),
        lambda many: open_gate.describe_pass(many, NOW),
    ],
)
def test_every_summary_fits(say: Callable[[list[Upstream]], str]) -> None:
    assert (
        len(say([Upstream(Dependency("x" * 100, stage="y" * 100), unanswered="z" * 500)] * 9))
        <= 2048
    )  # model: ExecutionSummary


def test_every_failure_fits() -> None:
    many = [Upstream(Dependency("x" * 100), unanswered="z" * 1500)] * 9
    assert len(held_pipeline.describe_give_up(many, NOW, NOW)) == 5000  # model: Message


def test_what_passes_although_it_runs() -> None:
    there = INFRA.executions[0].id
    past = PipelineState((StageState("Net", there, "Succeeded", (), False, None, ()),))
    before = PipelineState((StageState("Net", None, "", (there,), True, None, ()),))
    passed = [
        Upstream(Dependency("infra", stage="Net"), INFRA.executions, past),
        Upstream(Dependency("infra", stage="Net", parked="pass"), INFRA.executions, before),
        Upstream(Dependency("infra", parked="pass"), INFRA.executions),
    ]
    assert open_gate.describe_pass(passed, NOW) == (
        "infra's stage Net does not count: execution 1a2b3c4d is past that stage; "
        "infra's stage Net does not count: execution 1a2b3c4d is parked until a person lets it go "
        "on; "
        "infra does not count: execution 1a2b3c4d is parked until a person lets it go on"
    )


def test_what_passes_because_its_one_stage_is_idle() -> None:
    done = (replace(INFRA.executions[0], status="Failed"),)
    there = StageState(
        "Net", "9a9a9a9a-0000-4000-8000-000000000001", "Succeeded", (), False, None, ()
    )
    wanted, never = Dependency("infra", stage="Net"), replace(there, execution=None, status="")
    assert open_gate.describe_pass([Upstream(wanted, done, PipelineState((there,)))], NOW) == (
        "infra's stage Net is idle: execution 9a9a9a9a Succeeded there"
    )
    assert (
        open_gate.describe_pass([Upstream(wanted, done, PipelineState((never,)))], NOW)
        == "infra's stage Net is idle: no execution has been there"
    )


def refused(ask: Callable[[], object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as error:
        ask()
    return str(error.value)


NO_JSON = f"Right would be {EXAMPLE}, or plain names: infra, network."
NO_NAME = "which is no pipeline's name: 1 to 100 letters, digits and . @ - _"
NO_NAMES = (
    f"{NO_NAME} (several names are separated by commas), or an ARN "
    "arn:aws:codepipeline:REGION:ACCOUNT:NAME."
)
ENTRY = "pipeline, require, stage, parked, role_arn, external_id"
STAGE = "the name of one of the upstream's stages, 1 to 100 letters, digits and . @ - _"
ROLE = "the ARN of a role that the gate may assume, arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME"
WORDS = "letters, digits and + = , . @ : / - _"
KNOWN = (
    "depends_on, require, hold, retry_minutes, give_up_minutes, on_give_up, revisions, "
    "parked, bypass, observe, pipeline, execution"
)
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
        '{"depends_on": [{}]}',
        'An entry of depends_on has no "pipeline": it names the pipeline to wait for.',
    ),
    (
        '{"depends_on": [1.5]}',
        'depends_on must hold pipelines\' names, ARNs or objects like {"pipeline": "infra"}, not '
        "a number.",
    ),
    ("a b", f'depends_on has "a b", {NO_NAMES}'),
    ('{"depends_on": "a", "pipeline": ""}', f'pipeline is "", {NO_NAME}.'),
    (
        '{"depend_on": "a"}',
        'UserParameters has an unknown key "depend_on" (did you mean depends_on?). Known: '
        f"{KNOWN}.",
    ),
    ('{"zzz": "a"}', f'UserParameters has an unknown key "zzz". Known: {KNOWN}.'),
    (
        '{"depends_on": {"pipeline": "a", "stgae": "b"}}',
        f'An entry of depends_on has an unknown key "stgae". Known: {ENTRY}.',
    ),
    (
        '{"depends_on": {"pipeline": 5}}',
        "pipeline, in an entry of depends_on, must be a name or an ARN, not a number.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "require": "green"}}',
        'require is "green", but must be one of idle, succeeded.',
    ),
    (
        '{"depends_on": "a", "require": true}',
        "require is true or false, but must be one of idle, succeeded.",
    ),
    ('{"depends_on": "a", "parked": "skip"}', 'parked is "skip", but must be one of wait, pass.'),
    (
        '{"depends_on": "a", "hold": "stop"}',
        'hold is "stop", but must be one of restart, retry, wait.',
    ),
    (
        '{"depends_on": "a", "revisions": "old"}',
        'revisions is "old", but must be one of latest, held.',
    ),
    (
        '{"depends_on": {"pipeline": "a", "stage": "De ploy"}}',
        "stage must be the name of one of the upstream's stages, 1 to 100 letters, digits and . "
        '@ - _, not "De ploy".',
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": "arn:aws:iam::111122223333:role/admin"}}',
        'role_arn is "arn:aws:iam::111122223333:role/admin"; it must be the ARN of a role that '
        "the gate may assume, "
        "arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": '
        '"arn:aws:iam::111122223333:role/pipeline-gate-look"}}',
        "role_arn is of another account than the pipeline a: name that as an ARN, "
        "arn:aws:codepipeline:REGION:ACCOUNT:NAME, "
        "with the role's account.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "x y"}}',
        f"external_id must be a string of 2 to 1224 {WORDS}.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "xy"}}',
        "depends_on has an external_id for a, but no role_arn that it would be for.",
    ),
    ('{"depends_on": {"pipeline": "a", "stage": 5}}', f"stage must be {STAGE}, not a number."),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": null}}',
        f"role_arn is null; it must be {ROLE}.",
    ),
    (
        '{"depends_on": {"pipeline": "arn:aws:codepipeline:eu-west-1:444455556666:a", '
        '"role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-look"}}',
        "role_arn is of another account than the pipeline a: name that as an ARN, "
        "arn:aws:codepipeline:REGION:ACCOUNT:NAME, "
        "with the role's account.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "external_id": 5}}',
        f"external_id must be a string of 2 to 1224 {WORDS}.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "parked": null}}',
        "parked is null, but must be one of wait, pass.",
    ),
    (
        '{"depends_on": {"pipeline": "arn:aws:codepipeline:x:1:a"}}',
        f'depends_on has "arn:aws:codepipeline:x:1:a", {NO_NAMES}',
    ),
    (
        '{"depends_on": "a", "hold": 5}',
        "hold is a number, but must be one of restart, retry, wait.",
    ),
    (
        '{"depends_on": "a", "revisions": []}',
        "revisions is a list, but must be one of latest, held.",
    ),
    (
        '{"depends_on": "a", "give_up_minutes": 20161}',
        "give_up_minutes is 20161, but must be a whole number of minutes, 1 to 20160 (14 days).",
    ),
    (
        '{"depends_on": "a", "bypass": "#{variables.bypass}"}',
        'bypass is "#{variables.bypass}", but must be the string "true" or "false". Write it as '
        '"#{variables.bypass}", and declare the '
        'pipeline variable bypass with the default "false".',
    ),
    (
        '{"depends_on": "a", "give_up_minutes": 0}',
        "give_up_minutes is 0, but must be a whole number of minutes, 1 to 20160 (14 days).",
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
        '{"depends_on": "a", "give_up_minutes": 5, "on_give_up": "go"}',
        'on_give_up is "go", but must be one of stop, continue.',
    ),
    (
        '{"depends_on": "a", "bypass": true}',
        'bypass is true or false, but must be the string "true" or "false". Write it as '
        '"#{variables.bypass}", and declare the pipeline '
        'variable bypass with the default "false".',
    ),
    ('{"depends_on": "a", "observe": "true"}', "observe must be true or false, not a string."),
    (
        '{"depends_on": "a", "pipeline": 5}',
        "pipeline must be this pipeline's own name, not a number.",
    ),
    (
        '{"depends_on": "a", "retry_minutes": 7}',
        f"retry_minutes is 7, but must divide 60: one of {MINUTES}.",
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
        "execution must be a string, not a number. Write it as "
        '"#{codepipeline.PipelineExecutionId}".',
    ),
    (
        '{"depends_on": "a", "execution": "x"}',
        'execution is "x", which is no execution id. Write it as '
        '"#{codepipeline.PipelineExecutionId}": CodePipeline fills in the id.',
    ),
]


@pytest.mark.parametrize(("text", "said"), PARAMETERS)
def test_wrong_parameters(text: str | None, said: str) -> None:
    assert refused(lambda: parse_parameters(text, "5"), Misconfigured) == said


def test_an_account_that_is_closed_to_the_gate() -> None:
    arn = "arn:aws:codepipeline:eu-west-1:111122223333:infra"
    assert refused(
        lambda: refuse_closed_accounts([Dependency("net"), Dependency(arn)], "123456789012"),
        Misconfigured,
    ) == (
        "infra is in account 111122223333, and the gate in 123456789012. Add a role_arn that lets "
        "the gate look: "
        f'{{"pipeline": "{arn}", "role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-..."}}.'
    )


def test_a_wrong_default() -> None:
    assert refused(lambda: parse_parameters("infra", "7"), Misconfigured) == (
        f'The gate\'s environment variable RETRY_MINUTES is "7": it must be one of {MINUTES}. It '
        "stands in .chalice/config.json."
    )


def test_as_many_names_as_a_rule_takes() -> None:
    names = [f"{n:0>44}" for n in range(37)]
    longest = [
        *names,
        "x" * (2048 - len(build_pattern([Dependency(name) for name in (*names, "")]))),
    ]
    asked = parse_parameters(json.dumps({"depends_on": longest}), "5")
    assert len(build_pattern(asked.depends_on)) == 2048  # EventBridge's default quota
    assert [one.name for one in asked.depends_on] == longest
    assert refused(
        lambda: parse_parameters(json.dumps({"depends_on": [*names, longest[-1] + "x"]}), "5"),
        Misconfigured,
    ) == (
        "depends_on has 38 names, more than fit into one EventBridge rule (2048 characters, with "
        "the rule's own words). "
        "Spread them over several gate actions."
    )


def test_events_that_a_function_does_not_serve() -> None:
    assert refused(lambda: Job.parse({}), RefusedInput) == (
        "This event is no CodePipeline job: it has no `CodePipeline.job` with the `id` of one. "
        "The gate is invoked by an action of provider Lambda in a pipeline, not by hand."
    )
    here = Deployment("aws", "eu-west-1", "123456789012", "dev")
    assert refused(lambda: read_rule_name({}, here), RefusedInput) == (
        'This event names no hold: {"rule": "..."} is missing. The retry is invoked by the '
        "gate's own EventBridge rules."
    )
    assert refused(lambda: read_rule_name({"rule": "nightly"}, here), RefusedInput) == (
        'The rule "nightly" is none of this gate\'s: those are named pipeline-gate-dev-<execution '
        "id>. Nothing was touched."
    )


def test_a_deployment_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETRY_FUNCTION_ARN", raising=False)
    assert refused(lambda: Deployment.from_context(None), Misconfigured) == (
        "The gate cannot tell its deployment: '' is no ARN of a function pipeline-gate-STAGE-gate "
        "or pipeline-gate-STAGE-retry. "
        "Deploy it with Chalice, or set RETRY_FUNCTION_ARN."
    )
    assert refused(lambda: refuse_long_stage("s" * 14), Misconfigured) == (
        "The Chalice stage 'ssssssssssssss' has 14 characters; the gate's rules are named after "
        "it, and that leaves room for 13. "
        "Take a shorter name."
    )
