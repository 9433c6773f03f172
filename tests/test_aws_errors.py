"""Each AWS call of the gate, when AWS refuses it: the error says which call it was, in the words of
an IAM policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
    ("codepipeline:GetPipelineExecution", lambda aws: aws.codepipeline.read_execution("infra", ID)),
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


@pytest.mark.parametrize(("call", "ask"), CALLS)
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", NotPermitted),
        ("ThrottlingException", NoAnswer),
        ("NeverHeardOfException", UnexpectedAnswer),
    ],
)
def test_a_call_that_fails_is_named(
    aws: Aws, refusing: Calls, call: str, ask: Ask, code: str, kind: type[Exception]
) -> None:
    """What the messages add: tests/unit/test_errors.py."""
    refusing.fail(call.partition(":")[2], code)
    with pytest.raises(kind, match=f"{call} "):
        ask(aws)


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
        lambda aws: aws.codepipeline.read_execution("nowhere", ID),
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
        aws.codepipeline.read_execution("infra", ID)


def test_a_full_quota_of_rules_is_recognized(aws: Aws, scene: Scene) -> None:
    scene.only_room_for(0)
    with pytest.raises(NoRoom, match=r"^events:PutRule$"):
        put(aws.eventbridge)


def test_a_rule_that_goes_while_it_is_made_leaves_a_hold_unmade(aws: Aws, refusing: Calls) -> None:
    refusing.fail("PutTargets", "ResourceNotFoundException")
    with pytest.raises(
        NoAnswer, match=f"^the rule {RULE} was removed 3 times while it was being made$"
    ):
        put(aws.eventbridge)


def test_a_rule_that_is_gone_keeps_no_hold_and_needs_no_removal(aws: Aws) -> None:
    assert aws.eventbridge.read_hold(RULE) is None
    assert not aws.eventbridge.remove_target(RULE)


@pytest.mark.parametrize(
    "target",
    [{}, *({"Input": text} for text in ("[]", "{}", HOLD.as_input().replace(RULE, "another")))],
)
def test_a_target_that_is_not_a_hold_is_reported(aws: Aws, scene: Scene, target: Any) -> None:
    put(aws.eventbridge)
    rewritten: Any = {"Id": "retry", "Arn": ARN, **target}
    scene.events.put_targets(Rule=RULE, Targets=[rewritten])
    with pytest.raises(ValueError, match=f"The target of rule {RULE} is not as the gate"):
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


class TestAllowRules:
    """AddPermission answers with the same error code if the function already has the statement, and
    if AWS is just changing the function.
    """

    UPDATING = (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{ARN}"
    )

    @pytest.fixture
    def update(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
        """Let AddPermission fail that many times because the function is being updated."""
        client = aws.lambda_permissions._client
        real = client.add_permission

        def begin(failures: int) -> None:
            error: Any = {"Code": "ResourceConflictException", "Message": self.UPDATING}
            refusals = [ClientError({"Error": error}, "AddPermission")] * failures

            def add_permission(**request: Any) -> Any:
                if refusals:
                    raise refusals.pop()
                return real(**request)

            monkeypatch.setattr(client, "add_permission", add_permission)

        return begin

    def test_a_function_that_is_being_updated_gets_the_statement_afterwards(
        self, aws: Aws, scene: Scene, update: Callable[[int], None]
    ) -> None:
        update(2)
        aws.lambda_permissions.allow_rules(ARN, "arn:aws:events:*")
        policy = scene.awslambda.get_policy(FunctionName="pipeline-gate-dev-retry")["Policy"]
        assert "pipeline-gate-rules" in policy
        assert NOON < datetime.now(UTC) < NOON + timedelta(minutes=1)

    def test_an_update_that_takes_long_is_no_permission(
        self, aws: Aws, update: Callable[[int], None]
    ) -> None:
        update(100)
        for _ in range(2):
            with pytest.raises(NoAnswer, match="lambda:AddPermission was not answered"):
                aws.lambda_permissions.allow_rules(ARN, "arn:aws:events:*")

    @pytest.mark.parametrize("exists", [False, True])
    def test_a_runtime_makes_the_call_only_once(
        self, aws: Aws, scene: Scene, refusing: Calls, exists: bool
    ) -> None:
        if exists:
            scene.awslambda.add_permission(
                FunctionName="pipeline-gate-dev-retry",
                StatementId="pipeline-gate-rules",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
            )
        for _ in range(2):
            aws.lambda_permissions.allow_rules(ARN, "arn:aws:events:*")
        assert refusing.made == ["AddPermission"]


@pytest.mark.parametrize("client", ["codepipeline", "eventbridge", "lambda_permissions"])
def test_aws_is_asked_for_minutes_and_given_seconds_for_each_answer(aws: Aws, client: str) -> None:
    config = getattr(aws, client)._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 20}
