"""What an action or rule does after it has begun: a source takes its revision, an approval waits,
Lambda gets a job, and anything else takes time.

No action ends within `start`: even an immediate failure is a call on the clock, so that everything
happens in one order.
"""

from __future__ import annotations

from sandbox.codepipeline import actions, jobs, sources, variables
from sandbox.codepipeline.execution import ActionExecution, RuleExecution, new_id
from sandbox.codepipeline.pipeline import Pipeline
from sandbox.world import current_world

APPROVAL_MINUTES = 7 * 24 * 60
"""A manual approval fails after seven days, unless the action says otherwise (guide: limits; model:
ActionTimeout).
"""


def start(pipeline: Pipeline, action: ActionExecution) -> None:
    """Let a run that has begun do its work."""
    try:
        action.configuration = variables.resolve_configuration(action)
    except variables.Unresolvable as error:
        message = str(error)
        action.timers.append(
            pipeline.call_later(
                0,
                lambda: actions.fail(pipeline, action, "ConfigurationError", message),
                "variable has no value",
            )
        )
        return
    if isinstance(action, RuleExecution):
        start_rule(pipeline, action)
    elif action.type["category"] == "Approval":
        await_approval(pipeline, action)
    elif action.type["category"] == "Invoke" and action.type["provider"] == "Lambda":
        jobs.start(pipeline, action)
    else:
        take_time(pipeline, action)


def start_rule(pipeline: Pipeline, rule: RuleExecution) -> None:
    """A LambdaInvoke rule is a job; the others are stand-ins that take no time and succeed, unless
    SandboxOutcome says "Failed".
    """
    # AWS documents no default (model: RuleDeclaration).
    minutes = rule.declaration.get("timeoutInMinutes")
    if minutes is not None:
        timeout_message = f"The rule did not end within {minutes} minutes"
        rule.timers.append(
            pipeline.call_later(
                minutes * 60,
                lambda: actions.fail(pipeline, rule, "JobFailed", timeout_message),
                f"{rule.name} late",
            )
        )
    if rule.type["provider"] == "LambdaInvoke":
        jobs.start(pipeline, rule)
    elif rule.configuration.get("SandboxOutcome") == "Failed":
        message = f"The sandbox lets rule '{rule.name}' fail"
        rule.timers.append(
            pipeline.call_later(
                0, lambda: actions.fail(pipeline, rule, "JobFailed", message), f"{rule.name} Failed"
            )
        )
    else:
        rule.timers.append(
            pipeline.call_later(
                0, lambda: actions.succeed(pipeline, rule), f"{rule.name} Succeeded"
            )
        )


def await_approval(pipeline: Pipeline, action: ActionExecution) -> None:
    action.token = new_id()
    # The only place that shows the token in PARALLEL mode (model: PutApprovalResultInput).
    action.external_id = action.token
    pipeline.approvals[action.token] = action
    minutes = action.declaration.get("timeoutInMinutes", APPROVAL_MINUTES)
    message = f"Not approved or rejected within {minutes} minutes"
    action.timers.append(
        pipeline.call_later(
            minutes * 60,
            lambda: actions.fail(pipeline, action, "JobFailed", message),
            f"{action.name} not approved",
        )
    )


def take_time(pipeline: Pipeline, action: ActionExecution) -> None:
    """Succeed or fail after a while: as the test's hook says, or the configuration's SandboxSeconds
    and SandboxOutcome.
    """
    if pipeline.backend.outcome is not None:
        seconds, outcome = pipeline.backend.outcome(
            action.execution, action.stage.name, action.name
        )
    else:
        seconds = float(
            action.configuration.get("SandboxSeconds", current_world().dials.action_seconds)
        )
        outcome = action.configuration.get("SandboxOutcome", "Succeeded")
    code, message = "JobFailed", f"The sandbox lets action '{action.name}' fail"
    # A source's revision is the one it has when the action starts (guide: concepts-how-it-works,
    # "source revisions").
    revision = None
    try:
        if action.type["category"] == "Source":
            revision = sources.choose_revision(pipeline, action)
    except sources.LostRevision as error:
        # That a source fails with this type is assumed (model: FailureType).
        code, message, outcome = "RevisionUnavailable", str(error), "Failed"

    def end() -> None:
        if outcome == "Failed":
            actions.fail(pipeline, action, code, message)
            return
        if revision is not None:
            sources.record_revision(pipeline, action, revision)
        actions.succeed(pipeline, action)

    action.timers.append(pipeline.call_later(seconds, end, f"{action.name} {outcome}"))
