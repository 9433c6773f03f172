"""Do both functions of each deployment exist, and can they run and be invoked?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from chalicelib import parameters
from chalicelib.aws.command import AwsCommand
from chalicelib.aws.lambda_permission import STATEMENT
from chalicelib.deployment import STAGE_LENGTH, refuse_long_stage
from chalicelib.errors import Misconfigured
from gatectl.doctor.evidence import DoctorEvidence, GateFunction
from gatectl.doctor.finding import Finding, build_deploy_command
from gatectl.functions import DeployedFunctions

MIN_TIMEOUT_SECONDS = 120
"""If AWS throttles, a call is repeated for two minutes on average (chalicelib/aws/clients.py)."""

GATE_STOPS = "Gate actions get no answer: they hang for 20 minutes and then fail."
RETRY_STOPS = "No hold ends: held pipelines do not continue."


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    if evidence.deployed is None:
        return
    gates = [gate for each in (evidence.pipelines or {}).values() for gate in each.gates]
    if not evidence.deployed and not gates and evidence.pipelines is not None:
        uninstalled = not evidence.rules
        expected = "This is expected after an uninstall. Otherwise, deploy"
        advice = expected if uninstalled else "Deploy"
        yield Finding(
            "no-gate",
            "note" if uninstalled else "error",
            f"region {evidence.region}",
            "No gate is deployed here.",
            "No pipeline in this region can wait for others.",
            f"{advice} it, or choose another region with --region.",
            (build_deploy_command("prod"),),
        )
    named = {gate.deployed_as for gate in gates if evidence.is_here(gate.function)}
    for deployed in evidence.deployed:
        yield from _check_deployment(evidence, deployed, is_named=deployed.stage in named)
        gate = evidence.functions.get(deployed.gate)
        if gate:
            yield from _check_function(evidence, gate, "gate", deployed.stage)
        yield from find_retry_faults(evidence, deployed)


def find_retry_faults(evidence: DoctorEvidence, deployed: DeployedFunctions) -> Iterator[Finding]:
    """Return what is wrong with a deployment's retry function, or its resource policy."""
    retry = evidence.functions.get(deployed.retry)
    if retry:
        yield from _check_function(evidence, retry, "retry", deployed.stage)
        yield from _check_permission(evidence, retry, deployed.stage)


# Is it deployed completely, and in one version?


def _check_deployment(
    evidence: DoctorEvidence, deployed: DeployedFunctions, *, is_named: bool
) -> Iterator[Finding]:
    """`is_named`: whether a pipeline uses this deployment's gate function."""
    again = (build_deploy_command(deployed.stage),)
    if not deployed.has_retry:
        yield Finding(
            "no-retry",
            "error",
            f"function {deployed.retry}",
            f"It does not exist, although {deployed.gate} does.",
            "The gate cannot hold executions: an action that has to wait "
            f"fails.{evidence.describe_held(deployed.stage)}",
            "Deploy both functions.",
            again,
        )
    elif not deployed.has_gate and not is_named:
        yield Finding(
            "no-gate-function",
            "warning",
            f"function {deployed.gate}",
            f"It does not exist, although {deployed.retry} does.",
            "No pipeline can wait with this deployment.",
            "Deploy both functions, or delete the other one too (chalice delete).",
            again,
        )
    try:
        refuse_long_stage(deployed.stage)
    except Misconfigured as error:
        yield Finding(
            "stage-name",
            "error",
            f"function {deployed.gate}",
            str(error),
            "The gate cannot hold executions.",
            "Deploy to a stage with a shorter name, and use its gate function in the pipelines.",
            (build_deploy_command(deployed.stage[:STAGE_LENGTH].rstrip("-")),),
        )
    gate = evidence.functions.get(deployed.gate)
    retry = evidence.functions.get(deployed.retry)
    if gate and retry and gate.code != retry.code:
        yield Finding(
            "different-code",
            "warning",
            f"functions {gate.name} and {retry.name}",
            "They have different code: a deployment reached only one of them.",
            "One of them may not understand what the other writes into a hold.",
            "Deploy both functions.",
            again,
        )


# Can it run?


def _check_function(
    evidence: DoctorEvidence, function: GateFunction, role: str, stage: str
) -> Iterator[Finding]:
    """`role`: "gate" or "retry"."""
    stops = GATE_STOPS if role == "gate" else RETRY_STOPS
    yield from _check_state(function, stops, stage)
    yield from _check_settings(evidence, function, role, stops, stage)


def _check_state(function: GateFunction, stops: str, stage: str) -> Iterator[Finding]:
    where, again = f"function {function.name}", (build_deploy_command(stage),)
    if function.state == "Inactive":
        yield Finding(
            "function-inactive",
            "warning",
            where,
            "It is Inactive: Lambda has deactivated it because it was not used for a long time.",
            "The next invocation fails but activates it, which takes a while. Lambda then tries "
            "again automatically.",
            "Invoke it once: it refuses this event, but is active afterwards.",
            (("aws", "lambda", "invoke", "--function-name", function.name, "/dev/null"),),
        )
    elif function.state not in ("Active", "Pending"):
        reason = f": {function.state_reason}" if function.state_reason else "."
        yield Finding(
            "function-broken",
            "error",
            where,
            f"It is {function.state}{reason}",
            stops,
            "Fix the cause, and deploy again.",
            again,
        )
    if function.update == "Failed":
        yield Finding(
            "update-failed",
            "warning",
            where,
            f"Its last update failed: {function.update_reason or 'Lambda gives no reason.'}",
            "The previous version is still running.",
            "Fix the cause, and deploy again.",
            again,
        )
    if function.reserved == 0:
        name = {"FunctionName": function.name}
        yield Finding(
            "throttled",
            "error",
            where,
            "Its reserved concurrency is 0, so Lambda never runs it.",
            stops,
            "Remove this limit, unless someone stopped the function on purpose.",
            (AwsCommand("lambda", "delete_function_concurrency", name).words,),
        )


def _check_settings(
    evidence: DoctorEvidence, function: GateFunction, role: str, stops: str, stage: str
) -> Iterator[Finding]:
    where, again = f"function {function.name}", (build_deploy_command(stage),)
    if function.handler.rpartition(".")[2] != role:
        yield Finding(
            "handler",
            "error",
            where,
            f"Its handler is {function.handler}, but the name of Pipeline Gate's handler ends "
            f"with .{role}.",
            stops,
            "Deploy again.",
            again,
        )
    if function.seconds < MIN_TIMEOUT_SECONDS:
        yield Finding(
            "time-out",
            "warning",
            where,
            f"Its timeout is {function.seconds} s.",
            "If AWS throttles its calls, it needs more than two minutes and is stopped. Then, "
            f"{stops[0].lower()}{stops[1:]}",
            "Set lambda_timeout in .chalice/config.json back to 900, and deploy.",
            again,
        )
    if role == "gate":
        try:
            parameters.parse_parameters("infra", function.environment.get("RETRY_MINUTES", "5"))
        except Misconfigured as error:
            yield Finding(
                "retry-minutes",
                "error",
                where,
                str(error),
                "Each gate action without its own retry_minutes fails.",
                "Correct it in .chalice/config.json, and deploy.",
                again,
            )
    bus = function.event_bus
    if bus and evidence.buses.get(bus) is False:
        create = AwsCommand("events", "create_event_bus", {"Name": bus.rpartition("/")[2]})
        yield Finding(
            "event-bus",
            "warning",
            where,
            f"Its EVENT_BUS is {bus}, but this event bus does not exist.",
            "Events about holds are lost. Pipelines wait and continue anyway.",
            "Create the event bus, or correct EVENT_BUS in .chalice/config.json and deploy.",
            (create.words, *again),
        )


# May the gate's rules invoke the retry function?


def _check_permission(
    evidence: DoctorEvidence, retry: GateFunction, stage: str
) -> Iterator[Finding]:
    """The gate adds the permission before the first hold of each Lambda runtime, so without a hold
    it may be missing. But a statement that has the gate's id and allows something else stays:
    AddPermission refuses an id that exists, and the gate assumes that the statement is right
    (model: AddPermission).
    """
    if may_be_invoked(evidence, retry, stage):
        return
    is_misleading = any(statement.get("Sid") == STATEMENT for statement in retry.statements or ())
    holds = evidence.list_holds(stage)
    if not is_misleading and not holds:
        return
    statement_id = {"FunctionName": retry.name, "StatementId": STATEMENT}
    permission = {
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": evidence.deployment(stage).all_rules_arn,
    }
    add = AwsCommand("lambda", "add_permission", {**statement_id, **permission})
    remove = AwsCommand("lambda", "remove_permission", statement_id)
    reason = (
        f"the statement {STATEMENT} of its resource policy allows something else"
        if is_misleading
        else "no statement of its resource policy allows it"
    )
    yield Finding(
        "retry-permission",
        "error",
        f"function {retry.name}",
        f"The gate's EventBridge rules may not invoke it: {reason}.",
        f"No hold ends.{evidence.describe_held(stage)}" if holds else RETRY_STOPS,
        "Allow the rules to invoke this function.",
        calls=(remove, add) if is_misleading else (add,),
    )


def may_be_invoked(evidence: DoctorEvidence, retry: GateFunction, stage: str) -> bool:
    """Return whether a deployment's rules may invoke its retry function, as far as is known."""
    rules = evidence.name_resource("events", f"rule/{evidence.deployment(stage).rule_prefix}*")
    return retry.statements is None or any(
        _lets_in(statement, rules, evidence.account) for statement in retry.statements
    )


def _lets_in(statement: Mapping[str, Any], rules: str, account: str) -> bool:
    """Return whether a statement lets every rule that matches `rules` invoke the function."""
    principal = statement.get("Principal")
    services = _as_list(principal.get("Service")) if isinstance(principal, Mapping) else [principal]
    context = {"aws:sourcearn": rules, "aws:sourceaccount": account}
    return (
        allows_to_invoke(statement)
        and bool({"events.amazonaws.com", "*"} & set(services))
        and all(
            key.lower() in context
            and any(
                _matches(operator, str(pattern), context[key.lower()])
                for pattern in _as_list(patterns)
            )
            for operator, condition in statement.get("Condition", {}).items()
            for key, patterns in condition.items()
        )
    )


def allows_to_invoke(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement of a function's policy allows any principal to invoke it."""
    return statement.get("Effect") == "Allow" and any(
        fnmatchcase("lambda:invokefunction", str(action).lower())
        for action in _as_list(statement.get("Action"))
    )


def _matches(operator: str, pattern: str, value: str) -> bool:
    """Return whether a value meets a condition. ArnLike compares the six parts of an ARN one by one
    (guide: reference_policies_elements_condition_operators, ARN).
    """
    if not operator.startswith("Arn"):
        return fnmatchcase(value, pattern)
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(fnmatchcase, parts, patterns))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
