"""What attach warns about: problems that a hold would cause, deadlocks, missing permissions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError

from chalicelib.account import graph
from chalicelib.account.cycles import DEADLOCK_REMEDY, classify_cycles
from chalicelib.account.gates import Gate, find_gates, is_local
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.reader import MAX_CALLS_AT_ONCE
from chalicelib.errors import NoAnswer, NotPermitted, PipelineNotFound, UnexpectedAnswer
from chalicelib.holds.continuation import has_filters
from chalicelib.parameters import Parameters
from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import PARALLEL
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE
from gatectl.doctor import pipeline_roles
from gatectl.doctor.aws import Inspector, ask_iam, read_functions, read_policies
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.editing import Caution
from gatectl.functions import DeployedFunctions
from gatectl.second_gate import find_unchecked_work, list_closed_stages
from gatectl.session import Place
from gatectl.structure import Declaration

# Holds


def find_hold_cautions(declared: Declaration) -> tuple[str, ...]:
    """Return the problems that a hold would cause, each with its remedy, in sentences."""
    gates = [(gate, gate.parameters) for gate in find_gates(declared)]
    texts = (text for gate, each in gates if each for text in _check_hold(declared, gate, each))
    return tuple(dict.fromkeys(texts))  # gates may share a problem


def _check_hold(declared: Declaration, gate: Gate, parameters: Parameters) -> Iterator[str]:
    name = declared["name"]
    stage = next(stage for stage in declared["stages"] if stage["name"] == gate.stage)
    if parameters.mode.fails_execution:
        yield from _check_on_failure(stage, name)
    if parameters.mode.starts_over:
        yield from _check_repeated_work(declared, gate, stage)
    if stage is declared["stages"][-1] and not _list_later(gate, stage):
        yield (
            f"Nothing in {name} comes after its gate in the stage {gate.stage}, so nothing waits. "
            "Put that gate before the work (attach --after; --move moves it)."
        )
    if not parameters.mode.keeps_queue_order and declared.get("executionMode") == "QUEUED":
        yield (
            f"{name} is in QUEUED mode: a held execution has failed, so the next one in the queue "
            "goes first, and the hold is dropped. Only "
            '"hold": "wait" (--hold wait) keeps the order of the queue.'
        )
    if gate.condition and not parameters.condition:
        yield (
            f"The gate of {name} is a condition of the stage {gate.stage}, but its UserParameters "
            "do not say so. If AWS judges the condition by how the function ends, the stage begins "
            'even though the gate is closed. Add "condition": true.'
        )
    if gate.condition and stage["beforeEntry"]["conditions"][0].get("result") == "SKIP":
        yield (
            f"The condition that contains the gate of {name} has the result SKIP: instead of being "
            f"held, {name} skips the stage {gate.stage} and continues, and nothing starts again. "
            "Set the result of the condition to FAIL."
        )


def _check_on_failure(stage: Declaration, pipeline: str) -> Iterator[str]:
    """A hold is a failed action, and the stage may react to failures."""
    on_failure = stage.get("onFailure", {})
    reactions = {"ROLLBACK": "rolls back when it fails", "RETRY": "is retried when it fails"}
    reaction = (
        "has a condition for failures"
        if on_failure.get("conditions")
        else reactions.get(on_failure.get("result", ""))
    )
    if reaction:
        yield (
            f"The stage {stage['name']} of {pipeline} {reaction} (onFailure). A hold is a failure, "
            "so every hold triggers this. Give the gate its own stage, or use --hold wait, which "
            "does not fail anything."
        )


def _check_repeated_work(declared: Declaration, gate: Gate, stage: Declaration) -> Iterator[str]:
    """What runs before the gate runs again after a restart. The sources always do. Other gates do
    no work.
    """
    stages = declared["stages"]
    gates = {(each.stage, each.action) for each in find_gates(declared) if not each.condition}

    def list_work(stage: Declaration) -> list[Declaration]:
        return [each for each in stage["actions"] if (stage["name"], each["name"]) not in gates]

    earlier_stages = [each for each in stages[1 : stages.index(stage)] if list_work(each)]
    later = _list_later(gate, stage)
    earlier_actions = [each for each in list_work(stage) if each["name"] not in later]
    before = [f"the stage {each['name']}" for each in earlier_stages]
    before += [f"the action {each['name']}" for each in earlier_actions]
    if before:
        repeated = [
            *earlier_actions,
            *(work for each in earlier_stages for work in list_work(each)),
        ]
        # A gate before an approval would check too early.
        has_approval = any(each["actionTypeId"]["category"] == "Approval" for each in repeated)
        how = (
            "Continue the same execution instead (--hold retry, --hold wait)."
            if has_approval
            else "If that is not safe, continue the same execution (--hold retry, --hold wait), or "
            "put the gate right after the sources."
        )
        yield (
            f"In {declared['name']}, {join_names(before)} {'runs' if len(before) == 1 else 'run'} "
            f"before the gate in the stage {gate.stage}. A hold starts the pipeline again from its "
            f"sources, so all of that is done {'and approved ' * has_approval}twice. {how}"
        )


def _list_later(gate: Gate, stage: Declaration) -> list[str]:
    """Return the actions of its stage that run after a gate."""
    if gate.condition:
        return [action["name"] for action in stage["actions"]]
    order = {action["name"]: action.get("runOrder", 1) for action in stage["actions"]}
    return [action for action in order if order[action] > order[gate.action]]


# What a restart takes


def find_restart_notes(declared: Declaration) -> tuple[str, ...]:
    """Return with what the pipeline continues after a hold, if its triggers have filters or a
    source may take another S3 key.
    """
    parameters = [gate.parameters for gate in find_gates(declared) if gate.parameters]
    notes = (
        note
        for each in parameters
        if each.mode.starts_over and not each.observe and declared.get("executionMode") != PARALLEL
        for note in _describe_restarts(declared, each.revisions)
    )
    return tuple(dict.fromkeys(notes))


def _describe_restarts(declared: Declaration, revisions: str | None) -> Iterator[str]:
    name = declared["name"]
    if has_filters(declared):
        yield f"The triggers of {name} have filters. After a hold, " + (
            "a new execution starts with the latest commit of the branch, even if a tag, another "
            "branch or a pull request started the held one. To continue with what was held, leave "
            "out revisions."
            if revisions == "latest"
            else "a new execution starts with the held commit."
            if revisions == "held"
            else "the stage of an execution that they started is retried, as with --hold retry: a "
            "new execution would take the latest commit of the branch."
        )
    for action in declared["stages"][0]["actions"]:
        configuration = action.get("configuration") or {}
        if configuration.get("AllowOverrideForS3ObjectKey", "").lower() == "true":
            yield f"An execution of {name} may take another S3 key in {action['name']}. " + (
                "After a hold, a new execution starts with the latest version of the key in the "
                "pipeline. To continue with what was held, leave out revisions."
                if revisions == "latest"
                else "After a hold, its stage is retried, as with --hold retry: a new execution "
                "could take another object."
            )


# The place of a gate


def find_place_cautions(place: Place, declared: Declaration) -> list[Caution]:
    """Return where people may keep an execution between a gate and later work."""
    closed = _read_closed_stages(place, declared["name"])
    return [
        Caution(f"{work.problem} {work.how}", work.command)
        for work in find_unchecked_work(declared, closed)
    ]


def _read_closed_stages(place: Place, pipeline: str) -> list[str]:
    """Return the stages with a disabled transition into them; none if AWS does not let them be
    read, because attach must not fail because of that.
    """
    try:
        return list_closed_stages(place.codepipeline.read_state(pipeline))
    except (PipelineNotFound, NotPermitted, NoAnswer, UnexpectedAnswer):
        return []


# Deadlocks


def find_deadlocks(place: Place, declared: Declaration) -> list[str]:
    """Return a few sentences for each possible deadlock, including those among upstreams."""
    pipelines = _read_upstreams(place, Pipeline.parse(declared))
    cycles = classify_cycles(
        graph.list_edges(AccountView(pipelines, (), ()), place.region), pipelines
    )
    return [f"{cycle} {DEADLOCK_REMEDY}" for cycle in cycles if cycle.kind != "turns"]


def _read_upstreams(place: Place, pipeline: Pipeline) -> dict[str, Pipeline]:
    """Return the pipeline, its upstreams in this region, and theirs, as far as a gate checks. Those
    that do not exist or cannot be read are omitted: attach must not fail because of them.
    """
    codepipeline = place.codepipeline

    def read(name: str) -> Pipeline | None:
        try:
            return Pipeline.parse(codepipeline.read_declaration(name)[0])
        except (PipelineNotFound, NotPermitted, NoAnswer, UnexpectedAnswer, BotoCoreError):
            return None

    pipelines: dict[str, Pipeline] = {}
    nearest: list[Pipeline] = [pipeline]
    names = {pipeline.name}
    with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
        for _ in range(MAX_PIPELINES_IN_A_CYCLE + 1):
            pipelines |= {upstream.name: upstream for upstream in nearest}
            ahead = {
                dependency.name
                for upstream in nearest
                for dependency in upstream.depends_on
                if is_local(dependency, place.region)
            } - names
            names |= ahead
            nearest = [upstream for upstream in pool.map(read, sorted(ahead)) if upstream]
    return pipelines


# The pipeline's role


def find_role_faults(place: Place, declared: Declaration) -> list[Finding] | None:
    """Return the doctor's findings about the role's permissions; None if they are unknown."""
    try:
        return _check_role(place, Pipeline.parse(declared))
    except (BotoCoreError, NotPermitted, NoAnswer, UnexpectedAnswer):
        return None  # attach must not fail because of this check


def _check_role(place: Place, pipeline: Pipeline) -> list[Finding] | None:
    inspector = Inspector()
    partition = pipeline.role.split(":")[1]
    facts = DoctorEvidence(
        datetime.now(UTC),
        partition,
        place.region,
        place.caller.account,
        pipelines={pipeline.name: pipeline},
    )
    questions = list(pipeline_roles.list_questions(facts))
    answers = {question: ask_iam(place.iam, inspector, question) for question in questions}
    facts = replace(
        facts, answers={question: answer for question, answer in answers.items() if answer}
    )
    if not answers or len(facts.answers) < len(answers):
        return None
    if any(answer.refused for answer in facts.answers.values()):
        # The function's own policy may allow it anyway.
        stages = [
            DeployedFunctions(gate.deployed_as, has_gate=True, has_retry=False)
            for gate in pipeline.gates
        ]
        facts = replace(facts, functions=read_functions(place.functions, inspector, stages))
        if inspector.unseen:
            return None
        facts = replace(facts, policies=read_policies(place.iam, inspector, facts))
    faults = list(pipeline_roles.findings(facts))
    return faults if all(fault.severity == "error" for fault in faults) else None


def describe_role_fault(fault: Finding) -> str:
    """Return what follows from a fault, and how to fix it if `gatectl doctor --mend` cannot."""
    how = "" if fault.calls else f" {fault.how}"
    return f"{fault.where[0].upper()}{fault.where[1:]}: {fault.problem} {fault.means}{how}"


def summarize_role(faults: Sequence[Finding] | None) -> str:
    """Return the last sentence of attach, after the gate was added."""
    if faults is None:
        return "Its role must be allowed to invoke the gate. To check this, run `gatectl doctor`."
    if not faults:
        return "Its role may invoke the gate."
    how = (
        "To allow it, run `gatectl doctor --mend`, which asks for confirmation."
        if all(fault.calls for fault in faults)
        else "`gatectl doctor` says why."
    )
    return f"Its role may not invoke the gate yet, so the gate action fails. {how}"
