"""Are the gates' functions, parameters and upstreams right?"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib import parameters
from chalicelib.account.gates import Gate
from chalicelib.account.pipeline import Pipeline
from chalicelib.errors import Misconfigured
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.wording import refusals
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import Finding, Severity, build_deploy_command
from gatectl.wording import describe_missing_pipeline

CORRECT_HERE = "Correct the UserParameters of this action."
FAILS = "The gate action fails immediately, and no execution passes it."
ONLY_OBSERVES = (
    "The gate only observes, so nothing is stopped, but it cannot say what it would have done."
)


def findings(evidence: DoctorEvidence) -> Iterator[Finding]:
    """Return what is wrong in the structures of the pipelines."""
    for pipeline in (evidence.pipelines or {}).values():
        for gate in pipeline.gates:
            yield from _check_gate(evidence, pipeline, gate)
    if evidence.deployed is not None:
        yield from _find_missing_gates(
            evidence, {each.stage for each in evidence.deployed if each.has_gate}
        )


# Their functions


def _find_missing_gates(evidence: DoctorEvidence, deployed: set[str]) -> Iterator[Finding]:
    """`deployed`: the Chalice stages whose gate function exists here."""
    gates = [
        (pipeline.name, gate)
        for pipeline in (evidence.pipelines or {}).values()
        for gate in pipeline.gates
    ]
    functions = {gate.function for _, gate in gates}
    for function in sorted(name for name in functions if not evidence.is_here(name)):
        _, _, _, region, account, *_ = function.split(":")
        yield Finding(
            "gate-elsewhere",
            "note",
            f"function {function}",
            f"{_name_users({name for name, gate in gates if gate.function == function})}, but it "
            f"is in {region}, account {account}.",
            "It was not checked: whether it exists and has its permissions can only be checked "
            "there.",
            f"Run gatectl doctor with credentials of account {account}, and with --region "
            f"{region}.",
        )
    named = {gate.deployed_as for _, gate in gates if evidence.is_here(gate.function)}
    for stage in sorted(named - deployed):
        gates_here = " or ".join(
            evidence.deployment(each).gate_function for each in sorted(deployed)
        )
        yield Finding(
            "gate-not-deployed",
            "error",
            f"function {evidence.deployment(stage).gate_function}",
            "It does not exist, but "
            f"{_name_users({pipeline.name for pipeline in evidence.list_gated(stage)})}.",
            FAILS,
            f"Deploy it{f', or use {gates_here} instead' if gates_here else ''}.",
            (build_deploy_command(stage),),
        )


def _name_users(pipelines: set[str]) -> str:
    names = join_names(sorted(pipelines))
    return f"{names} {'invokes' if len(pipelines) == 1 else 'invoke'} it"


# Their parameters and upstreams


def _check_gate(evidence: DoctorEvidence, pipeline: Pipeline, gate: Gate) -> Iterator[Finding]:
    where = (
        f"pipeline {pipeline.name}, stage {gate.stage}, "
        f"{'rule' if gate.condition else 'action'} {gate.action}"
    )
    observes = parameters.only_observes(gate.text)
    severity: Severity = "warning" if observes else "error"
    means = ONLY_OBSERVES if observes else FAILS
    correct = CORRECT_HERE + _describe_pass_connection(pipeline)
    refusal = _find_refusal(evidence, pipeline, gate)
    if refusal:
        yield Finding("gate-refuses", severity, where, refusal, means, correct)
    if gate.parameters is None:
        return
    for dependency in gate.parameters.depends_on:
        problem = _find_missing_upstream(evidence, dependency)
        if problem:
            yield Finding("no-upstream", severity, where, problem, means, correct)
    keys = f'"pipeline": "{pipeline.name}", "execution": "#{{codepipeline.PipelineExecutionId}}"'
    if gate.parameters.pipeline not in (None, pipeline.name):
        yield Finding(
            "other-pipeline",
            "error",
            where,
            f'Its "pipeline" is "{gate.parameters.pipeline}", although it is in {pipeline.name}.',
            "When it has to wait, the gate does not find the execution, and fails the action.",
            f"Write {keys} in UserParameters.",
        )
    elif gate.parameters.pipeline is None or gate.parameters.execution is None:
        yield Finding(
            "unnamed",
            "warning",
            where,
            'Its UserParameters lack "pipeline", "execution" or both.',
            "CodePipeline does not send these reliably. If it does not, the action fails when it "
            "has to wait.",
            f"Add {keys} to UserParameters.",
        )


def _describe_pass_connection(pipeline: Pipeline) -> str:
    """What updating a pipeline takes if a source of it has a connection, after a space; else "".

    UpdatePipeline passes the connection again. The right has the prefix of the connection's ARN
    (guide: service authorization reference, AWS CodeConnections).
    """
    arns = {
        (action.get("configuration") or {}).get("ConnectionArn", "")
        for stage in pipeline.declared.get("stages", ())
        for action in stage["actions"]
    }
    rights = sorted({f"{arn.split(':')[2]}:PassConnection" for arn in arns if arn.count(":") == 5})
    if not rights:
        return ""
    return f" To update {pipeline.name}, you also need {join_names(rights)} on its connection."


def _find_refusal(evidence: DoctorEvidence, pipeline: Pipeline, gate: Gate) -> str:
    """Return the gate's own message if it would refuse its parameters; else ""."""
    if gate.parameters is None:
        return gate.problem
    depends_on = gate.parameters.depends_on
    try:
        parameters.refuse_closed_accounts(depends_on, evidence.account)
        if evidence.partition:
            parameters.refuse_other_partitions(depends_on, evidence.partition)
        parameters.refuse_self(depends_on, pipeline.name, evidence.region, evidence.account)
    except Misconfigured as error:
        return str(error)
    return ""


def _find_missing_upstream(evidence: DoctorEvidence, dependency: Dependency) -> str:
    """Return what is missing of an upstream; "" also if it can only be read with a role."""
    if dependency.role_arn or dependency.account not in (None, evidence.account):
        return ""
    region = dependency.region or evidence.region
    if region == evidence.region:
        names: list[str] = list(evidence.pipelines or {})
        pipeline = (evidence.pipelines or {}).get(dependency.name)
        if pipeline and pipeline.unseen:
            return ""
        stages = pipeline.stages if pipeline else ()
    elif dependency.pipeline in evidence.elsewhere:
        names, stages = [], evidence.elsewhere[dependency.pipeline]
    else:
        return ""
    if not stages:
        return describe_missing_pipeline(dependency.name, region, names)
    if dependency.stage and dependency.stage not in stages:
        return refusals.describe_missing_stage(dependency.name, dependency.stage, stages)
    return ""
