"""Finds the rules that cannot end their holds, as the doctor does but with fewer calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.account.waits import HoldRule
from chalicelib.errors import NoAnswer
from chalicelib.holds.fate import HoldFate
from chalicelib.holds.rule import read_stage
from gatectl.doctor.aws import Inspector, read_functions
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.doctor.functions import find_retry_faults
from gatectl.doctor.rules import check_rule
from gatectl.functions import DeployedFunctions
from gatectl.session import Place


def find_fault(evidence: DoctorEvidence, rule: HoldRule) -> Finding | None:
    """Return what keeps `rule` from ever ending its hold: a fault of the rule or of the retry
    function that it invokes; None if there is none. "overdue" is returned only without a cause.
    """
    if rule.hold is None:
        return None
    stage = read_stage(rule.name, rule.hold.execution)
    findings = [*check_rule(evidence, rule)]
    for deployed in evidence.deployed or ():
        if deployed.stage == stage:
            findings += find_retry_faults(evidence, deployed)
    faults = [each for each in findings if each.severity == "error" or each.kind == "left-behind"]
    return min(faults, key=lambda fault: fault.kind == "overdue", default=None)


def find_stuck_rules(
    place: Place, rules: Sequence[HoldRule], now: datetime, fates: Mapping[str, HoldFate]
) -> dict[str, Finding]:
    """Return why rules will never end their holds, by the rules' names. What may not be read is
    assumed to work. `fates`: what became of the holds, by the rules' names.
    """
    holding = tuple(rule for rule in rules if rule.hold)
    stages = {read_stage(rule.name, rule.hold.execution) for rule in holding if rule.hold}
    if not stages:
        return {}
    inspector = Inspector()
    retries = [DeployedFunctions(stage, has_gate=False, has_retry=True) for stage in sorted(stages)]
    try:
        functions = read_functions(place.functions, inspector, retries)
    except NoAnswer:
        return {}
    existing = {*functions, *(gap.function for gap in inspector.unseen)}
    evidence = DoctorEvidence(
        now,
        place.links.partition,
        place.region,
        place.caller.account,
        deployed=tuple(
            DeployedFunctions(each.stage, has_gate=True, has_retry=each.retry in existing)
            for each in retries
        ),
        functions=functions,
        rules=holding,
        fates=fates,
    )
    faults = {rule.name: find_fault(evidence, rule) for rule in holding}
    return {name: fault for name, fault in faults.items() if fault and fault.kind != "overdue"}
