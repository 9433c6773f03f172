"""What keeps a hold from ever ending, at its rule or at the retry that the rule invokes: as the
doctor finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chalicelib.account.waits import HoldRule
from chalicelib.errors import NoAnswer
from chalicelib.holds.rule import read_stage
from chalicelib.phrases import join_names
from gatectl.doctor.aws import Inspector, read_functions
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.doctor.stuck import find_fault
from gatectl.explain.anew import anew
from gatectl.explain.facts import Facts, Story, Target
from gatectl.explain.told import Way, detach, mend
from gatectl.functions import Deployed


def stage_of(rule: HoldRule) -> str:
    """The Chalice stage of the gate that made it, as its name has it."""
    return read_stage(rule.name, rule.hold.execution) if rule.hold else ""


def look(client: Any, rule: HoldRule) -> Target:
    """At the retry that is to end the rule's hold. `client`: boto3's, of Lambda."""
    looks, retry = Inspector(), Deployed(stage_of(rule), has_gate=False, has_retry=True)
    try:
        found = read_functions(client, looks, [retry])
    except NoAnswer as error:  # the rest can be told all the same
        return Target(unseen=str(error))
    denied = {one.why: None for one in looks.unseen}
    return Target(found.get(retry.retry), join_names(list(denied)) if denied else "")


def fault(facts: Facts, story: Story) -> Finding | None:
    """The first that ends the story's wait for good, if there is one."""
    if story.rule is None:
        return None
    return find_fault(_doctors(facts, story, story.rule), story.rule)


def _doctors(facts: Facts, story: Story, rule: HoldRule) -> DoctorEvidence:
    """What the doctor would know of it."""
    target, stage = story.target or Target(unseen="it was not looked at"), stage_of(rule)
    there = Deployed(
        stage, has_gate=True, has_retry=target.function is not None or bool(target.unseen)
    )
    known = {target.function.name: target.function} if target.function else {}
    return DoctorEvidence(
        facts.now,
        facts.partition,
        facts.region,
        facts.account,
        deployed=(there,),
        functions=known,
        rules=(rule,),
    )


def what(found: Finding, story: Story) -> str:
    """Where it lies, and what it is: a sentence or two."""
    if found.kind == "orphan":
        retry = (
            Deployed(stage_of(story.rule), has_gate=True, has_retry=False).retry
            if story.rule
            else ""
        )
        return f"the function {retry}, which its rule invokes, is not there."
    where = "its rule" if found.rule else f"the function {found.function}, which its rule invokes"
    return f"something is wrong with {where}. {found.problem}"


def ways(facts: Facts, story: Story, found: Finding) -> Iterator[Way]:
    """What mends it; and how to go on without that, where the retry cannot run: then it lets nobody
    go either.
    """
    if found.calls:
        yield mend()
    elif found.kind == "orphan":  # who may invoke a function goes with it
        yield Way(
            "deploy it again, and let its rule invoke it (that asks first)",
            (*found.commands[:1], *mend().commands),
        )
        yield _without(facts)
    elif found.kind == "overdue":
        yield Way("see why in its log, or let it go by hand", found.commands)
    else:
        yield Way(found.remedy, found.commands[:1])
        yield _without(facts)


def _without(facts: Facts) -> Way:
    return detach(facts.name) if facts.pipeline.gates else anew(facts)


def stops_the_retry(found: Finding) -> bool:
    return not found.calls and found.kind != "overdue"
