"""The deployments of the gate in a region, by their functions' names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.account.gates import FUNCTION
from chalicelib.deployment import APP, refuse_long_stage
from chalicelib.errors import Misconfigured, NotPermitted
from chalicelib.phrases import join_names
from gatectl.session import Place, Refused

_NAME = re.compile(rf"{APP}-(?P<stage>[\w-]+)-(?P<function>gate|retry)")


@dataclass(frozen=True)
class DeployedFunctions:
    """Which functions of the Chalice stage `stage` exist."""

    stage: str
    has_gate: bool
    has_retry: bool

    @property
    def gate(self) -> str:
        return f"{APP}-{self.stage}-gate"

    @property
    def retry(self) -> str:
        return f"{APP}-{self.stage}-retry"


def list_deployments(place: Place) -> list[DeployedFunctions]:
    """Every deployment of which at least one function exists."""
    matches = map(_NAME.fullmatch, place.functions.list_names())
    functions = {(match["stage"], match["function"]) for match in matches if match}
    return [
        DeployedFunctions(stage, (stage, "gate") in functions, (stage, "retry") in functions)
        for stage in sorted({stage for stage, _ in functions})
    ]


def choose_gate_function(place: Place, name: str | None) -> tuple[str, list[str]]:
    """The function that a gate action shall invoke: the one of that name, or the only one that is
    deployed; and what to warn of.

    If AWS does not let the caller list functions, a name is taken as it is, with a warning. Raises
    Refused.
    """
    if name is None:
        return _find_only_gate_function(place), []
    match = FUNCTION.fullmatch(name)
    if match is None:
        raise Refused(
            f"{name} is no gate's function: those are named pipeline-gate-STAGE-gate, as "
            "`chalice deploy` names them."
        )
    warnings: list[str] = []
    try:
        gates = [deployment.gate for deployment in list_deployments(place) if deployment.has_gate]
    except NotPermitted as denied:
        warnings.append(f"Whether there is a function {name} could not be looked: {denied}.")
    else:
        if match["name"] not in gates:
            hint = (
                f"there is {join_names(gates)}. Name it with --function."
                if gates
                else "no gate is deployed there."
            )
            raise Refused(f"There is no function {name} in {place.region}; {hint}")
    _refuse_long_names(name, match["stage"])
    return name, warnings


def _find_only_gate_function(place: Place) -> str:
    gates = [deployment for deployment in list_deployments(place) if deployment.has_gate]
    if not gates:
        raise Refused(
            f"No gate is deployed in {place.region}. Deploy it first (chalice deploy --stage "
            "prod), or look in another --region."
        )
    if len(gates) > 1:
        names = " or ".join(deployment.gate for deployment in gates)
        raise Refused(
            f"Several gates are deployed in {place.region}: say with --function which one, {names}."
        )
    _refuse_long_names(gates[0].gate, gates[0].stage)
    return gates[0].gate


def _refuse_long_names(function: str, stage: str) -> None:
    """Raise Refused if the name of the Chalice stage is too long for the name of a hold's rule."""
    try:
        refuse_long_stage(stage)
    except Misconfigured as error:
        raise Refused(f"{function} can hold nobody. {error} Nothing was changed.") from None
