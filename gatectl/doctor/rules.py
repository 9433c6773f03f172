"""Does each of the gate's rules keep a hold that will end, or is it left behind?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.account.waits import HoldRule
from chalicelib.aws.command import AwsCommand
from chalicelib.aws.eventbridge import TARGET_ID
from chalicelib.deployment import APP
from chalicelib.holds.fate import Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import build_pattern
from chalicelib.holds.schedule import Schedule
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
"""For Lambda's own retries, and for throttling when many holds end together."""
MINUTES_OF_NEW_SCHEDULE = 5


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    for rule in evidence.rules or ():
        yield from check_rule(evidence, rule)
    if evidence.rules_in_all is not None and evidence.rules_in_all >= RULES_PER_BUS * NEARLY_FULL:
        yield Finding(
            "rules-quota",
            "warning",
            "event bus default",
            f"It has {evidence.rules_in_all} of {RULES_PER_BUS} rules, unless your quota is "
            f"higher. {len(evidence.rules or ())} of them are the gate's.",
            "If no rule is available, a gate that has to hold keeps its action in progress until "
            "a rule can be created.",
            "Remove rules that are not needed, or ask AWS for a higher quota.",
        )


def check_rule(evidence: DoctorEvidence, rule: HoldRule) -> Iterator[Finding]:
    name, where = RULE_NAME.fullmatch(rule.name), f"rule {rule.name}"
    if not name:
        yield Finding(
            "strange-rule",
            "note",
            where,
            "Its name begins like those of the gate's rules, but the gate did not create it.",
            "The gate does not change it, and neither does --mend.",
            "Give it another name, or remove it if it is not needed.",
            (("aws", "events", "list-targets-by-rule", "--rule", rule.name),),
        )
    elif not rule.has_target:
        yield from _check_rule_without_target(rule, evidence.now)
    elif rule.hold is None:
        description = f" Its description is: {rule.description}" if rule.description else ""
        yield Finding(
            "unreadable-rule",
            "error",
            where,
            f"The Input of its target is not what the gate wrote.{description}",
            "The retry function refuses it whenever it fires, so this rule does not continue "
            f"execution {name['execution']}.",
            "Start the pipeline yourself if that is still needed, and remove this rule.",
            tuple(call.words for call in _build_removal(rule)),
        )
    else:
        yield from _check_hold(evidence, rule, rule.hold, name["stage"])


def _check_rule_without_target(rule: HoldRule, now: datetime) -> Iterator[Finding]:
    """A gate may be creating it right now, unless it is old (retry.MAX_MAKING_TIME)."""
    if rule.made_at and now - rule.made_at <= MAX_MAKING_TIME:
        return
    delete = AwsCommand("events", "delete_rule", {"Name": rule.name})
    yield Finding(
        "empty-rule",
        "warning",
        f"rule {rule.name}",
        f"It has no target{'' if rule.made_at else ', and does not say when it was created'}.",
        "It holds no execution, and counts towards the region's quota of rules.",
        "Remove this rule."
        if rule.made_at
        else "A gate may be creating it right now. Check again in half an hour, and remove it if "
        "it still has no target.",
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
    since = format_time(hold.since, evidence.now)
    if fate.standing is Standing.ENDED:
        works = has_retry and _reaches_retry(evidence, rule, stage)
        yield _describe_left_rule(evidence, rule, hold, fate.reason, works=works)
    elif fate.standing is Standing.MOVED_ON:
        return  # Its stage was retried and is running. The rule is removed when that has ended.
    elif not has_retry:
        yield Finding(
            "orphan",
            "error",
            where,
            f"It has held {hold.pipeline} since {since}, but {retry} does not exist.",
            f"Nothing starts {hold.pipeline} again.",
            f"Deploy it again, and the hold continues. Or start {hold.pipeline} yourself. Then "
            "--mend removes this rule.",
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
                f"It has held {hold.pipeline} for more than {LOOK_BACK.days} days, since {since}.",
                f"It is waiting for {_join_upstreams(hold)}. Perhaps no one has noticed.",
                "Find out why, and release it if it does not have to wait. give_up_minutes ends "
                "such waits automatically.",
                (("gatectl", "explain", hold.pipeline), ("gatectl", "release", hold.pipeline)),
            )


def _reaches_retry(evidence: DoctorEvidence, rule: HoldRule, stage: str) -> bool:
    """Return whether the rule invokes its retry function, as far as is known."""
    deployment = evidence.deployment(stage)
    retry = evidence.functions.get(deployment.retry_function)
    return (
        rule.enabled
        and rule.targets[TARGET_ID] == deployment.retry_arn
        and (retry is None or may_be_invoked(evidence, retry, stage))
    )


def _describe_left_rule(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, reason: str, *, works: bool
) -> Finding:
    """`works`: whether the rule invokes its retry function, which removes it."""
    where, removal = f"rule {rule.name}", _build_removal(rule)
    problem, how = f"Its hold is no longer needed: {reason}.", "Remove this rule."
    if rule.targets.keys() != {TARGET_ID}:
        means = "The gate cannot remove it, because it has targets that the gate did not create."
        commands = tuple(call.words for call in removal)
        return Finding("left-behind", "warning", where, problem, means, how, commands)
    if not works:
        means = "Nothing removes it, because it does not invoke the retry function."
        return Finding("left-behind", "warning", where, problem, means, how, calls=removal)
    check = rule.next_check(evidence.now)
    next_check = f" It checks next at {format_time(check, evidence.now)}." if check else ""
    means = (
        "That is normal: the rule is removed automatically at its first check after the end of "
        f"{_join_upstreams(hold)}.{next_check} You do not need to do anything."
    )
    how, question = "You can also remove this rule now.", "Remove this rule now?"
    return Finding("over", "note", where, problem, means, how, calls=removal, question=question)


# Rules that cannot end their hold as they should


def _find_faults(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, stage: str
) -> Iterator[Finding]:
    """Return what is wrong with a rule whose hold has not ended."""
    where, retry = f"rule {rule.name}", evidence.deployment(stage).retry_arn
    upstreams = _join_upstreams(hold)
    stuck = f"{hold.pipeline} is waiting for {upstreams}, and nothing will continue it."
    if not rule.enabled:
        yield Finding(
            "disabled-rule",
            "error",
            where,
            "It is disabled, so it never fires.",
            stuck,
            "Enable this rule.",
            calls=(AwsCommand("events", "enable_rule", {"Name": rule.name}),),
        )
    if rule.targets[TARGET_ID] != retry:
        target = {"Id": TARGET_ID, "Arn": retry, "Input": hold.as_input()}
        put = {"Rule": rule.name, "Targets": [target]}
        yield Finding(
            "wrong-target",
            "error",
            where,
            f"It invokes {rule.targets[TARGET_ID]}, not the retry function.",
            stuck,
            "Let this rule invoke the retry function.",
            calls=(AwsCommand("events", "put_targets", put),),
        )
    if rule.next_check(evidence.now) is None:
        put = {
            "Name": rule.name,
            "ScheduleExpression": Schedule.begin(hold.since, MINUTES_OF_NEW_SCHEDULE).expression,
            "EventPattern": build_pattern(hold.depends_on),
            "Description": rule.description,
            "State": "ENABLED",
        }
        yield Finding(
            "no-schedule",
            "warning",
            where,
            f"Its schedule is {rule.schedule}, which is not one that the gate writes."
            if rule.schedule
            else "It has no schedule.",
            f"If the event of the end of {upstreams} is lost, {hold.pipeline} does not continue.",
            f"Rewrite this rule as the gate would, with a check every {MINUTES_OF_NEW_SCHEDULE} "
            "minutes.",
            calls=(AwsCommand("events", "put_rule", put),),
        )
    if strange := sorted(rule.targets.keys() - {TARGET_ID}):
        remove = AwsCommand("events", "remove_targets", {"Rule": rule.name, "Ids": strange})
        yield Finding(
            "more-targets",
            "warning",
            where,
            "It has targets that the gate did not create: "
            f"{join_names([f'{id_} ({rule.targets[id_]})' for id_ in strange])}.",
            "When the hold ends, the rule cannot be removed, and keeps invoking these targets.",
            "Remove these targets, or ask the person who created them.",
            (remove.words,),
        )


def _find_overdue(
    evidence: DoctorEvidence, rule: HoldRule, hold: Hold, stage: str
) -> Iterator[Finding]:
    """Report a hold that should have ended by now, which is a sign of some other problem."""
    first = rule.next_check(evidence.now)
    second = rule.next_check(first) if first else None
    if first is None or second is None:
        return
    due = evidence.now - 2 * (second - first) - MAX_DELAY
    if hold.is_past_deadline(due) and hold.give_up:
        reason, since = "give_up_minutes ended", hold.give_up
    else:
        ended = _find_end_of_upstreams(evidence, hold)
        if ended is None or ended > due:
            return
        reason, since = f"{_join_upstreams(hold)} stopped blocking it", ended
    yield Finding(
        "overdue",
        "error",
        f"rule {rule.name}",
        f"{hold.pipeline} is still held, although {reason} at {format_time(since, evidence.now)}.",
        "The retry function should have ended this hold by now. It does not work.",
        "Read its log to find out why, or release the pipeline.",
        (
            ("chalice", "logs", "--stage", stage, "--name", "retry"),
            ("gatectl", "release", hold.pipeline),
        ),
    )


def _find_end_of_upstreams(evidence: DoctorEvidence, hold: Hold) -> datetime | None:
    """Return since when no upstream has kept the gate closed. None if one still does, or if that is
    unknown, as it is for stages and for pipelines elsewhere.
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
            continue  # an upstream that no longer exists does not keep the gate closed
        executions = evidence.executions.get(dependency.name)
        if executions is None:
            return None
        upstream = Upstream(dependency, executions, read_at=evidence.now)
        hold_of_upstream = _find_hold(evidence, dependency, upstream)
        if find_unsatisfied([replace(upstream, hold=hold_of_upstream)]):
            return None
        ends += [execution.updated for execution in executions]
    return max(ends)


def _find_hold(evidence: DoctorEvidence, dependency: Dependency, upstream: Upstream) -> Hold | None:
    """Return the hold of an upstream, which keeps the gate closed. Like the gate, it takes any rule
    named after the execution (chalicelib/pipelines/reader.py).
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
    return join_names(labels) if labels else "no pipeline"
