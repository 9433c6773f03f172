"""Every sentence of the console and of an error, word for word: they are what a person has to act on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import messages, wording
from chalicelib.dependency import Dependency
from chalicelib.deployment import Deployment, refuse_long
from chalicelib.errors import Misconfigured, RefusedInput, UnexpectedAnswer
from chalicelib.executions import Execution
from chalicelib.hold import Hold, pattern, rule_named_by
from chalicelib.job import Job
from chalicelib.parameters import read
from chalicelib.upstream import Upstream

NOW = datetime(2026, 1, 5, 12, 4, 30, tzinfo=UTC)
EXAMPLE = '{"depends_on": ["infra"], "pipeline": "k8s", "execution": "#{codepipeline.PipelineExecutionId}"}'
MINUTES = "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"


def run(status: str, minutes_ago: int, id_: str = "1a2b3c4d-0000-4000-8000-000000000001") -> Execution:
    return Execution(id_, status, NOW - timedelta(minutes=minutes_ago), NOW)


HOLD = Hold("the-rule", "k8s", "5e6f7a8b-0", (), NOW)
BUSY = (
    Upstream(Dependency("infra"), (run("InProgress", 3), run("Stopping", 4, "5e6f7a8b-0"))),
    Upstream(Dependency("net"), unanswered="throttled"),
)
WHY = (
    "infra runs: execution 1a2b3c4d is InProgress since 12:01 UTC and execution 5e6f7a8b is Stopping since 12:00 UTC. "
    "Whether net runs is not known: throttled."
)


def test_held() -> None:
    assert messages.held(BUSY, HOLD, 5, NOW + timedelta(minutes=5), NOW) == (
        f"k8s waits for infra and net since 12:04 UTC. {WHY} "
        "This execution ends here, and that is as planned: k8s starts again by itself within seconds of the end of infra and net "
        "(looked at again every 5 minutes too, next at 12:09 UTC). There is nothing to do. "
        "To stop waiting, remove the EventBridge rule the-rule with its target."
    )


def test_held_by_more_than_a_person_wants_to_read() -> None:
    waiting = [Upstream(Dependency(f"p{n}"), (run("InProgress", 3),)) for n in range(7)]
    each = " ".join(f"p{n} runs: execution 1a2b3c4d is InProgress since 12:01 UTC." for n in range(5))
    names = "p0, p1, p2, p3, p4 and 2 more"
    assert messages.held(waiting, HOLD, 1, NOW + timedelta(days=1), NOW) == (
        f"k8s waits for {names} since 12:04 UTC. {each} So do 2 more. "
        f"This execution ends here, and that is as planned: k8s starts again by itself within seconds of the end of {names} "
        "(looked at again every minute too, next at 2026-01-06 12:04 UTC). There is nothing to do. "
        "To stop waiting, remove the EventBridge rule the-rule with its target."
    )
    assert "more" not in messages.held(waiting[:5], HOLD, 1, NOW, NOW)


def test_no_room() -> None:
    assert messages.no_room(BUSY, NOW) == (
        f"{WHY} All of EventBridge's rules are taken (300 a region, unless your quota is higher), so this action stays in progress and "
        "looks again when CodePipeline asks. Remove rules that nobody needs, or ask AWS for a higher quota."
    )
    assert len(messages.no_room([Upstream(Dependency("x"), unanswered="y" * 500)] * 9, NOW)) == 2048  # model: ExecutionSummary


def test_no_such_upstream() -> None:
    assert messages.no_such_upstream("Infra", "123456789012", "eu-west-1") == (
        "There is no pipeline Infra in account 123456789012, region eu-west-1. "
        "Correct depends_on in this action's UserParameters; upper and lower case count."
    )


def test_not_this_pipelines_execution() -> None:
    assert messages.not_this_pipelines("5e6f", "k9s") == (
        "k9s has no execution 5e6f. In UserParameters, `pipeline` must be the name of the pipeline that this "
        'action stands in, and `execution` "#{codepipeline.PipelineExecutionId}".'
    )


@pytest.mark.parametrize(
    ("key", "right"),
    [("pipeline", '"pipeline": "<this pipeline\'s name>"'), ("execution", '"execution": "#{codepipeline.PipelineExecutionId}"')],
)
def test_whose_job_it_is(key: str, right: str) -> None:
    assert messages.who_am_i(key) == (
        f"The gate must hold this pipeline, but CodePipeline does not tell it which {key} this is. "
        f"Add {right} to this action's UserParameters."
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [(KeyError("a secret"), "KeyError"), (UnexpectedAnswer("events:PutRule answered Whatever"), "events:PutRule answered Whatever")],
)
def test_a_defect(error: Exception, kind: str) -> None:
    assert messages.defect(error, "req-1") == (
        f"The gate itself failed ({kind}); neither the pipelines nor this action's parameters need be at fault. "
        "Retry this stage; if it fails again, look into the gate function's log at request req-1 and report what stands there."
    )


def test_a_rules_description() -> None:
    assert messages.rule_description(replace(HOLD, depends_on=(Dependency("infra"), Dependency("net"))), [], NOW) == (
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
    assert wording.some(names) == said


def test_what_is_too_long_ends_in_dots() -> None:
    assert wording.quoted("x" * 60) == '"' + "x" * 60 + '"'
    assert wording.quoted("x" * 61) == '"' + "x" * 60 + '..."'
    assert (wording.shortened("x" * 10, 10), wording.shortened("x" * 11, 10)) == ("x" * 10, "x" * 7 + "...")


def refused(ask: Callable[[], object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as error:
        ask()
    return str(error.value)


NO_JSON = f"Right would be {EXAMPLE}, or plain names: infra, network."
NO_NAME = "which is no pipeline's name: 1 to 100 letters, digits and . @ - _"
NO_NAMES = f"{NO_NAME} (several names are separated by commas), or an ARN arn:aws:codepipeline:REGION:ACCOUNT:NAME."
ENTRY = "pipeline, require, stage, parked, role_arn, external_id"
WORDS = "letters, digits and + = , . @ : / - _"
KNOWN = "depends_on, require, hold, retry_minutes, give_up_minutes, on_give_up, revisions, parked, bypass, observe, pipeline, execution"
PARAMETERS: list[tuple[str | None, str]] = [
    (None, f"The action has no UserParameters. They say what to wait for, for example {EXAMPLE}."),
    ('{"depends_on": "infra', f"UserParameters is not valid JSON (Unterminated string starting at character 16). {NO_JSON}"),
    ("[" * 100_000, f"UserParameters is not valid JSON (it is nested too deep). {NO_JSON}"),
    ('{"a": ' + "9" * 5000 + "}", f"UserParameters is not valid JSON (it has a number that is too long). {NO_JSON}"),
    ('{"a": 1, "a": 2}', 'UserParameters has two keys "a": leave one of them out.'),
    ('["infra"]', f"UserParameters must be a JSON object or plain names, not a list. Right would be {EXAMPLE}."),
    ("{}", f"UserParameters has no depends_on: it names the pipelines to wait for. Right would be {EXAMPLE}."),
    ('{"depends_on": []}', "depends_on is an empty list: name at least one pipeline to wait for, or take the action out."),
    ('{"depends_on": null}', "depends_on must be a pipeline's name or a list of names, not null."),
    ('{"depends_on": {}}', 'An entry of depends_on has no "pipeline": it names the pipeline to wait for.'),
    ('{"depends_on": [{}]}', 'An entry of depends_on has no "pipeline": it names the pipeline to wait for.'),
    ('{"depends_on": [1.5]}', 'depends_on must hold pipelines\' names, ARNs or objects like {"pipeline": "infra"}, not a number.'),
    ("a b", f'depends_on has "a b", {NO_NAMES}'),
    ('{"depends_on": "a", "pipeline": ""}', f'pipeline is "", {NO_NAME}.'),
    (
        '{"depend_on": "a"}',
        f'UserParameters has an unknown key "depend_on" (did you mean depends_on?). Known: {KNOWN}.',
    ),
    ('{"zzz": "a"}', f'UserParameters has an unknown key "zzz". Known: {KNOWN}.'),
    ('{"depends_on": {"pipeline": "a", "stgae": "b"}}', f'An entry of depends_on has an unknown key "stgae". Known: {ENTRY}.'),
    ('{"depends_on": {"pipeline": 5}}', "pipeline, in an entry of depends_on, must be a name or an ARN, not a number."),
    ('{"depends_on": {"pipeline": "a", "require": "green"}}', 'require is "green", but must be one of idle, succeeded.'),
    ('{"depends_on": "a", "require": true}', "require is true or false, but must be one of idle, succeeded."),
    ('{"depends_on": "a", "parked": "skip"}', 'parked is "skip", but must be one of wait, pass.'),
    ('{"depends_on": "a", "hold": "stop"}', 'hold is "stop", but must be one of restart, retry, wait.'),
    ('{"depends_on": "a", "revisions": "old"}', 'revisions is "old", but must be one of latest, held.'),
    (
        '{"depends_on": {"pipeline": "a", "stage": "De ploy"}}',
        'stage must be the name of one of the upstream\'s stages, 1 to 100 letters, digits and . @ - _, not "De ploy".',
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": "arn:aws:iam::111122223333:role/admin"}}',
        'role_arn is "arn:aws:iam::111122223333:role/admin"; it must be the ARN of a role that the gate may assume, '
        "arn:aws:iam::ACCOUNT:role/pipeline-gate-NAME.",
    ),
    (
        '{"depends_on": {"pipeline": "a", "role_arn": "arn:aws:iam::111122223333:role/pipeline-gate-look"}}',
        "role_arn is of another account than the pipeline a: name that as an ARN, arn:aws:codepipeline:REGION:ACCOUNT:NAME, "
        "with the role's account.",
    ),
    ('{"depends_on": {"pipeline": "a", "external_id": "x y"}}', f"external_id must be a string of 2 to 1224 {WORDS}."),
    (
        '{"depends_on": {"pipeline": "a", "external_id": "xy"}}',
        "depends_on has an external_id for a, but no role_arn that it would be for.",
    ),
    ('{"depends_on": "a", "give_up_minutes": 0}', "give_up_minutes is 0, but must be a whole number of minutes, 1 to 20160 (14 days)."),
    (
        '{"depends_on": "a", "give_up_minutes": "5"}',
        "give_up_minutes must be a whole number of minutes, 1 to 20160 (14 days), not a string.",
    ),
    (
        '{"depends_on": "a", "on_give_up": "stop"}',
        'on_give_up says what happens after give_up_minutes, which is not there: add "give_up_minutes": 120, or the like.',
    ),
    ('{"depends_on": "a", "give_up_minutes": 5, "on_give_up": "go"}', 'on_give_up is "go", but must be one of stop, continue.'),
    (
        '{"depends_on": "a", "bypass": true}',
        'bypass is true or false, but must be the string "true" or "false". Write it as "#{variables.bypass}", and declare the pipeline '
        'variable bypass with the default "false".',
    ),
    ('{"depends_on": "a", "observe": "true"}', "observe must be true or false, not a string."),
    ('{"depends_on": "a", "pipeline": 5}', "pipeline must be this pipeline's own name, not a number."),
    ('{"depends_on": "a", "retry_minutes": 7}', f"retry_minutes is 7, but must divide 60: one of {MINUTES}."),
    (
        '{"depends_on": "a", "retry_minutes": ' + "7" * 99 + "}",
        f"retry_minutes is {'7' * 20}, but must divide 60: one of {MINUTES}.",
    ),
    ('{"depends_on": "a", "retry_minutes": true}', f"retry_minutes must be a whole number, one of {MINUTES}, not true or false."),
    (
        '{"depends_on": "a", "pipeline": "a"}',
        "a depends on itself: it runs while it asks, so it would wait for ever. Take it out of depends_on.",
    ),
    (
        '{"depends_on": "a", "execution": 5}',
        'execution must be a string, not a number. Write it as "#{codepipeline.PipelineExecutionId}".',
    ),
    (
        '{"depends_on": "a", "execution": "x"}',
        'execution is "x", which is no execution id. Write it as "#{codepipeline.PipelineExecutionId}": CodePipeline fills in the id.',
    ),
]


@pytest.mark.parametrize(("text", "said"), PARAMETERS)
def test_wrong_parameters(text: str | None, said: str) -> None:
    assert refused(lambda: read(text, "5"), Misconfigured) == said


def test_a_wrong_default() -> None:
    assert refused(lambda: read("infra", "7"), Misconfigured) == (
        f'The gate\'s environment variable RETRY_MINUTES is "7": it must be one of {MINUTES}. It stands in .chalice/config.json.'
    )


def test_as_many_names_as_a_rule_takes() -> None:
    names = [f"{n:0>44}" for n in range(37)]
    longest = [*names, "x" * (2048 - len(pattern([Dependency(name) for name in (*names, "")])))]
    asked = read(json.dumps({"depends_on": longest}), "5")
    assert len(pattern(asked.depends_on)) == 2048  # EventBridge's default quota
    assert [one.name for one in asked.depends_on] == longest
    assert refused(lambda: read(json.dumps({"depends_on": [*names, longest[-1] + "x"]}), "5"), Misconfigured) == (
        "depends_on has 38 names, more than fit into one EventBridge rule (2048 characters, with the rule's own words). "
        "Spread them over several gate actions."
    )


def test_events_that_a_function_does_not_serve() -> None:
    assert refused(lambda: Job.of({}), RefusedInput) == (
        "This event is no CodePipeline job: it has no `CodePipeline.job` with the `id` of one. "
        "The gate is invoked by an action of provider Lambda in a pipeline, not by hand."
    )
    here = Deployment("aws", "eu-west-1", "123456789012", "dev")
    assert refused(lambda: rule_named_by({}, here), RefusedInput) == (
        'This event names no hold: {"rule": "..."} is missing. The retry is invoked by the gate\'s own EventBridge rules.'
    )
    assert refused(lambda: rule_named_by({"rule": "nightly"}, here), RefusedInput) == (
        'The rule "nightly" is none of this gate\'s: those are named pipeline-gate-dev-<execution id>. Nothing was touched.'
    )


def test_a_deployment_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETRY_FUNCTION_ARN", raising=False)
    assert refused(lambda: Deployment.of(None), Misconfigured) == (
        "The gate cannot tell its deployment: '' is no ARN of a function pipeline-gate-STAGE-gate or pipeline-gate-STAGE-retry. "
        "Deploy it with Chalice, or set RETRY_FUNCTION_ARN."
    )
    assert refused(lambda: refuse_long("s" * 14), Misconfigured) == (
        "The Chalice stage 'ssssssssssssss' has 14 characters; the gate's rules are named after it, and that leaves room for 13. "
        "Take a shorter name."
    )
