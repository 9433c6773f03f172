"""Does each rule of the gate keep a hold that ends, and is none left behind?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from chalicelib.account.waits import HoldRule
from chalicelib.aws.command import AwsCommand
from chalicelib.aws.eventbridge import TARGET_ID
from chalicelib.deployment import APP
from chalicelib.holds.fate import Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import build_pattern, build_schedule
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import ID, LOOK_BACK
from chalicelib.pipelines.upstream import Upstream, find_unsatisfied
from chalicelib.retry import MAX_MAKING_TIME
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding, build_deploy_command
from gatectl.doctor.functions import may_be_invoked

RULE_NAME = re.compile(rf"{APP}-(?P<stage>[\w-]+)-(?P<execution>{ID})")
RULES_PER_BUS = 300
"""By default (guide: eb-quota)."""
NEARLY_FULL = 0.9
MAX_DELAY = timedelta(minutes=5)
"""For Lambda's own repeats, and AWS's throttles when many holds end together."""
MINUTES_OF_NEW_SCHEDULE = 5


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for rule in evidence.rules or ():
        yield from check_rule(evidence, rule)
    if evidence.rules_in_all is not None and evidence.rules_in_all >= RULES_PER_BUS * NEARLY_FULL:
        yield Finding(
            "rules-quota",
            "warning",
            "event bus default",
            f"It has {evidence.rules_in_all} rules, of {RULES_PER_BUS} unless your quota is "
            f"higher; {len(evidence.rules or ())} are the gate's.",
            "When there is no room for another, a gate that would hold keeps its action open "
            "instead, until there is.",
            "Remove rules that nobody needs, or ask AWS for a higher quota.",
        )


def check_rule(evidence: DoctorEvidence, rule: HoldRule) -> Iterator[Finding]:
    name, where = RULE_NAME.fullmatch(rule.name), f"rule {rule.name}"
    if not name:
        yield Finding(
            "strange-rule",
            "note",
            where,
            "It is named as the gate names its own, but the gate has not made it.",
            "The gate leaves it alone, and so does --mend.",
            "Give it another name, or remove it if nobody needs it.",
            (("aws", "events", "list-targets-by-rule", "--rule", rule.name),),
        )
    elif not rule.has_target:
        yield from _check_rule_without_target(rule, evidence.now)
    elif rule.hold is None:
        description = f" It says: {rule.description}" if rule.description else ""
        yield Finding(
            "unreadable-rule",
            "error",
            where,
            f"Its target does not hold what the gate wrote there.{description}",
            f"The retry refuses it whenever it fires, so execution {name['execution']} is not "
            "started again by it.",
            "Start that pipeline by hand if it is still needed, and remove the rule.",
            tuple(call.words for call in _build_removal(rule)),
        )
    else:
        yield from _check_hold(evidence, rule, rule.hold, name["stage"])


def _check_rule_without_target(rule: HoldRule, now: datetime) -> Iterator[Finding]:
    """A gate may just be making it, but not one that is old (retry.MAX_MAKING_TIME)."""
    if rule.made_at and now - rule.made_at <= MAX_MAKING_TIME:
        return
    delete = AwsCommand("events", "delete_rule", {"Name": rule.name})
    yield Finding(
        "empty-rule",
        "warning",
        f"rule {rule.name}",
        f"It has no target{'' if rule.made_at else ', and does not say when it was made'}.",
        "It holds nobody, and takes one of the region's rules.",
        "Remove it."
        if rule.made_at
        else "A gate may be just making it: look again in half an hour, and remove it if it is "
        "still so.",
        () if rule.made_at else (delete.words,),
        (delete,) if rule.made_at else (),
    )


def _build_removal(rule: HoldRule) -> tuple[AwsCommand, ...]:
    targets = {"Rule": rule.name, "Ids": sorted(rule.targets)}
    return (
        AwsCommand("events", "remove_targets", targets),
        AwsCommand("events", "delete_rule", {"Name": rule.name}),
    )


# Rules that keep a hold


def _check_hold(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, stage: str
) -> Iterator[Finding]:
    fate, where = evidence.find_fate(rule, hold), f"rule {rule.name}"
    retry = evidence.deployment(stage).retry_function
    has_retry = evidence.deployed is None or any(
        deployed.stage == stage and deployed.has_retry for deployed in evidence.deployed
    )
    holds = f"It holds {hold.pipeline} since {format_time(hold.since, evidence.now)}"
    if fate.standing is Standing.ENDED:
        goes_by_itself = has_retry and _reaches_retry(evidence, rule, stage)
        yield _describe_left_rule(evidence, rule, hold, fate.reason, goes_by_itself=goes_by_itself)
    elif fate.standing is Standing.MOVED_ON:
        return  # It has been retried, and runs: its rule goes when that has ended.
    elif not has_retry:
        yield Finding(
            "orphan",
            "error",
            where,
            f"{holds}, and {retry} is not there.",
            f"Nothing starts {hold.pipeline} again.",
            f"Deploy it again, and the hold goes on. Or start {hold.pipeline} by hand: then --mend "
            "removes this rule.",
            (
                build_deploy_command(stage),
                ("aws", "codepipeline", "start-pipeline-execution", "--name", hold.pipeline),
            ),
        )
    else:
        faults = list(_find_faults(evidence, rule, hold, stage))
        yield from faults or _find_overdue(evidence, rule, hold, stage)
        if evidence.now - hold.since > LOOK_BACK:
            yield Finding(
                "long-hold",
                "warning",
                where,
                f"{holds}, for more than {LOOK_BACK.days} days.",
                f"It waits for {_join_upstreams(hold)}. Perhaps nobody knows.",
                "See why, and let it go if it need not wait; give_up_minutes ends such waits by "
                "themselves.",
                (("gatectl", "explain", hold.pipeline), ("gatectl", "release", hold.pipeline)),
            )


def _reaches_retry(evidence: DoctorEvidence, rule: HoldRule, stage: str) -> bool:
    """Whether the rule invokes its retry, as far as is known."""
    deployment = evidence.deployment(stage)
    retry = evidence.functions.get(deployment.retry_function)
    return (
        rule.enabled
        and rule.targets[TARGET_ID] == deployment.retry_arn
        and (retry is None or may_be_invoked(evidence, retry, stage))
    )


def _describe_left_rule(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, reason: str, *, goes_by_itself: bool
) -> Finding:
    where, removal = f"rule {rule.name}", _build_removal(rule)
    problem = f"It keeps a hold that nobody needs any more: {reason}."
    if rule.targets.keys() != {TARGET_ID}:
        means = "It cannot go by itself, for it has targets that the gate did not make."
        commands = tuple(call.words for call in removal)
        return Finding("left-behind", "warning", where, problem, means, "Remove it.", commands)
    if not goes_by_itself:
        means = "It holds nobody, and nothing removes it: it does not invoke the gate's retry."
        return Finding("left-behind", "warning", where, problem, means, "Remove it.", calls=removal)
    check = rule.next_check(evidence.now)
    next_look = f" It looks next at {format_time(check, evidence.now)}." if check else ""
    means = (
        "That is normal: it goes by itself at its first look after the end of "
        f"{_join_upstreams(hold)}.{next_look}"
    )
    return Finding(
        "over", "note", where, problem, means, "Remove it now, or leave it.", calls=removal
    )


# Would it end as it should?


def _find_faults(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, stage: str
) -> Iterator[Finding]:
    """What is wrong with a rule whose hold stands."""
    where, retry = f"rule {rule.name}", evidence.deployment(stage).retry_arn
    upstreams = _join_upstreams(hold)
    stuck = f"{hold.pipeline} waits for {upstreams}, and nothing will start it again."
    if not rule.enabled:
        yield Finding(
            "disabled-rule",
            "error",
            where,
            "It is disabled, so it never fires.",
            stuck,
            "Enable it.",
            calls=(AwsCommand("events", "enable_rule", {"Name": rule.name}),),
        )
    if rule.targets[TARGET_ID] != retry:
        target = {"Id": TARGET_ID, "Arn": retry, "Input": hold.as_input()}
        put = {"Rule": rule.name, "Targets": [target]}
        yield Finding(
            "wrong-target",
            "error",
            where,
            f"It invokes {rule.targets[TARGET_ID]}, not the retry.",
            stuck,
            "Let it invoke the retry.",
            calls=(AwsCommand("events", "put_targets", put),),
        )
    if rule.next_check(evidence.now) is None:
        put = {
            "Name": rule.name,
            "ScheduleExpression": build_schedule(hold.since, MINUTES_OF_NEW_SCHEDULE),
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
            f"Should the event of the end of {upstreams} be lost, {hold.pipeline} is not "
            "started again.",
            f"Write the rule anew, as the gate would: it looks every {MINUTES_OF_NEW_SCHEDULE} "
            "minutes then.",
            calls=(AwsCommand("events", "put_rule", put),),
        )
    if strange := sorted(rule.targets.keys() - {TARGET_ID}):
        remove = AwsCommand("events", "remove_targets", {"Rule": rule.name, "Ids": strange})
        yield Finding(
            "more-targets",
            "warning",
            where,
            "It has targets that the gate did not make: "
            f"{join_names([f'{id_} ({rule.targets[id_]})' for id_ in strange])}.",
            "When the hold ends, the rule cannot be removed, and goes on to invoke those.",
            "Take those out, or ask whoever made them.",
            (remove.words,),
        )


def _find_overdue(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, stage: str
) -> Iterator[Finding]:
    """The pipeline should have gone on by now: a sign of whatever else is wrong."""
    first = rule.next_check(evidence.now)
    second = rule.next_check(first) if first else None
    if first is None or second is None:
        return
    due = evidence.now - 2 * (second - first) - MAX_DELAY
    if hold.is_past_deadline(due) and hold.give_up:
        reason, since = "it was to give up", hold.give_up
    else:
        ended = _find_end_of_upstreams(evidence, hold)
        if ended is None or ended > due:
            return
        reason, since = f"what it waits for ({_join_upstreams(hold)}) is over", ended
    yield Finding(
        "overdue",
        "error",
        f"rule {rule.name}",
        f"{hold.pipeline} is still held, although {reason} since "
        f"{format_time(since, evidence.now)}.",
        "The retry should have started it long ago. It does not do its work.",
        "Its log says why; or let the pipeline go by hand.",
        (
            ("chalice", "logs", "--stage", stage, "--name", "retry"),
            ("gatectl", "release", hold.pipeline),
        ),
    )


def _find_end_of_upstreams(evidence: DoctorEvidence, hold: Hold) -> datetime | None:
    """Since when all upstreams have been as they have to be. None if they are not, or if that is
    not known: it is not for stages and for pipelines elsewhere.
    """
    ends = [hold.since]
    for dependency in hold.depends_on:
        if (
            evidence.pipelines is None
            or dependency.stage
            or dependency.role_arn
            or dependency.region not in (None, evidence.region)
        ):
            return None
        if dependency.name not in evidence.pipelines:
            continue  # one that is gone is not waited for
        executions = evidence.executions.get(dependency.name)
        if executions is None:
            return None
        upstream = Upstream(dependency, executions)
        hold_of_upstream = _find_hold(evidence, dependency, upstream)
        if find_unsatisfied([Upstream(dependency, executions, hold=hold_of_upstream)]):
            return None
        ends += [execution.updated for execution in executions]
    return max(ends)


def _find_hold(evidence: DoctorEvidence, dependency: Dependency, upstream: Upstream) -> Hold | None:
    """The hold of an upstream that keeps a gate closed. As the gate sees it, that is any rule named
    after the execution (chalicelib/pipelines/reader.py).
    """
    failed = upstream.possibly_held
    holds = {
        (rule.hold.pipeline, rule.hold.execution): rule.hold
        for rule in evidence.rules or ()
        if rule.hold
    }
    return holds.get((dependency.name, failed.id)) if failed else None


def _join_upstreams(hold: Hold) -> str:
    labels = [dependency.label for dependency in hold.depends_on]
    return join_names(labels) if labels else "nobody"
