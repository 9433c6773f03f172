"""Is the gate deployed, whole, and in one version?"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.deployment import STAGE_LENGTH, refuse_long_stage
from chalicelib.errors import Misconfigured
from chalicelib.phrases import join_names
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding, deploy
from gatectl.functions import Deployed


def findings(facts: Facts) -> Iterator[Finding]:
    if facts.deployed is None:
        return
    gates_named = [
        (one.name, gate) for one in (facts.pipelines or {}).values() for gate in one.gates
    ]
    named = sorted({gate.deployed_as for _, gate in gates_named if facts.is_here(gate.function)})
    for function in sorted(
        {gate.function for _, gate in gates_named if not facts.is_here(gate.function)}
    ):
        yield _elsewhere(
            function, sorted({name for name, gate in gates_named if gate.function == function})
        )
    if not facts.deployed and not gates_named and facts.pipelines is not None:
        uninstalled = not facts.rules
        yield Finding(
            "no-gate",
            "note" if uninstalled else "error",
            f"region {facts.region}",
            "No gate is deployed here.",
            "No pipeline of this region can wait for others.",
            f"{'After an uninstall that is as it should be. Else deploy' if uninstalled else 'Deploy'} it, or look at another region with "
            "--region.",
            (deploy("prod"),),
        )
    gates = {one.stage for one in facts.deployed if one.has_gate}
    for stage in named:
        if stage not in gates:
            yield _named_in_vain(facts, stage, sorted(gates))
    for deployed in facts.deployed:
        yield from _whole(facts, deployed, named)
        yield from _of_one_version(facts, deployed)


def _elsewhere(function: str, pipelines: list[str]) -> Finding:
    _, _, _, region, account, *_ = function.split(":")
    return Finding(
        "gate-elsewhere",
        "note",
        f"function {function}",
        f"{join_names(pipelines)} {'names' if len(pipelines) == 1 else 'name'} it as the gate, and it "
        f"is in {region}, account {account}.",
        "It was not looked at: whether it is there, and may do what it has to, can only be seen "
        "there.",
        f"Run gatectl doctor with credentials of account {account}, and with --region {region}.",
    )


def _named_in_vain(facts: Facts, stage: str, gates: list[str]) -> Finding:
    others = " or ".join(facts.deployment(one).gate_function for one in gates)
    pipelines = [one.name for one in facts.gated_by(stage)]
    return Finding(
        "gate-not-deployed",
        "error",
        f"function {facts.deployment(stage).gate_function}",
        f"It is not there, and {join_names(pipelines)} {'names' if len(pipelines) == 1 else 'name'} it "
        "as the gate.",
        "That gate action fails at once, and nothing goes past it.",
        f"Deploy it{f', or name {others} there' if others else ''}.",
        (deploy(stage),),
    )


def _whole(facts: Facts, deployed: Deployed, named: list[str]) -> Iterator[Finding]:
    again = (deploy(deployed.stage),)
    if not deployed.has_retry:
        yield Finding(
            "no-retry",
            "error",
            f"function {deployed.retry}",
            f"It is not there, although {deployed.gate} is.",
            "The gate can hold nobody: an action that has to wait "
            f"fails.{facts.who_is_held(deployed.stage)}",
            "Deploy both.",
            again,
        )
    elif not deployed.has_gate and deployed.stage not in named:
        yield Finding(
            "no-gate-function",
            "warning",
            f"function {deployed.gate}",
            f"It is not there, although {deployed.retry} is.",
            "No pipeline can wait by this deployment.",
            "Deploy both; or take the other one away, too (chalice delete).",
            again,
        )
    try:
        refuse_long_stage(deployed.stage)
    except Misconfigured as error:
        how = "Deploy it under a shorter name, and let the pipelines name that one."
        short = (deploy(deployed.stage[:STAGE_LENGTH].rstrip("-")),)
        yield Finding(
            "stage-name",
            "error",
            f"function {deployed.gate}",
            str(error),
            "It can hold nobody.",
            how,
            short,
        )


def _of_one_version(facts: Facts, deployed: Deployed) -> Iterator[Finding]:
    gate, retry = facts.functions.get(deployed.gate), facts.functions.get(deployed.retry)
    if gate and retry and gate.code != retry.code:
        yield Finding(
            "different-code",
            "warning",
            f"functions {gate.name} and {retry.name}",
            "They have different code: a deployment has reached only one of them.",
            "The one may not understand what the other leaves in a hold.",
            "Deploy both.",
            (deploy(deployed.stage),),
        )
