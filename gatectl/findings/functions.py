"""Can a deployment's two functions run?"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib import parameters
from chalicelib.errors import Misconfigured
from gatectl.findings.facts import Facts, Function
from gatectl.findings.finding import Call, Finding, deploy

SHORT = 120
"""Seconds. Where AWS throttles, asking goes on for two minutes on average (chalicelib/aws/clients.py)."""

GATE_STOPS = "Gate actions get no answer: they hang for 20 minutes, then fail."
RETRY_STOPS = "No hold ends: what is held does not start again."


def findings(facts: Facts) -> Iterator[Finding]:
    for deployed in facts.deployed or ():
        for name, which, stops in (
            (deployed.gate, "gate", GATE_STOPS),
            (deployed.retry, "retry", RETRY_STOPS),
        ):
            function = facts.functions.get(name)
            if function:
                yield from _state(function, stops, deployed.stage)
                yield from _settings(function, which, stops, deployed.stage)
                yield from _bus(facts, function, deployed.stage)


def _state(function: Function, stops: str, stage: str) -> Iterator[Finding]:
    where, again = f"function {function.name}", (deploy(stage),)
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
        what = (
            "It is "
            f"{function.state}{f': {function.state_reason}' if function.state_reason else '.'}"
        )
        yield Finding(
            "function-broken",
            "error",
            where,
            what,
            stops,
            "Put that right, and deploy it anew.",
            again,
        )
    if function.update == "Failed":
        what = f"Its last update failed: {function.update_reason or 'Lambda gives no reason.'}"
        yield Finding(
            "update-failed",
            "warning",
            where,
            what,
            "What ran before still runs.",
            "Put that right, and deploy it anew.",
            again,
        )
    if function.reserved == 0:
        yield Finding(
            "throttled",
            "error",
            where,
            "Its reserved concurrency is 0, so Lambda never runs it.",
            stops,
            "Give it back its share, unless somebody has stopped it on purpose.",
            (Call("lambda", "delete_function_concurrency", {"FunctionName": function.name}).words,),
        )


def _settings(function: Function, which: str, stops: str, stage: str) -> Iterator[Finding]:
    where, again = f"function {function.name}", (deploy(stage),)
    if function.handler.rpartition(".")[2] != which:
        what = (
            f"Its handler is {function.handler}, which is none of Pipeline Gate's: their "
            f"names end with .{which}."
        )
        yield Finding("handler", "error", where, what, stops, "Deploy it anew.", again)
    if function.seconds < SHORT:
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
    if which == "gate":
        try:
            parameters.parse_parameters("infra", function.environment.get("RETRY_MINUTES", "5"))
        except Misconfigured as error:
            means = "Each gate action that does not say its own retry_minutes fails."
            yield Finding(
                "retry-minutes",
                "error",
                where,
                str(error),
                means,
                "Correct it there, and deploy.",
                again,
            )


def _bus(facts: Facts, function: Function, stage: str) -> Iterator[Finding]:
    bus = function.environment.get("EVENT_BUS", "")
    if bus and facts.buses.get(bus) is False:
        yield Finding(
            "event-bus",
            "warning",
            f"function {function.name}",
            f"Its EVENT_BUS is {bus}, and there is no such event bus.",
            "Nobody is told of holds and their ends; pipelines wait and start all the same.",
            "Create that bus, or correct EVENT_BUS in .chalice/config.json and deploy.",
            (
                Call("events", "create_event_bus", {"Name": bus.rpartition("/")[2]}).words,
                deploy(stage),
            ),
        )
