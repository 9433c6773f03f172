"""Are both functions of each deployment there, and can they run and be invoked?"""

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
"""If AWS throttles, it asks again for two minutes on average (chalicelib/aws/clients.py)."""

GATE_STOPS = "Gate actions get no answer: they hang for 20 minutes, then fail."
RETRY_STOPS = "No hold ends: what is held does not start again."


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    if evidence.deployed is None:
        return
    gates = [gate for each in (evidence.pipelines or {}).values() for gate in each.gates]
    if not evidence.deployed and not gates and evidence.pipelines is not None:
        uninstalled = not evidence.rules
        as_it_should_be = "After an uninstall that is as it should be. Else deploy"
        advice = as_it_should_be if uninstalled else "Deploy"
        yield Finding(
            "no-gate",
            "note" if uninstalled else "error",
            f"region {evidence.region}",
            "No gate is deployed here.",
            "No pipeline of this region can wait for others.",
            f"{advice} it, or look at another region with --region.",
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
    """What is wrong with the retry of a deployment, and with who may invoke it."""
    retry = evidence.functions.get(deployed.retry)
    if retry:
        yield from _check_function(evidence, retry, "retry", deployed.stage)
        yield from _check_permission(evidence, retry, deployed.stage)


# Is it deployed, completely and in one version?


def _check_deployment(
    evidence: DoctorEvidence, deployed: DeployedFunctions, *, is_named: bool
) -> Iterator[Finding]:
    """`is_named`: whether a pipeline names this deployment's gate."""
    again = (build_deploy_command(deployed.stage),)
    if not deployed.has_retry:
        yield Finding(
            "no-retry",
            "error",
            f"function {deployed.retry}",
            f"It is not there, although {deployed.gate} is.",
            "The gate can hold nobody: an action that has to wait "
            f"fails.{evidence.describe_held(deployed.stage)}",
            "Deploy both.",
            again,
        )
    elif not deployed.has_gate and not is_named:
        yield Finding(
            "no-gate-function",
            "warning",
            f"function {deployed.gate}",
            f"It is not there, although {deployed.retry} is.",
            "No pipeline can wait by this deployment.",
            "Deploy both; or take the other one away, too (chalice delete).",
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
            "It can hold nobody.",
            "Deploy it under a shorter name, and let the pipelines name that one.",
            (build_deploy_command(deployed.stage[:STAGE_LENGTH].rstrip("-")),),
        )
    gate = evidence.functions.get(deployed.gate)
    retry = evidence.functions.get(deployed.retry)
    if gate and retry and gate.code != retry.code:
        yield Finding(
            "different-code",
            "warning",
            f"functions {gate.name} and {retry.name}",
            "They have different code: a deployment has reached only one of them.",
            "The one may not understand what the other leaves in a hold.",
            "Deploy both.",
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
            "It is Inactive: Lambda has put it away because nobody used it for long.",
            "The next invocation fails and wakes it up, which takes a while; Lambda tries again "
            "by itself.",
            "Invoke it once: it refuses what it does not know, and is awake then.",
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
            "Put that right, and deploy it anew.",
            again,
        )
    if function.update == "Failed":
        yield Finding(
            "update-failed",
            "warning",
            where,
            f"Its last update failed: {function.update_reason or 'Lambda gives no reason.'}",
            "What ran before still runs.",
            "Put that right, and deploy it anew.",
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
            "Give it back its share, unless somebody has stopped it on purpose.",
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
            f"Its handler is {function.handler}, which is none of Pipeline Gate's: their "
            f"names end with .{role}.",
            stops,
            "Deploy it anew.",
            again,
        )
    if function.seconds < MIN_TIMEOUT_SECONDS:
        yield Finding(
            "time-out",
            "warning",
            where,
            f"Lambda ends it after {function.seconds} s.",
            "Where AWS throttles it needs more than two minutes, and then: "
            f"{stops[0].lower()}{stops[1:]}",
            "Set lambda_timeout in .chalice/config.json to 900, as it was, and deploy.",
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
                "Each gate action that does not say its own retry_minutes fails.",
                "Correct it there, and deploy.",
                again,
            )
    bus = function.event_bus
    if bus and evidence.buses.get(bus) is False:
        create = AwsCommand("events", "create_event_bus", {"Name": bus.rpartition("/")[2]})
        yield Finding(
            "event-bus",
            "warning",
            where,
            f"Its EVENT_BUS is {bus}, and there is no such event bus.",
            "Nobody is told of holds and their ends; pipelines wait and start all the same.",
            "Create that bus, or correct EVENT_BUS in .chalice/config.json and deploy.",
            (create.words, *again),
        )


# May the gate's rules invoke the retry?


def _check_permission(
    evidence: DoctorEvidence, retry: GateFunction, stage: str
) -> Iterator[Finding]:
    """The gate lets EventBridge in right before each hold, so without a hold nothing is missing.
    But a statement of the gate's own id that says something else stays as it is: AddPermission
    refuses that id, and the gate assumes that the statement is right (model: AddPermission).
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
        f"its statement {STATEMENT} says something else"
        if is_misleading
        else "no statement of its resource policy says so"
    )
    yield Finding(
        "retry-permission",
        "error",
        f"function {retry.name}",
        f"The gate's EventBridge rules may not invoke it: {reason}.",
        f"No hold ends.{evidence.describe_held(stage)}" if holds else RETRY_STOPS,
        "Let them invoke it.",
        calls=(remove, add) if is_misleading else (add,),
    )


def may_be_invoked(evidence: DoctorEvidence, retry: GateFunction, stage: str) -> bool:
    """Whether every rule of the deployment may invoke its retry, as far as is known."""
    rules = evidence.name_resource("events", f"rule/{evidence.deployment(stage).rule_prefix}*")
    return retry.statements is None or any(
        _lets_in(statement, rules, evidence.account) for statement in retry.statements
    )


def _lets_in(statement: Mapping[str, Any], rules: str, account: str) -> bool:
    """Whether a statement lets EventBridge invoke for every rule that matches `rules`."""
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
    """Whether a statement of a function's policy allows anybody to invoke it."""
    return statement.get("Effect") == "Allow" and any(
        fnmatchcase("lambda:invokefunction", str(action).lower())
        for action in _as_list(statement.get("Action"))
    )


def _matches(operator: str, pattern: str, value: str) -> bool:
    """ArnLike compares the six parts of an ARN one by one (guide:
    reference_policies_elements_condition_operators, ARN).
    """
    if not operator.startswith("Arn"):
        return fnmatchcase(value, pattern)
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(fnmatchcase, parts, patterns))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
