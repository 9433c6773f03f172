"""What a hold would trip over in a pipeline: pure functions of its structure (model: PipelineDeclaration)."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.landscape.gates import Gate, gates
from gatectl.structure import Declaration


def cautions(declared: Declaration) -> tuple[str, ...]:
    """A sentence for each, with what to do about it."""
    return tuple(text for gate in gates(declared) if gate.asked for text in _of(declared, gate, gate.asked.hold))


def _of(declared: Declaration, gate: Gate, hold: str) -> Iterator[str]:
    name, stages = declared["name"], [stage["name"] for stage in declared["stages"]]
    own = declared["stages"][stages.index(gate.stage)]
    result = own.get("onFailure", {}).get("result")
    if hold != "wait" and result in ("ROLLBACK", "RETRY"):
        does = "rolls the stage back" if result == "ROLLBACK" else "retries the stage at once"
        yield (
            f"The stage {gate.stage} of {name} has onFailure {result}, which {does} whenever the gate holds, for a hold is a failure. "
            'Give the gate a stage of its own, or "hold": "wait".'
        )
    if own.get("onFailure", {}).get("conditions") and hold != "wait":
        yield (
            f"The stage {gate.stage} of {name} has an onFailure condition, which is asked at every hold, for a hold is a failure. "
            "Give the gate a stage of its own."
        )
    before = stages[1 : stages.index(gate.stage)]
    if hold == "restart" and before:
        yield (
            f"Before the gate of {name} comes {_and(before)}: a hold starts the whole pipeline again, so that work is done twice. "
            'Put the gate right after the sources, or take "hold": "retry" (the same execution goes on) or "wait".'
        )
    if hold != "wait" and declared.get("executionMode") == "QUEUED":
        yield (
            f"{name} is in QUEUED mode: a held execution has failed, and the next in the queue comes first. "
            'Only "hold": "wait" keeps the queue\'s order.'
        )
    if gate.asked and (gate.asked.pipeline is None or gate.asked.execution is None):
        yield (
            f"The gate of {name} does not say whose it is. CodePipeline does not tell the gate reliably: add "
            f'"pipeline": "{name}" and "execution": "#{{codepipeline.PipelineExecutionId}}" to its UserParameters.'
        )
    if gate.asked and gate.asked.pipeline not in (None, name):
        yield (
            f'The gate of {name} says "pipeline": "{gate.asked.pipeline}", which is another pipeline: its holds would never end. '
            f'Write "{name}".'
        )


def _and(names: list[str]) -> str:
    return f"the stage {names[0]}" if len(names) == 1 else f"the stages {', '.join(names[:-1])} and {names[-1]}"
