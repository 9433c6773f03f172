"""Does a hold that somebody still needs end as it should?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.account.waits import HoldRule
from chalicelib.aws.eventbridge import TARGET_ID
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import build_pattern, build_schedule
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import LOOK_BACK
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Call, Finding

LATE = timedelta(minutes=5)
"""What a retry may take beyond its schedule: Lambda's own repeats, and AWS's throttles when many
holds end together.
"""


def findings(facts: Facts, rule: HoldRule, hold: Hold, stage: str) -> Iterator[Finding]:
    """Of the rule that keeps `hold`, made by the deployment `stage`."""
    yield from list(_faults(facts, rule, hold, stage)) or _overdue(facts, rule, hold, stage)
    if facts.now - hold.since > LOOK_BACK:
        yield Finding(
            "long-hold",
            "warning",
            f"rule {rule.name}",
            f"It holds {hold.pipeline} since {format_time(hold.since, facts.now)}, for more than "
            f"{LOOK_BACK.days} days.",
            f"It waits for {awaited(hold)}. Perhaps nobody knows.",
            "See why, and let it go if it need not wait; give_up_minutes ends such waits by "
            "themselves.",
            (("gatectl", "explain", hold.pipeline), ("gatectl", "release", hold.pipeline)),
        )


def _faults(facts: Facts, rule: HoldRule, hold: Hold, stage: str) -> Iterator[Finding]:
    where, retry = f"rule {rule.name}", facts.deployment(stage).retry_arn
    stuck = f"{hold.pipeline} waits for {awaited(hold)}, and nothing will start it again."
    if not rule.enabled:
        enable = Call("events", "enable_rule", {"Name": rule.name})
        yield Finding(
            "disabled-rule",
            "error",
            where,
            "It is disabled, so it never fires.",
            stuck,
            "Enable it.",
            calls=(enable,),
        )
    if rule.targets[TARGET_ID] != retry:
        target = {"Id": TARGET_ID, "Arn": retry, "Input": hold.as_input()}
        yield Finding(
            "wrong-target",
            "error",
            where,
            f"It invokes {rule.targets[TARGET_ID]}, not the retry.",
            stuck,
            "Let it invoke the retry.",
            calls=(Call("events", "put_targets", {"Rule": rule.name, "Targets": [target]}),),
        )
    if rule.next_check(facts.now) is None:
        made = {
            "Name": rule.name,
            "ScheduleExpression": build_schedule(hold.since, 5),
            "EventPattern": build_pattern(hold.depends_on),
            "Description": rule.description,
            "State": "ENABLED",
        }
        yield Finding(
            "no-schedule",
            "warning",
            where,
            f"Its schedule is {rule.schedule}, which is none of the gate's."
            if rule.schedule
            else "It has no schedule.",
            f"Should the event of the end of {awaited(hold)} be lost, {hold.pipeline} is not "
            "started again.",
            "Write the rule anew, as the gate would: it looks every 5 minutes then.",
            calls=(Call("events", "put_rule", made),),
        )
    if others := sorted(rule.targets.keys() - {TARGET_ID}):
        yield Finding(
            "more-targets",
            "warning",
            where,
            "It has targets that the gate did not make: "
            f"{join_names([f'{one} ({rule.targets[one]})' for one in others])}.",
            "When the hold ends, the rule cannot be removed, and goes on to invoke those.",
            "Take those out, or ask whoever made them.",
            (Call("events", "remove_targets", {"Rule": rule.name, "Ids": others}).words,),
        )


def _overdue(facts: Facts, rule: HoldRule, hold: Hold, stage: str) -> Iterator[Finding]:
    """The pipeline should have gone on by now: the sign of whatever else is wrong."""
    first = rule.next_check(facts.now)
    second = rule.next_check(first) if first else None
    if first is None or second is None:
        return
    late = facts.now - 2 * (second - first) - LATE
    if hold.is_past_deadline(late) and hold.give_up:
        why, since = "it was to give up", hold.give_up
    else:
        ended = _ended(facts, hold)
        if ended is None or ended > late:
            return
        why, since = f"what it waits for ({awaited(hold)}) is over", ended
    yield Finding(
        "overdue",
        "error",
        f"rule {rule.name}",
        f"{hold.pipeline} is still held, although {why} since {format_time(since, facts.now)}.",
        "The retry should have started it long ago. It does not do its work.",
        "Its log says why; or let the pipeline go by hand.",
        (
            ("chalice", "logs", "--stage", stage, "--name", "retry"),
            ("gatectl", "release", hold.pipeline),
        ),
    )


def _ended(facts: Facts, hold: Hold) -> datetime | None:
    """Since when all that it waits for is as it has to be; None where it is not, or where that is
    not known: of stages and of pipelines elsewhere.
    """
    ends = [hold.since]
    for wanted in hold.depends_on:
        if (
            facts.pipelines is None
            or wanted.stage
            or wanted.role_arn
            or wanted.region not in (None, facts.region)
        ):
            return None
        if wanted.name not in facts.pipelines:
            continue  # one that is gone is not waited for
        executions = facts.executions.get(wanted.name)
        if executions is None:
            return None
        kept = next(
            (
                rule.hold
                for rule in facts.rules or ()
                if rule.hold and rule.hold.pipeline == wanted.name
            ),
            None,
        )
        if find_unsatisfied([Upstream(wanted, executions, hold=kept)]):
            return None
        ends += [one.updated for one in executions]
    return max(ends)


def awaited(hold: Hold) -> str:
    return join_names([one.label for one in hold.depends_on]) if hold.depends_on else "nobody"
