"""Would the gates of the pipelines take what they are asked, and is there what they wait for?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from chalicelib import parameters
from chalicelib.account.gates import Gate
from chalicelib.account.pipeline import Pipeline
from chalicelib.errors import Misconfigured
from chalicelib.pipelines.dependency import Dependency
from chalicelib.wording import refusals
from gatectl.findings.facts import Facts
from gatectl.findings.finding import Finding, Severity

HERE = "Correct UserParameters of this action."
FAILS = "The gate action fails at once, and nothing goes past it."
ONLY_OBSERVES = (
    "The gate only observes, so nothing is stopped, but it cannot say what it would have done."
)


def findings(facts: Facts) -> Iterator[Finding]:
    for pipeline in (facts.pipelines or {}).values():
        for gate in pipeline.gates:
            yield from _gate(facts, pipeline, gate)


def _gate(facts: Facts, pipeline: Pipeline, gate: Gate) -> Iterator[Finding]:
    where = (
        f"pipeline {pipeline.name}, stage {gate.stage}, "
        f"{'rule' if gate.condition else 'action'} {gate.action}"
    )
    observes = parameters.only_observes(gate.text)
    severity: Severity = "warning" if observes else "error"
    means = ONLY_OBSERVES if observes else FAILS
    refused = _refused(facts, pipeline, gate)
    if refused:
        yield Finding("gate-refuses", severity, where, refused, means, HERE)
    if gate.parameters is None:
        return
    for one in gate.parameters.depends_on:
        problem = _missing(facts, one)
        if problem:
            yield Finding("no-upstream", severity, where, problem, means, HERE)
    right = f'"pipeline": "{pipeline.name}", "execution": "#{{codepipeline.PipelineExecutionId}}"'
    if gate.parameters.pipeline not in (None, pipeline.name):
        what = f'It says "pipeline": "{gate.parameters.pipeline}", which is another pipeline.'
        fails = "When it has to wait, the gate finds no such execution there, and fails the action."
        yield Finding(
            "other-pipeline", "error", where, what, fails, f"Write {right} in UserParameters."
        )
    elif gate.parameters.pipeline is None or gate.parameters.execution is None:
        yield Finding(
            "unnamed",
            "warning",
            where,
            "It does not say whose gate it is.",
            "CodePipeline does not tell that reliably; where it does not, the action fails when "
            "it has to wait.",
            f"Add {right} to UserParameters.",
        )


def _refused(facts: Facts, pipeline: Pipeline, gate: Gate) -> str:
    """Why the gate would refuse what the action asks, in its own words."""
    if gate.parameters is None:
        return gate.problem
    try:
        parameters.refuse_closed_accounts(gate.parameters.depends_on, facts.account)
        parameters.refuse_self(
            gate.parameters.depends_on, pipeline.name, facts.region, facts.account
        )
    except Misconfigured as error:
        return str(error)
    return ""


def _missing(facts: Facts, wanted: Dependency) -> str:
    """What of an upstream is not there. Nothing is known of those that a role opens."""
    if wanted.role_arn or wanted.account not in (None, facts.account):
        return ""
    region = wanted.region or facts.region
    if region == facts.region:
        names: list[str] = list(facts.pipelines or {})
        pipeline = (facts.pipelines or {}).get(wanted.name)
        if pipeline and pipeline.unseen:
            return ""
        stages = pipeline.stages if pipeline else ()
    elif wanted.pipeline in facts.elsewhere:
        names, stages = [], facts.elsewhere[wanted.pipeline]
    else:
        return ""
    if not stages:
        close = difflib.get_close_matches(wanted.name, names, n=1)
        return (
            f"There is no pipeline {wanted.name} in "
            f"{region}{f'; did you mean {close[0]}?' if close else '.'}"
        )
    if wanted.stage and wanted.stage not in stages:
        return refusals.describe_missing_stage(wanted.name, wanted.stage, stages)
    return ""
