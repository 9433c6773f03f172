"""Does each rule of the gate's keep a hold that ends, and is none left behind?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from chalicelib.account.waits import HoldRule
from chalicelib.aws.eventbridge import TARGET_ID
from chalicelib.deployment import APP
from chalicelib.holds.fate import Evidence, HoldFate, Standing, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import read_stage
from chalicelib.phrases import format_time
from chalicelib.pipelines.execution import ID
from chalicelib.retry import MAX_MAKING_TIME
from gatectl.findings import holds
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Call, Finding, deploy
from gatectl.findings.holds import awaited

NAME = re.compile(rf"{APP}-(?P<stage>[\w-]+)-(?P<execution>{ID})")
RULES, NEARLY = 300, 0.9
"""Of an event bus, by default (guide: eb-quota)."""


def findings(facts: Facts) -> Iterator[Finding]:
    for rule in facts.rules or ():
        name = NAME.fullmatch(rule.name)
        if not name:
            yield _stranger(rule)
        elif not rule.has_target:
            yield from _without_target(rule, facts.now)
        elif rule.hold is None:
            yield _unreadable(rule, name["execution"])
        else:
            yield from _hold(facts, rule, rule.hold, name["stage"])
    if facts.rules_in_all is not None and facts.rules_in_all >= RULES * NEARLY:
        yield Finding(
            "rules-quota",
            "warning",
            "event bus default",
            f"It has {facts.rules_in_all} rules, of {RULES} unless your quota is higher; "
            f"{len(facts.rules or ())} are the gate's.",
            "When there is no room for another, a gate that would hold keeps its action open "
            "instead, until there is.",
            "Remove rules that nobody needs, or ask AWS for a higher quota.",
        )


def _stranger(rule: HoldRule) -> Finding:
    return Finding(
        "strange-rule",
        "note",
        f"rule {rule.name}",
        "It is named as the gate names its own, but the gate has not made it.",
        "The gate leaves it alone, and so does --mend.",
        "Give it another name, or remove it if nobody needs it.",
        (("aws", "events", "list-targets-by-rule", "--rule", rule.name),),
    )


def _without_target(rule: HoldRule, now: datetime) -> Iterator[Finding]:
    """A gate may just be making it; one that is old, no gate is making any more
    (retry.MAX_MAKING_TIME).
    """
    if rule.made_at is not None and now - rule.made_at <= MAX_MAKING_TIME:
        return
    known = rule.made_at is not None
    delete = Call("events", "delete_rule", {"Name": rule.name})
    yield Finding(
        "empty-rule",
        "warning",
        f"rule {rule.name}",
        "It has no target." if known else "It has no target, and does not say when it was made.",
        "It holds nobody, and takes one of the region's rules."
        + (
            " A gate that was killed has left it."
            if known
            else " A gate may be just making it, or somebody has changed it by hand."
        ),
        "Remove it." if known else "Look again in half an hour; remove it if it is still so.",
        commands=() if known else (delete.words,),
        calls=(delete,) if known else (),
    )


def _unreadable(rule: HoldRule, execution: str) -> Finding:
    about = f" It says: {rule.description}" if rule.description else ""
    return Finding(
        "unreadable-rule",
        "error",
        f"rule {rule.name}",
        f"Its target does not hold what the gate wrote there.{about}",
        f"The retry refuses it whenever it fires, so execution {execution} is not started again "
        "by it.",
        "Start that pipeline by hand if it is still needed, and remove the rule.",
        tuple(call.words for call in _removal(rule)),
    )


def _removal(rule: HoldRule) -> tuple[Call, ...]:
    remove = Call("events", "remove_targets", {"Rule": rule.name, "Ids": sorted(rule.targets)})
    return (remove, Call("events", "delete_rule", {"Name": rule.name}))


# Rules that keep a hold


def _hold(facts: Facts, rule: HoldRule, hold: Hold, stage: str) -> Iterator[Finding]:
    fate = _find_fate(facts, rule, hold)
    has_retry = facts.deployed is None or any(
        deployed.stage == stage and deployed.has_retry for deployed in facts.deployed
    )
    if fate.standing is Standing.OVER:
        works = (
            has_retry
            and rule.enabled
            and rule.targets[TARGET_ID] == facts.deployment(stage).retry_arn
        )
        yield _left_behind(facts, rule, hold, fate.reason, goes_by_itself=works)
    elif fate.standing in (Standing.HELD, Standing.UNKNOWN):
        yield from (
            holds.findings(facts, rule, hold, stage)
            if has_retry
            else [_orphan(facts, rule, hold, stage)]
        )
    # else it has been retried, and runs: its rule goes when that has ended


def _find_fate(facts: Facts, rule: HoldRule, hold: Hold) -> HoldFate:
    """What became of the held execution, as far as it was read."""
    exists = facts.pipelines is None or hold.pipeline in facts.pipelines
    unread = find_fate(
        Evidence(
            hold.pipeline,
            hold.execution,
            read_stage(rule.name, hold.execution),
            pipeline_exists=exists,
            executions=facts.executions.get(hold.pipeline),
        )
    )
    return facts.fates.get(rule.name, unread)


def _left_behind(
    facts: Facts, rule: HoldRule, hold: Hold, over: str, *, goes_by_itself: bool
) -> Finding:
    where = f"rule {rule.name}"
    what, removal = f"It keeps a hold that nobody needs any more: {over}.", _removal(rule)
    if rule.targets.keys() != {TARGET_ID}:
        means = "It cannot go by itself, for it has targets that the gate did not make."
        return Finding(
            "left-behind",
            "warning",
            where,
            what,
            means,
            "Remove it.",
            tuple(call.words for call in removal),
        )
    if not goes_by_itself:
        means = "It holds nobody, and nothing removes it: it does not invoke the gate's retry."
        return Finding("left-behind", "warning", where, what, means, "Remove it.", calls=removal)
    check = rule.next_check(facts.now)
    looks = f" It looks next at {format_time(check, facts.now)}." if check else ""
    means = (
        "That is normal: it goes by itself at its first look after the end of "
        f"{awaited(hold)}.{looks}"
    )
    return Finding("over", "note", where, what, means, "Remove it now, or leave it.", calls=removal)


def _orphan(facts: Facts, rule: HoldRule, hold: Hold, stage: str) -> Finding:
    return Finding(
        "orphan",
        "error",
        f"rule {rule.name}",
        f"It holds {hold.pipeline} since {format_time(hold.since, facts.now)}, and "
        f"{facts.deployment(stage).retry_function} is not there.",
        f"Nothing starts {hold.pipeline} again.",
        f"Deploy it again, and the hold goes on. Or start {hold.pipeline} by hand: then --mend "
        "removes this rule.",
        (
            deploy(stage),
            ("aws", "codepipeline", "start-pipeline-execution", "--name", hold.pipeline),
        ),
    )
