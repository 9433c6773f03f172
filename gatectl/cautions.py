"""What attach warns of: what a hold would trip over, deadlocks, a role that may not invoke it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError

from chalicelib.account import graph
from chalicelib.account.cycles import DEADLOCK_REMEDY, classify_circles
from chalicelib.account.gates import Gate, find_gates, is_local
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.reader import MAX_CALLS_AT_ONCE
from chalicelib.errors import NoAnswer, NotPermitted, PipelineNotFound, UnexpectedAnswer
from chalicelib.parameters import Parameters
from chalicelib.phrases import join_names
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE
from gatectl.doctor import pipeline_roles
from gatectl.doctor.aws import Inspector, ask_iam, read_functions, read_policies
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding
from gatectl.functions import DeployedFunctions
from gatectl.session import Place
from gatectl.structure import Declaration

# A hold, in the pipeline's structure


def find_hold_cautions(declared: Declaration) -> tuple[str, ...]:
    """What a hold would trip over: a sentence or two each, with what to do about it."""
    gates = [(gate, gate.parameters) for gate in find_gates(declared)]
    return tuple(text for gate, each in gates if each for text in _check_hold(declared, gate, each))


def _check_hold(declared: Declaration, gate: Gate, parameters: Parameters) -> Iterator[str]:
    name = declared["name"]
    stage = next(stage for stage in declared["stages"] if stage["name"] == gate.stage)
    if parameters.mode.fails_execution:
        yield from _check_on_failure(stage, name)
    if parameters.mode.starts_over:
        yield from _check_repeated_work(declared, gate, stage)
    if not gate.condition and stage is declared["stages"][-1] and not _list_later(gate, stage):
        yield (
            f"Nothing in {name} comes after its gate, so there is nothing that waits. Put "
            "it before the work (--after)."
        )
    if not parameters.mode.keeps_queue_order and declared.get("executionMode") == "QUEUED":
        yield (
            f"{name} is in QUEUED mode: a held execution has failed, so the next in the queue is "
            "let in before it, and the hold is "
            'dropped. Only "hold": "wait" (--hold wait) keeps the queue\'s order.'
        )
    if gate.condition and stage["beforeEntry"]["conditions"][0].get("result") == "SKIP":
        yield (
            f"The condition in which the gate of {name} stands has the result SKIP: at a hold the "
            f"stage {gate.stage} is skipped, {name} "
            "goes on without it, and nothing starts again. Give the condition the result FAIL."
        )


def _check_on_failure(stage: Declaration, pipeline: str) -> Iterator[str]:
    """A hold is a failed action, and a stage may react to a failure."""
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
            "so each hold sets that off. Give the gate a stage of its own, or --hold wait, with "
            "which nothing fails."
        )


def _check_repeated_work(declared: Declaration, gate: Gate, stage: Declaration) -> Iterator[str]:
    """What has run before the gate runs again at a restart; the sources always do."""
    stages = [stage["name"] for stage in declared["stages"]]
    before = [f"the stage {name}" for name in stages[1 : stages.index(gate.stage)]]
    if not gate.condition:
        later = _list_later(gate, stage)
        before += [
            f"the action {action['name']}"
            for action in stage["actions"]
            if action["name"] not in (gate.action, *later)
        ]
    if before:
        yield (
            f"Before the gate of {declared['name']} {'runs' if len(before) == 1 else 'run'} "
            f"{join_names(before)}. A hold starts the pipeline again from its sources, so all that "
            "is done (and approved) twice. If it is not safe to do twice, put the gate right after "
            f"the sources (--after {stages[0]}), or let the same execution go on (--hold retry, "
            "--hold wait)."
        )


def _list_later(gate: Gate, stage: Declaration) -> list[str]:
    """The actions of its stage that run after a gate action."""
    order = {action["name"]: action.get("runOrder", 1) for action in stage["actions"]}
    return [action for action in order if order[action] > order[gate.action]]


# Deadlocks


def find_deadlocks(place: Place, declared: Declaration) -> list[str]:
    """A sentence or two for each cycle that can come to a stop, including the upstreams."""
    pipelines = _read_upstreams(place, Pipeline.parse(declared))
    circles = classify_circles(
        graph.list_edges(AccountView(pipelines, (), ()), place.region), pipelines
    )
    return [f"{circle} {DEADLOCK_REMEDY}" for circle in circles if circle.kind != "turns"]


def _read_upstreams(place: Place, pipeline: Pipeline) -> dict[str, Pipeline]:
    """The pipeline, its upstreams in this region, and theirs, as far as a gate looks. One that is
    missing or may not be seen is left out: attach must not fail because of it.
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
    """Why the role may not invoke its gate, as the doctor finds it; None if that is not known."""
    try:
        return _check_role(place, Pipeline.parse(declared))
    except (BotoCoreError, NotPermitted, NoAnswer, UnexpectedAnswer):
        return None  # only a look ahead: attach must not fail because of it


def _check_role(place: Place, pipeline: Pipeline) -> list[Finding] | None:
    looks = Inspector()
    partition = pipeline.role.split(":")[1]
    facts = DoctorEvidence(
        datetime.now(UTC),
        partition,
        place.region,
        place.caller.account,
        pipelines={pipeline.name: pipeline},
    )
    questions = list(pipeline_roles.list_questions(facts))
    answers = {question: ask_iam(place.iam, looks, question) for question in questions}
    facts = replace(
        facts, answers={question: answer for question, answer in answers.items() if answer}
    )
    if not answers or len(facts.answers) < len(answers):
        return None
    if any(answer.refused for answer in facts.answers.values()):
        # The function's own policy may let it in anyway.
        stages = [
            DeployedFunctions(gate.deployed_as, has_gate=True, has_retry=False)
            for gate in pipeline.gates
        ]
        facts = replace(facts, functions=read_functions(place.functions, looks, stages))
        if looks.unseen:
            return None
        facts = replace(facts, policies=read_policies(place.iam, looks, facts))
    faults = list(pipeline_roles.findings(facts))
    return faults if all(fault.severity == "error" for fault in faults) else None


def describe_role_fault(fault: Finding) -> str:
    """What a fault means, and what to do about it if `gatectl doctor --mend` cannot."""
    how = "" if fault.calls else f" {fault.how}"
    return f"{fault.where[0].upper()}{fault.where[1:]}: {fault.problem} {fault.means}{how}"


def summarize_role(faults: Sequence[Finding] | None) -> str:
    """attach's last sentence, when the gate is in place."""
    if faults is None:
        return "Its role must be allowed to invoke the gate: `gatectl doctor` looks whether it is."
    if not faults:
        return "Its role may invoke the gate."
    how = (
        "`gatectl doctor --mend` lets it, and asks first"
        if all(fault.calls for fault in faults)
        else "`gatectl doctor` says why"
    )
    return f"Its role may not invoke the gate yet, and the gate action fails: {how}."
