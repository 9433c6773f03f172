"""The retry function that has to end a hold: whether the rule can invoke it, and what it logged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chalicelib.account.waits import HoldRule
from chalicelib.aws.lambda_functions import LambdaFunctions
from chalicelib.aws.logs import Logs, parse_record
from chalicelib.deployment import Deployment
from chalicelib.errors import NoAnswer, NotFound, NotPermitted
from chalicelib.holds.rule import read_stage
from chalicelib.phrases import join_names, shorten
from chalicelib.records.outcomes import Outcome
from gatectl.doctor import stuck
from gatectl.doctor.aws import Inspector, read_functions
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, RetryLog, RetryTarget
from gatectl.explain.reasons import offer_new_start
from gatectl.explain.statement import MEND, Remedy, offer_detach
from gatectl.functions import DeployedFunctions

MAX_LOG_PAGES = 10
"""The rest of a longer log is not read."""
LAMBDA_ERROR = "[ERROR]"
"""How the line of a failed invocation begins (practice: Lambda's runtime)."""
ENDS_OF_HOLDS = (
    Outcome.STARTED,
    Outcome.RETRIED,
    Outcome.LET_GO,
    Outcome.GAVE_UP,
    Outcome.CANCELED,
    Outcome.DROPPED,
)
"""What the retry function logs when it ends a hold."""


def read_rule_stage(rule: HoldRule) -> str:
    """Return the Chalice stage of the gate that created the rule."""
    return read_stage(rule.name, rule.hold.execution) if rule.hold else ""


def read_target(lambda_functions: LambdaFunctions, rule: HoldRule) -> RetryTarget:
    """Read the retry function that the rule has to invoke."""
    inspector = Inspector()
    retry = DeployedFunctions(read_rule_stage(rule), has_gate=False, has_retry=True)
    try:
        functions = read_functions(lambda_functions, inspector, [retry])
    except NoAnswer as error:  # everything else can still be explained
        return RetryTarget(unseen=str(error))
    denials = list(dict.fromkeys(unseen.why for unseen in inspector.unseen))
    return RetryTarget(functions.get(retry.retry), join_names(denials) if denials else "")


def find_fault(evidence: ExplainEvidence, story: ExecutionStory) -> Finding | None:
    """Return what keeps the hold from ever ending, as the doctor finds it; None if nothing does."""
    if story.rule is None:
        return None
    target = story.target or RetryTarget(unseen="it was not checked")
    may_exist = target.function is not None or bool(target.unseen)
    stage = read_rule_stage(story.rule)
    doctor_evidence = DoctorEvidence(
        evidence.now,
        evidence.partition,
        evidence.region,
        evidence.account,
        deployed=(DeployedFunctions(stage, has_gate=True, has_retry=may_exist),),
        functions={target.function.name: target.function} if target.function else {},
        rules=(story.rule,),
        fates=evidence.fates,
    )
    return stuck.find_fault(doctor_evidence, story.rule)


def describe_fault(fault: Finding, rule: HoldRule) -> str:
    """Return what is wrong and where, to follow a colon."""
    if fault.kind == "orphan":
        retry = DeployedFunctions(read_rule_stage(rule), has_gate=True, has_retry=False).retry
        return f"the function {retry}, which its rule invokes, does not exist."
    is_rule = fault.where.startswith("rule ")
    where = "its rule" if is_rule else f"the {fault.where}, which its rule invokes"
    return f"there is a problem with {where}. {fault.problem}"


def offer_repairs(evidence: ExplainEvidence, fault: Finding) -> Iterator[Remedy]:
    """Yield what repairs the fault. If the retry function cannot run, `gatectl release` does not
    work either, so also yield how to continue without it.
    """
    if fault.calls:
        yield MEND
        return
    if fault.kind == "overdue":
        yield Remedy("see why in the log, or release the execution", fault.commands)
        return
    if fault.kind == "orphan":  # the permission to invoke a function goes with it
        yield Remedy(
            "deploy it again, and allow its rule to invoke it (asks for confirmation first)",
            (*fault.commands[:1], *MEND.commands),
        )
    else:
        phrase = f"{fault.how[:1].lower()}{fault.how[1:].rstrip('.')}"
        yield Remedy(phrase, fault.commands[:1])
    yield offer_detach(evidence.name) if evidence.pipeline.gates else offer_new_start(evidence)


def stops_the_retry(fault: Finding) -> bool:
    return not fault.calls and fault.kind != "overdue"


# Its log


def read_log(logs: Logs, deployment: Deployment, rule: str, since: datetime) -> RetryLog:
    """Return what the retry function has logged `since` then about the hold of `rule`, except that
    it is still waiting, and the function's errors.

    The filter ?x ?y means x or y (guide: CloudWatch Logs, "Filter pattern syntax"). It matches too
    much, so the lines are filtered again here.
    """
    records: list[tuple[datetime, dict[str, Any]]] = []
    errors: list[tuple[datetime, str]] = []
    try:
        group, pattern = f"/aws/lambda/{deployment.retry_function}", f'?"{rule}" ?"{LAMBDA_ERROR}"'
        for moment, text in logs.read_lines(group, pattern, since, MAX_LOG_PAGES).lines:
            line = text.strip()
            record = parse_record(line)
            if line.startswith(LAMBDA_ERROR):
                error_text = line.splitlines()[0].removeprefix(LAMBDA_ERROR).strip()
                errors.append((moment, shorten(error_text, 300)))
            elif record.get("rule") == rule and not _is(record, Outcome.WAITING):
                records.append((moment, record))
    except NotFound:
        return RetryLog(missing=True)
    except (NotPermitted, NoAnswer) as error:
        return RetryLog(unread=str(error))
    return RetryLog(tuple(records), tuple(errors))


def _is(record: dict[str, Any], outcome: Outcome) -> bool:
    return record.get("decision") == outcome.word


def find_end(log: RetryLog | None) -> tuple[datetime, dict[str, Any], Outcome] | None:
    """Return when and how the retry function ended the hold, by its last such record."""
    ends = [
        (moment, record, outcome)
        for moment, record in (log.records if log else ())
        for outcome in ENDS_OF_HOLDS
        if _is(record, outcome)
    ]
    return ends[-1] if ends else None
