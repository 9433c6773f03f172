"""Each AWS call of the gate, when AWS refuses it: the error says which call it was, in the words of
an IAM policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from chalicelib.aws.clients import Aws
from chalicelib.aws.eventbridge import EventBridge
from chalicelib.errors import NoAnswer, NoRoom, NotPermitted, PipelineNotFound, UnexpectedAnswer
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from sandbox.account import REGION
from sandbox.inprocess import DrivenWorld
from tests.support.calls import Calls
from tests.support.scene import Scene

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ID = "5e6f7a8b-0000-4000-8000-000000000001"
RULE = f"pipeline-gate-dev-{ID}"
HOLD = Hold(RULE, "k8s", ID, (Dependency("infra"),), NOON)
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:pipeline-gate-dev-retry"


def put(eventbridge: EventBridge) -> None:
    eventbridge.put_hold(HOLD, "rate(5 minutes)", "a hold", ARN)


Ask = Callable[[Aws], object]
CALLS: list[tuple[str, Ask]] = [
    (
        "codepipeline:ListPipelineExecutions",
        lambda aws: aws.codepipeline.list_executions("infra", NOON),
    ),
    ("codepipeline:GetPipelineExecution", lambda aws: aws.codepipeline.read_variables("infra", ID)),
    ("codepipeline:ListActionExecutions", lambda aws: aws.codepipeline.list_attempts("infra", ID)),
    (
        "codepipeline:ListRuleExecutions",
        lambda aws: aws.codepipeline.list_condition_attempts("infra", ID),
    ),
    ("codepipeline:GetPipelineState", lambda aws: aws.codepipeline.read_state("infra")),
    (
        "codepipeline:RetryStageExecution",
        lambda aws: aws.codepipeline.retry_stage("infra", "Gate", ID),
    ),
    ("codepipeline:GetJobDetails", lambda aws: aws.codepipeline.read_job_owner(ID)),
    ("codepipeline:PutJobSuccessResult", lambda aws: aws.codepipeline.succeed_job(ID, "idle", {})),
    (
        "codepipeline:PutJobSuccessResult",
        lambda aws: aws.codepipeline.keep_job_open(ID, "token", "no room"),
    ),
    (
        "codepipeline:PutJobFailureResult",
        lambda aws: aws.codepipeline.fail_job(ID, "JobFailed", "held"),
    ),
    (
        "codepipeline:StartPipelineExecution",
        lambda aws: aws.codepipeline.start_pipeline("infra", "token", {}, ()),
    ),
    ("events:PutRule", lambda aws: put(aws.eventbridge)),
    ("events:PutTargets", lambda aws: put(aws.eventbridge)),
    (
        "events:PutEvents",
        lambda aws: aws.eventbridge.send_events("default", "pipeline-gate", "x", [{}]),
    ),
    ("events:ListTargetsByRule", lambda aws: aws.eventbridge.read_hold(RULE)),
    ("events:RemoveTargets", lambda aws: aws.eventbridge.remove_target(RULE)),
    ("events:DeleteRule", lambda aws: aws.eventbridge.delete_empty_rule(RULE)),
    (
        "lambda:AddPermission",
        lambda aws: aws.lambda_permissions.allow_rules(ARN, "arn:aws:events:*"),
    ),
]
each_call = pytest.mark.parametrize(("call", "ask"), CALLS)


@pytest.fixture
def aws(world: DrivenWorld) -> Aws:
    """Clients of this test's own, as in a Lambda runtime that has just begun."""
    aws = Aws()
    made = (
        aws.codepipeline,
        aws.eventbridge,
        aws.lambda_permissions,
    )  # now, so that `refusing` sees them
    assert all(made)
    return aws


@pytest.fixture
def refusing(aws: Aws) -> Iterator[Calls]:
    with Calls(aws) as calls:
        yield calls


@each_call
def test_a_denied_call_is_named(aws: Aws, refusing: Calls, call: str, ask: Ask) -> None:
    refusing.fail(call.partition(":")[2], "AccessDeniedException")
    with pytest.raises(NotPermitted) as error:
        ask(aws)
    assert str(error.value) == f"AWS denied {call} (so it was told)"


@each_call
def test_a_call_without_an_answer_is_named(aws: Aws, refusing: Calls, call: str, ask: Ask) -> None:
    refusing.fail(call.partition(":")[2], "ThrottlingException")
    with pytest.raises(NoAnswer) as error:
        ask(aws)
    assert str(error.value) == f"{call} was not answered (ThrottlingException)"


@each_call
def test_an_answer_that_nobody_expects_is_named_without_awss_words(
    aws: Aws, refusing: Calls, call: str, ask: Ask
) -> None:
    refusing.fail(call.partition(":")[2], "NeverHeardOfException")
    with pytest.raises(UnexpectedAnswer) as error:
        ask(aws)
    assert str(error.value) == f"{call} answered NeverHeardOfException"


@pytest.mark.parametrize("code", ["InvalidJobStateException", "JobNotFoundException"])
@pytest.mark.parametrize(("call", "ask"), [(call, ask) for call, ask in CALLS if "PutJob" in call])
def test_a_job_that_has_its_result_or_is_gone_is_no_error(
    aws: Aws, refusing: Calls, code: str, call: str, ask: Ask
) -> None:
    refusing.fail(call.partition(":")[2], code)
    assert ask(aws) is False


@pytest.mark.parametrize(
    "ask",
    [
        lambda aws: aws.codepipeline.list_executions("nowhere", NOON),
        lambda aws: aws.codepipeline.read_variables("nowhere", ID),
        lambda aws: aws.codepipeline.list_attempts("nowhere", ID),
        lambda aws: aws.codepipeline.list_condition_attempts("nowhere", ID),
        lambda aws: aws.codepipeline.read_state("nowhere"),
        lambda aws: aws.codepipeline.retry_stage("nowhere", "Gate", ID),
        lambda aws: aws.codepipeline.start_pipeline("nowhere", "token", {}, ()),
    ],
)
def test_a_pipeline_that_does_not_exist_is_named(aws: Aws, ask: Ask) -> None:
    with pytest.raises(PipelineNotFound, match=r"^nowhere$"):
        ask(aws)


def test_an_execution_that_does_not_exist_counts_as_its_pipelines_fault(
    aws: Aws, scene: Scene
) -> None:
    scene.pipeline("infra")
    with pytest.raises(PipelineNotFound, match=r"^infra$"):
        aws.codepipeline.read_variables("infra", ID)


def test_a_quota_of_rules_that_is_used_up_is_told_apart(aws: Aws, scene: Scene) -> None:
    scene.only_room_for(0)
    with pytest.raises(NoRoom, match=r"^events:PutRule$"):
        put(aws.eventbridge)


def test_a_rule_that_goes_while_it_is_made_leaves_a_hold_unmade(aws: Aws, refusing: Calls) -> None:
    refusing.fail("PutTargets", "ResourceNotFoundException")
    with pytest.raises(
        NoAnswer, match=f"^the rule {RULE} was removed 3 times while it was being made$"
    ):
        put(aws.eventbridge)


def test_rules_may_invoke_the_retry_and_do_nothing_else(aws: Aws, scene: Scene) -> None:
    aws.lambda_permissions.allow_rules(ARN, f"arn:aws:events:{REGION}:123456789012:rule/x-*")
    (statement,) = json.loads(scene.awslambda.get_policy(FunctionName=ARN)["Policy"])["Statement"]
    assert (statement["Sid"], statement["Effect"], statement["Action"]) == (
        "pipeline-gate-rules",
        "Allow",
        "lambda:InvokeFunction",
    )
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}


def test_a_rule_that_is_gone_keeps_no_hold_and_needs_no_removal(aws: Aws) -> None:
    assert aws.eventbridge.read_hold(RULE) is None
    assert not aws.eventbridge.remove_target(RULE)


@pytest.mark.parametrize("held", ["[]", "{}", HOLD.as_input().replace(RULE, "another")])
def test_a_target_that_holds_something_else_is_said_to(aws: Aws, scene: Scene, held: str) -> None:
    put(aws.eventbridge)
    scene.events.put_targets(Rule=RULE, Targets=[{"Id": "retry", "Arn": ARN, "Input": held}])
    with pytest.raises(ValueError, match="does not hold") as error:
        aws.eventbridge.read_hold(RULE)
    assert str(error.value) == (
        f"The target of rule {RULE} does not hold what the gate wrote there. Remove the rule, or "
        "let the gate make it anew."
    )


def test_a_target_without_an_input_is_not_the_gates(aws: Aws, scene: Scene) -> None:
    put(aws.eventbridge)
    scene.events.put_targets(Rule=RULE, Targets=[{"Id": "retry", "Arn": ARN}])
    with pytest.raises(ValueError, match="does not hold"):
        aws.eventbridge.read_hold(RULE)


@pytest.mark.parametrize(
    ("operation", "ask"),
    [("put_targets", lambda aws: put(aws.eventbridge)), ("remove_targets", CALLS[15][1])],
)
def test_entries_that_fail_in_part_are_named_by_awss_code(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, operation: str, ask: Ask
) -> None:
    entries = [
        {
            "TargetId": "retry",
            "ErrorCode": "ConcurrentModificationException",
            "ErrorMessage": "a secret",
        },
        {"TargetId": "x"},
    ]
    monkeypatch.setattr(
        aws.eventbridge._client,
        operation,
        lambda **_: {"FailedEntryCount": 2, "FailedEntries": entries},
    )
    with pytest.raises(NoAnswer) as error:
        ask(aws)
    name = "".join(word.capitalize() for word in operation.split("_"))
    assert (
        str(error.value)
        == f"events:{name} did not take effect (ConcurrentModificationException, ?)"
    )


def test_a_rule_with_somebody_elses_target_keeps_no_hold(aws: Aws, scene: Scene) -> None:
    put(aws.eventbridge)
    scene.events.put_targets(Rule=RULE, Targets=[{"Id": "mine", "Arn": ARN}])
    assert aws.eventbridge.read_hold(RULE) == HOLD
    scene.events.remove_targets(Rule=RULE, Ids=["retry"])
    assert aws.eventbridge.read_hold(RULE) is None


@pytest.mark.parametrize("client", ["codepipeline", "eventbridge", "lambda_permissions"])
def test_aws_is_asked_for_minutes_and_given_seconds_for_each_answer(aws: Aws, client: str) -> None:
    config = getattr(aws, client)._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 16}
