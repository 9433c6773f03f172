"""The rules that cannot end their holds, for commands that show holds: with the doctor's eyes, and
few calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.account.waits import HoldRule
from chalicelib.deployment import APP
from chalicelib.errors import NoAnswer
from chalicelib.holds.rule import read_stage
from gatectl.findings import functions, invocation, lambdas, rules
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding
from gatectl.findings.looks import Looks
from gatectl.functions import Deployed
from gatectl.session import Place


def stuck(place: Place, kept: Sequence[HoldRule], now: datetime) -> dict[str, Finding]:
    """Of these rules, those that will start nobody, by name, and why. What may not be looked at
    counts as sound; each retry is looked at once.
    """
    stages = {rule.name: read_stage(rule.name, rule.hold.execution) for rule in kept if rule.hold}
    if not stages:
        return {}
    looks, retries = (
        Looks(),
        [Deployed(stage, has_gate=False, has_retry=True) for stage in sorted(set(stages.values()))],
    )
    try:
        seen = lambdas.functions(place.client("lambda"), looks, retries)
    except NoAnswer:
        return {}
    unknown = {one.what for one in looks.unseen}
    there = tuple(
        Deployed(
            one.stage,
            has_gate=True,
            has_retry=one.retry in seen or any(one.retry in what for what in unknown),
        )
        for one in retries
    )
    holding = tuple(rule for rule in kept if rule.hold)
    facts = Facts(
        now,
        place.links.partition,
        place.region,
        place.account,
        deployed=there,
        functions=seen,
        rules=holding,
    )
    found = [one for part in (rules, functions, invocation) for one in part.findings(facts)]
    faults = {
        one.where: one
        for one in reversed(found)
        if one.severity == "error" and one.kind != "overdue"
    }
    by_rule = {
        name: (f"rule {name}", f"function {APP}-{stage}-retry") for name, stage in stages.items()
    }
    return {
        name: faults[where]
        for name, places in by_rule.items()
        for where in places
        if where in faults
    }
