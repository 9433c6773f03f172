"""What a hold would trip over in a pipeline: pure functions of its structure (model:
PipelineDeclaration).
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.account.gates import Gate, find_gates
from chalicelib.parameters import Parameters
from chalicelib.phrases import join_names
from gatectl.structure import Declaration


def cautions(declared: Declaration) -> tuple[str, ...]:
    """A sentence or two for each, with what to do about it."""
    unnamed = [
        text
        for gate in find_gates(declared)
        if gate.parameters
        for text in _of_names(declared["name"], gate.parameters)
    ]
    return (*of_holds(declared), *unnamed)


def of_holds(declared: Declaration) -> tuple[str, ...]:
    """Those alone that are of how the pipeline is built."""
    return tuple(
        text
        for gate in find_gates(declared)
        if gate.parameters
        for text in _of(declared, gate, gate.parameters)
    )


def _of(declared: Declaration, gate: Gate, asked: Parameters) -> Iterator[str]:
    name = declared["name"]
    stage = next(stage for stage in declared["stages"] if stage["name"] == gate.stage)
    if asked.mode.fails_execution:
        yield from _of_failing(stage, name)
    if asked.mode.starts_over:
        yield from _of_repeating(declared, gate, stage)
    if not gate.condition and stage is declared["stages"][-1] and not _later(gate, stage):
        yield (
            f"Nothing in {name} comes after its gate, so there is nothing that waits. Put "
            "it before the work (--after)."
        )
    if not asked.mode.keeps_queue_order and declared.get("executionMode") == "QUEUED":
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


def _of_names(name: str, asked: Parameters) -> Iterator[str]:
    if asked.pipeline is None or asked.execution is None:
        yield (
            f"The gate of {name} does not say whose it is, and CodePipeline does not tell it "
            "reliably: add "
            f'"pipeline": "{name}" and "execution": "#{{codepipeline.PipelineExecutionId}}" to '
            "its UserParameters."
        )
    if asked.pipeline not in (None, name):
        yield (
            f'The gate of {name} says "pipeline": "{asked.pipeline}", which is another one: '
            f'it fails at each hold. Write "{name}".'
        )


def _of_failing(stage: Declaration, pipeline: str) -> Iterator[str]:
    """A hold is a failed action, and a stage may react to that."""
    on_failure = stage.get("onFailure", {})
    where = f"The stage {stage['name']} of {pipeline}"
    mend = "Give the gate a stage of its own, or --hold wait, with which nothing fails."
    if on_failure.get("conditions"):
        yield (
            f"{where} has an onFailure condition. A hold is a failure, so each hold sets it "
            f"off. {mend}"
        )
    elif on_failure.get("result") == "ROLLBACK":
        yield (
            f"{where} rolls back when it fails (onFailure). A hold is a failure, so each hold "
            f"rolls {stage['name']} back to the last "
            f"execution that succeeded in it. {mend}"
        )
    elif on_failure.get("result") == "RETRY":
        yield (
            f"{where} is retried when it fails (onFailure). A hold is a failure, so the gate is "
            "asked twice at each hold, and the action "
            f"that shows the hold is the second. {mend}"
        )


def _of_repeating(declared: Declaration, gate: Gate, stage: Declaration) -> Iterator[str]:
    """What has run when the gate holds runs again at the restart; only the sources always do."""
    stages = [one["name"] for one in declared["stages"]]
    before = [f"the stage {one}" for one in stages[1 : stages.index(gate.stage)]]
    if not gate.condition:
        later = _later(gate, stage)
        before += [
            f"the action {action['name']}"
            for action in stage["actions"]
            if action["name"] not in (gate.action, *later)
        ]
    if before:
        yield (
            f"Before the gate of {declared['name']} {'runs' if len(before) == 1 else 'run'} "
            f"{join_names(before)}. A hold starts the pipeline "
            "again from its sources, so all that is done (and approved) twice. If it is not safe "
            "to do twice, put the gate right after the "
            f"sources (--after {stages[0]}), or let the same execution go on (--hold retry, "
            "--hold wait)."
        )


def _later(gate: Gate, stage: Declaration) -> list[str]:
    """The actions of its stage that a gate action comes before."""
    order = {action["name"]: action.get("runOrder", 1) for action in stage["actions"]}
    return [action for action in order if order[action] > order[gate.action]]
