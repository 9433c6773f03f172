"""`gatectl explain` of a hold that nothing will end: it promises no start then, and says what mends
it.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.gatectl import test_explain
from tests.gatectl.test_explain import commands, held, states, words
from tests.support.cli import run
from tests.support.deployment import delete, deploy, mend
from tests.support.scene import Scene

deny = test_explain.deny
"""The fixture."""

RETRY = "pipeline-gate-dev-retry"
PROMISE = "starts again by itself"


def test_the_retry_was_deleted_with_a_hold_open(sound: Scene) -> None:
    execution = held(sound)
    delete("dev")
    said = run("explain", "k8s")
    assert said.words.startswith(
        "k8s waits for infra since 12:00 UTC (7 min), and nothing will start it again: the "
        f"function {RETRY}, which its rule invokes, is "
        "not there. infra runs: execution"
    )
    assert PROMISE not in said.words
    rule = f"pipeline-gate-dev-{execution}"
    assert commands(said) == [
        "chalice deploy --stage dev",
        "gatectl doctor --mend",
        "gatectl detach k8s",
        "aws codepipeline start-pipeline-execution --name k8s",
        f"aws events remove-targets --rule {rule} --ids retry",
        f"aws events delete-rule --name {rule}",
    ], "release would invoke what is not there"
    assert states() == ["broken"]
    deploy("dev")
    assert states() == ["broken"], "its resource policy went with it"
    mend()
    assert states() == ["held"]


def test_its_rules_may_not_invoke_the_retry(sound: Scene) -> None:
    held(sound)
    sound.awslambda.remove_permission(FunctionName=RETRY, StatementId="pipeline-gate-rules")
    said = run("explain", "k8s")
    assert (
        f"nothing will start it again: something is wrong with the function {RETRY}, which its "
        "rule invokes. The gate's EventBridge rules "
        "may not invoke it: no statement of its resource policy says so." in said.words
    )
    assert PROMISE not in said.words
    assert commands(said)[:2] == ["gatectl doctor --mend", "gatectl release k8s"]
    mend()
    assert states() == ["held"]


def test_the_retry_never_runs(sound: Scene) -> None:
    held(sound)
    sound.awslambda.put_function_concurrency(FunctionName=RETRY, ReservedConcurrentExecutions=0)
    said = run("explain", "k8s")
    assert "Its reserved concurrency is 0, so Lambda never runs it." in said.words
    assert "To give it back its share, unless somebody has stopped it on purpose:" in said.words
    assert commands(said)[0] == f"aws lambda delete-function-concurrency --function-name {RETRY}"


def test_where_the_upstream_has_ended_it_is_not_said_to_keep_it(sound: Scene) -> None:
    held(sound, seconds=60 * 8)
    delete("dev")
    sound.wait(minutes=5)
    assert words().startswith(
        "k8s is held for infra, which does not keep it any more, since 12:00 UTC (12 min), and "
        "nothing will start it"
    )


def test_where_that_may_not_be_looked_at_it_says_so_and_goes_on(
    sound: Scene, deny: Callable[[str], None]
) -> None:
    held(sound)
    deny("GetFunctionConfiguration")
    said = words()
    assert PROMISE in said
    assert (
        "Whether its rule can invoke the retry was not looked at: AWS denied "
        "lambda:GetFunctionConfiguration (ann may not)." in said
    )
    assert states() == ["held"]
