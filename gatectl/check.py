"""`gatectl check`: what is wrong with the gates in the structures of pipelines."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import IO

import click
from botocore.exceptions import BotoCoreError

from chalicelib.account import graph
from chalicelib.account.cycles import DEADLOCK_REMEDY, classify_cycles
from chalicelib.account.gates import Gate, is_local
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import AccountView, Pipeline, list_unseen_pipelines
from chalicelib.account.reader import MAX_CALLS_AT_ONCE, AccountReader
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.cautions import find_hold_cautions, find_restart_notes
from gatectl.doctor import pipelines as pipeline_findings
from gatectl.doctor.aws import Inspector
from gatectl.doctor.evidence import DoctorEvidence
from gatectl.doctor.finding import (
    COLOURS,
    SEVERITIES,
    Finding,
    Severity,
    count_by_severity,
    print_entry,
)
from gatectl.functions import list_deployments
from gatectl.output import make_one_line
from gatectl.second_gate import find_unchecked_work, list_closed_stages
from gatectl.session import AWS_REFUSED, FAULTS_FOUND, Place, Refused, add_options
from gatectl.validation import find_fault
from gatectl.wording import format_count


@click.command()
@click.option(
    "--file",
    "files",
    type=click.File("rb"),
    multiple=True,
    help="Check this structure, as `aws codepipeline get-pipeline` prints it, without calling AWS. "
    "Repeatable. -: standard input. ARNs in the region of --region refer to these files.",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--lines", is_flag=True, help="Print each finding on one line, for CI and editors.")
@add_options
def check(place: Place, files: tuple[IO[bytes], ...], *, strict: bool, lines: bool) -> None:
    """Check the gates of all pipelines without running them.

    Would each gate accept its parameters? Do its upstreams and its gate function exist? Do
    pipelines wait for each other, and can that be a deadlock? Would a hold cause problems in its
    pipeline?

    `gatectl doctor` checks functions, permissions and rules.

    \b
    Examples: gatectl check --strict --lines
              gatectl check --file infra.json --file k8s.json

    \b
    Exit status: 0  no errors; with --strict, no warnings either
                 1  errors; with --strict, also warnings
                 254  none of these, but AWS denied a check
    """
    if files:
        facts, not_in_files = _read_files(files, _find_region(place))
    else:
        facts, not_in_files = _read_account(place), ()
    area = "these files" if files else facts.region
    place.keep_lines_whole()
    findings = list_findings(facts)
    if place.json:
        place.show("", _format_json(place, facts, findings, not_in_files))
    elif lines:
        for line in _format_lines(place, facts, findings, not_in_files):
            place.console.print(make_one_line(line), markup=False, soft_wrap=True)
    else:
        _print_page(place, facts, findings, area, not_in_files)
    severities = {"error", "warning"} if strict else {"error"}
    if any(finding.severity in severities for finding in findings):
        raise click.exceptions.Exit(FAULTS_FOUND)
    raise click.exceptions.Exit(AWS_REFUSED if facts.unseen else 0)


# What is read


def _read_account(place: Place) -> DoctorEvidence:
    inspector = Inspector()
    with place.show_progress("reading pipelines") as progress:
        pipelines = AccountReader(place.client).read_pipelines(progress)
    inspector.add_unseen_pipelines(list_unseen_pipelines(pipelines))
    functions = inspector.inspect(
        "which functions are deployed", lambda: tuple(list_deployments(place))
    )
    pipelines = _add_states(place, inspector, pipelines)
    facts = DoctorEvidence(
        datetime.now(UTC),
        place.links.partition,
        place.region,
        _find_account(pipelines),
        functions,
        pipelines=pipelines,
    )
    upstreams = {
        upstream.pipeline: upstream
        for pipeline in pipelines.values()
        for upstream in pipeline.depends_on
    }
    missing: tuple[str, ...] = ()
    elsewhere = {
        upstream.pipeline: inspector.inspect(
            f"the pipeline {upstream.pipeline}",
            partial(_read_stages, place, upstream),
            missing,
            or_unanswered=True,
        )
        for upstream in upstreams.values()
        if upstream.account == facts.account
        and upstream.region != facts.region
        and not upstream.role_arn
    }
    return replace(
        facts,
        elsewhere={arn: stages for arn, stages in elsewhere.items() if stages is not None},
        unseen=inspector.unseen,
    )


def _add_states(
    place: Place, inspector: Inspector, pipelines: Mapping[str, Pipeline]
) -> dict[str, Pipeline]:
    """Return the pipelines, those with gates with their state, which shows disabled transitions."""

    def add_state(pipeline: Pipeline) -> Pipeline:
        read = partial(place.codepipeline.read_state, pipeline.name)
        return replace(pipeline, state=inspector.inspect("which transitions are disabled", read))

    gated = [pipeline for pipeline in pipelines.values() if pipeline.gates]
    with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
        return {**pipelines, **{each.name: each for each in pool.map(add_state, gated)}}


def _read_stages(place: Place, upstream: Dependency) -> tuple[str, ...]:
    codepipeline = place.connect_codepipeline(upstream.region)
    declared, _ = codepipeline.read_declaration(upstream.name)
    return tuple(stage["name"] for stage in declared["stages"])


def _find_account(pipelines: Mapping[str, Pipeline]) -> str:
    """Return the account of the pipelines' roles, or ""."""
    arns = [pipeline.role.split(":") for pipeline in pipelines.values()]
    return next((arn[4] for arn in arns if len(arn) > 5), "")


def _read_partition(pipeline: Pipeline) -> str:
    """The partition of the pipeline's role, or ""."""
    return pipeline.role.partition(":")[2].partition(":")[0]


def _find_region(place: Place) -> str:
    """Return the configured region, or "": files can be checked without one."""
    try:
        return place.region
    except BotoCoreError:
        return ""


def _read_files(files: Iterable[IO[bytes]], region: str) -> tuple[DoctorEvidence, tuple[str, ...]]:
    """Return the facts, and the upstreams that are in none of the files and so cannot be checked.
    `region`: that of the files' pipelines, or "".
    """
    pipelines: dict[str, Pipeline] = {}
    for file in files:
        pipeline = _parse_file(file)
        if pipeline.name in pipelines:
            raise Refused(
                f"{file.name} contains the pipeline {pipeline.name}, and so does another file. "
                "Remove one of them."
            )
        pipelines[pipeline.name] = pipeline
    account = _find_account(pipelines)

    def is_here(upstream: Dependency) -> bool:
        return is_local(upstream, region) and upstream.account in (None, account)

    def is_in_files(upstream: Dependency) -> bool:
        return is_here(upstream) and upstream.name in pipelines

    def is_judged(upstream: Dependency) -> bool:
        """Whether a gate may wait for an upstream elsewhere depends only on the account."""
        return is_in_files(upstream) or (bool(account) and not is_here(upstream))

    not_in_files = dict.fromkeys(
        upstream.label
        for pipeline in pipelines.values()
        for upstream in pipeline.depends_on
        if not is_in_files(upstream)
    )
    judged = {
        name: replace(
            pipeline, gates=tuple(_keep_upstreams(gate, is_judged) for gate in pipeline.gates)
        )
        for name, pipeline in pipelines.items()
    }
    partition = next(filter(None, map(_read_partition, pipelines.values())), "")
    return DoctorEvidence(datetime.now(UTC), partition, region, account, pipelines=judged), tuple(
        not_in_files
    )


def _keep_upstreams(gate: Gate, is_judged: Callable[[Dependency], bool]) -> Gate:
    if gate.parameters is None:
        return gate
    upstreams = tuple(filter(is_judged, gate.parameters.depends_on))
    return replace(gate, parameters=replace(gate.parameters, depends_on=upstreams))


def _parse_file(file: IO[bytes]) -> Pipeline:
    advice = "Use what `aws codepipeline get-pipeline --name NAME` prints."
    try:
        answer = json.load(file)
    except (ValueError, RecursionError, OSError) as error:
        raise Refused(f"{file.name} is not valid JSON ({error}). {advice}") from None
    declared = answer.get("pipeline", answer) if isinstance(answer, dict) else None
    if not isinstance(declared, dict):
        raise Refused(
            f"{file.name} is not a pipeline's structure: name, stages or actions are missing. "
            f"{advice}"
        )
    declared = {"roleArn": "", **declared}
    fault = find_fault(declared)
    if fault:
        raise Refused(f"{file.name} is not a pipeline's structure: {fault}. {advice}")
    return Pipeline.parse(declared)


# The findings: pure functions of the facts


def list_findings(facts: DoctorEvidence) -> list[Finding]:
    """Return what is wrong, the worst first. The doctor finds some of it too."""
    gated = {name: pipeline for name, pipeline in (facts.pipelines or {}).items() if pipeline.gates}
    edges = graph.list_edges(AccountView(facts.pipelines or {}, (), ()), facts.region)
    findings = [
        *pipeline_findings.findings(facts),
        *(
            Finding("caution", "warning", f"pipeline {name}", text, "", "")
            for name, pipeline in gated.items()
            for text in find_hold_cautions(dict(pipeline.declared))
        ),
        *(
            Finding("restart", "note", f"pipeline {name}", text, "", "")
            for name, pipeline in gated.items()
            for text in find_restart_notes(dict(pipeline.declared))
        ),
        *(finding for pipeline in gated.values() for finding in _find_unchecked_work(pipeline)),
        *(finding for pipeline in gated.values() for finding in _find_contradictions(pipeline)),
        *_find_cycles(edges, gated),
    ]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _find_cycles(
    edges: tuple[DependencyEdge, ...], gated: Mapping[str, Pipeline]
) -> Iterator[Finding]:
    for cycle in classify_cycles(edges, gated):
        severity: Severity = "note" if cycle.kind == "turns" else "error"
        where = f"pipelines {join_names(sorted(set(cycle.pipelines)))}"
        kind, how = ("turns", "") if cycle.kind == "turns" else ("deadlock", DEADLOCK_REMEDY)
        yield Finding(kind, severity, where, str(cycle), "", how)


def _find_unchecked_work(pipeline: Pipeline) -> Iterator[Finding]:
    closed = list_closed_stages(pipeline.state) if pipeline.state else ()
    for work in find_unchecked_work(dict(pipeline.declared), closed):
        commands = (work.command,) if work.command else ()
        yield Finding(
            "unchecked-work",
            "warning",
            f"pipeline {pipeline.name}",
            work.problem,
            "",
            work.how,
            commands,
        )


def _find_contradictions(pipeline: Pipeline) -> Iterator[Finding]:
    """Compare the gates of each stage: they hold the same execution at the same time."""
    holding = [gate for gate in pipeline.gates if gate.parameters and not gate.parameters.observe]
    for stage, stage_gates in groupby(holding, key=lambda gate: gate.stage):
        gates = list(stage_gates)
        where = f"pipeline {pipeline.name}, stage {stage}"
        if len({gate.deployed_as for gate in gates}) > 1:
            yield Finding(
                "two-deployments",
                "error",
                where,
                "Its gates belong to several deployments: "
                f"{_join_values(gates, [gate.function for gate in gates])}.",
                "Each holds the same execution, and continues it regardless of the other.",
                "Use the same function in all of them.",
            )
        for key in ("hold", "retry_minutes", "give_up_minutes", "on_give_up", "revisions"):
            field = "mode" if key == "hold" else key
            values = [str(getattr(gate.parameters, field)) for gate in gates]
            if len(set(values)) > 1:
                yield Finding(
                    "contradiction",
                    "warning",
                    where,
                    f"Its gates differ in {key}: {_join_values(gates, values)}.",
                    "They hold the same execution, and the gate that held it last decides.",
                    "Use the same value in all of them.",
                )
        yield from _find_double_upstreams(where, gates)


def _join_values(gates: list[Gate], values: list[str]) -> str:
    return join_names(
        [f"{value} ({gate.action})" for gate, value in zip(gates, values, strict=True)]
    )


def _find_double_upstreams(where: str, gates: list[Gate]) -> Iterator[Finding]:
    upstreams = {
        upstream for gate in gates if gate.parameters for upstream in gate.parameters.depends_on
    }
    for label, count in sorted(Counter(upstream.label for upstream in upstreams).items()):
        if count > 1:
            yield Finding(
                "contradiction",
                "warning",
                where,
                f"It waits for {label} twice, with different conditions.",
                "Both conditions have to be met.",
                "Remove the one that you do not need.",
            )


# The output


def _format_text(finding: Finding) -> str:
    return " ".join(filter(None, [finding.problem, finding.means, finding.how]))


def _format_line(place: Place, finding: Finding) -> str:
    """Return everything about a finding on one line, including its commands."""
    commands = [shlex.join((*command, *place.flags)) for command in finding.commands]
    return " ".join([_format_text(finding), *commands])


def _format_lines(
    place: Place, facts: DoctorEvidence, findings: Sequence[Finding], not_in_files: Sequence[str]
) -> list[str]:
    return [
        *(
            f"{finding.severity}: {finding.where}: {_format_line(place, finding)} [{finding.kind}]"
            for finding in findings
        ),
        *(f"not checked: {unseen.subject}: {unseen.why}." for unseen in facts.unseen),
        *([f"not checked: {_format_not_in_files(not_in_files)}"] if not_in_files else []),
    ]


def _print_page(
    place: Place,
    facts: DoctorEvidence,
    findings: Sequence[Finding],
    area: str,
    not_in_files: Sequence[str],
) -> None:
    for finding in findings:
        heading = (finding.severity, COLOURS[finding.severity])
        print_entry(place, heading, finding.where, _format_text(finding), commands=finding.commands)
    for unseen in facts.unseen:
        print_entry(place, ("not checked", "magenta"), unseen.subject, f"{unseen.why}.")
    summary = _summarize(facts, findings, area)
    if not_in_files:
        summary += f" Not checked: {_format_not_in_files(not_in_files)}"
    place.console.print(summary, markup=False)


def _summarize(facts: DoctorEvidence, findings: Sequence[Finding], area: str) -> str:
    gated = sum(1 for pipeline in (facts.pipelines or {}).values() if pipeline.gates)
    faults = count_by_severity(findings)
    if not (gated or faults or facts.unseen):
        return f"No pipeline in {area} has a gate, so there is nothing to check."
    nothing = f"No problems found{', as far as could be checked' if facts.unseen else ''}"
    return f"{faults or nothing}: {format_count(gated, 'gated pipeline')} in {area}."


def _format_not_in_files(labels: Sequence[str]) -> str:
    exist = "exists" if len(labels) == 1 else "exist"
    return f"the files do not say whether {join_names(list(labels))} {exist}."


def _format_json(
    place: Place, facts: DoctorEvidence, findings: Sequence[Finding], not_in_files: Sequence[str]
) -> dict[str, object]:
    """Return the findings. The keys are public."""
    return {
        "region": facts.region or None,
        "gated": sorted(
            name for name, pipeline in (facts.pipelines or {}).items() if pipeline.gates
        ),
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity,
                "where": finding.where,
                "text": _format_line(place, finding),
            }
            for finding in findings
        ],
        "not_looked_at": [{"what": unseen.subject, "why": unseen.why} for unseen in facts.unseen],
        "not_in_files": not_in_files,
    }
