"""The deployments in a region, by the names of their functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.account.gates import FUNCTION
from chalicelib.deployment import APP, refuse_long_stage
from chalicelib.errors import Misconfigured, NotPermitted
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
    """Return every deployment of which at least one function exists."""
    matches = map(_NAME.fullmatch, place.functions.list_names())
    functions = {(match["stage"], match["function"]) for match in matches if match}
    return [
        DeployedFunctions(stage, (stage, "gate") in functions, (stage, "retry") in functions)
        for stage in sorted({stage for stage, _ in functions})
    ]


def choose_gate_function(place: Place, name: str | None) -> tuple[str, list[str]]:
    """Return the function for a gate action to invoke, and warnings. Without a name, it is the only
    gate function that is deployed.

    If the caller may not list functions, a name is accepted with a warning. Raises Refused.
    """
    if name is None:
        return _find_only_gate_function(place), []
    match = FUNCTION.fullmatch(name)
    if match is None:
        raise Refused(
            f"{name} is not a gate function. `chalice deploy` names gate functions "
            "pipeline-gate-STAGE-gate."
        )
    warnings: list[str] = []
    try:
        gates = [deployment.gate for deployment in list_deployments(place) if deployment.has_gate]
    except NotPermitted as denied:
        warnings.append(f"Not checked whether the function {name} exists: {denied}.")
    else:
        if match["name"] not in gates:
            hint = (
                f"Choose one with --function: {' or '.join(gates)}."
                if gates
                else "No gate is deployed there."
            )
            raise Refused(f"There is no function {name} in {place.region}. {hint}")
    _refuse_long_names(name, match["stage"])
    return name, warnings


def _find_only_gate_function(place: Place) -> str:
    gates = [deployment for deployment in list_deployments(place) if deployment.has_gate]
    if not gates:
        raise Refused(
            f"No gate is deployed in {place.region}. Deploy it first (chalice deploy --stage "
            "prod), or choose another --region."
        )
    if len(gates) > 1:
        names = " or ".join(deployment.gate for deployment in gates)
        raise Refused(
            f"Several gates are deployed in {place.region}. Choose one with --function: {names}."
        )
    _refuse_long_names(gates[0].gate, gates[0].stage)
    return gates[0].gate


def _refuse_long_names(function: str, stage: str) -> None:
    """Raise Refused if the name of the Chalice stage is too long for the name of a hold's rule."""
    try:
        refuse_long_stage(stage)
    except Misconfigured as error:
        raise Refused(f"{function} cannot hold executions. {error} Nothing was changed.") from None
