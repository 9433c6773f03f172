"""Reads what explain needs from AWS, as the gate and the retry function would, but with the
caller's credentials.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import SimpleNamespace

from chalicelib.account.attempts import list_attempts
from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.reader import AccountReader, gather_evidence
from chalicelib.account.waits import HoldRule
from chalicelib.aws.clients import Aws
from chalicelib.deployment import APP, Deployment
from chalicelib.errors import NotPermitted, PipelineNotFound
from chalicelib.holds.fate import HoldFate
from chalicelib.holds.hold import Hold
from chalicelib.holds.reader import complete_fate, read_fate, read_first_hold
from chalicelib.holds.rule import names_pipeline, read_stage
from chalicelib.phrases import MAX_NAMES
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LOOK_BACK, NAME, Execution
from chalicelib.pipelines.reader import UpstreamReader, run_in_parallel
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE, read_mark
from gatectl.arguments import build_missing_pipeline_error
from gatectl.explain.ended import find_ended_wait, is_hold_lost
from gatectl.explain.evidence import (
    MAY_STAND,
    ExecutionStory,
    ExplainEvidence,
    HeldDependent,
    RetryLog,
    UpstreamChain,
    read_deployment_stage,
)
from gatectl.explain.held import is_late
from gatectl.explain.in_progress import list_passed_gates
from gatectl.explain.retry import read_log, read_rule_stage, read_target
from gatectl.session import Place, Refused


class ExplainReader:
    """Reads one pipeline at one moment, `now` (aware UTC)."""

    def __init__(self, place: Place, now: datetime) -> None:
        self._place = place
        self._now = now
        self._aws = Aws(place.client)

    def read_evidence(self, pipeline: str, execution: str | None) -> ExplainEvidence:
        """Return everything that explain needs. `execution`: the beginning of an execution's id.
        Raises Refused if no execution has it.
        """
        evidence = self._read_pipeline(pipeline)
        chosen = _choose_executions(evidence, execution)
        if not evidence.pipeline.gates and not evidence.rules:
            evidence = replace(evidence, dependents=self._read_dependents(evidence.pipeline))
        read_story = partial(self._read_story, evidence)
        return replace(
            evidence,
            stories=tuple(run_in_parallel(read_story, chosen[:MAX_NAMES])),
            omitted_count=max(0, len(chosen) - MAX_NAMES),
        )

    def _read_pipeline(self, name: str) -> ExplainEvidence:
        if not re.fullmatch(NAME, name):
            raise build_missing_pipeline_error(self._place, name)
        codepipeline = self._aws.codepipeline
        try:
            declared, edited = codepipeline.read_declaration(name)
        except PipelineNotFound:
            raise build_missing_pipeline_error(self._place, name) from None
        pipeline = replace(
            Pipeline.parse(declared),
            executions=codepipeline.list_executions(name, since=self._now - LOOK_BACK),
            state=codepipeline.read_state(name),
        )
        execution_ids = [execution.id for execution in pipeline.executions]
        rules = AccountReader(self._place.client).read_rules(execution_ids)
        holds = [rule.hold for rule in rules if rule.hold]
        fates = run_in_parallel(lambda hold: self._read_fate(hold, pipeline), holds)
        _, partition, _, _, account, _ = pipeline.role.split(":", 5)
        return ExplainEvidence(
            now=self._now,
            region=self._place.region,
            partition=partition,
            account=account,
            links=self._place.links,
            pipeline=pipeline,
            edited=edited,
            rules=rules,
            fates={hold.rule: fate for hold, fate in zip(holds, fates, strict=True)},
        )

    def _read_fate(self, hold: Hold, pipeline: Pipeline) -> HoldFate:
        evidence = gather_evidence(hold, pipeline, {pipeline.name: pipeline})
        fate, _ = complete_fate(self._aws.codepipeline, hold, evidence)
        return fate

    def _read_story(self, evidence: ExplainEvidence, execution: Execution) -> ExecutionStory:
        pipeline = evidence.pipeline
        attempts = list_attempts(
            self._aws.codepipeline, pipeline.name, pipeline.gates, execution.id
        )
        rule = next(
            (rule for rule in evidence.rules if rule.hold and rule.hold.execution == execution.id),
            None,
        )
        story = ExecutionStory(execution, attempts, rule)
        if rule and story.hold and evidence.is_held(story):
            return self._read_held_story(evidence, story, rule, story.hold)
        if gate := story.open_gate:
            dependencies = evidence.list_dependencies(gate)
            stage = read_deployment_stage(gate)
            chains = self._read_chains(evidence, dependencies, stage)
            return replace(story, upstreams=chains)
        if gates := list_passed_gates(evidence, story):
            dependencies = tuple(
                dict.fromkeys(each for gate in gates for each in evidence.list_dependencies(gate))
            )
            stage = read_deployment_stage(gates[-1])
            chains = self._read_chains(evidence, dependencies, stage)
            return replace(story, former_upstreams=chains)
        if gate := find_ended_wait(evidence, story):
            dependencies = evidence.list_dependencies(gate)
            stage = read_deployment_stage(gate)
            chains = self._read_chains(evidence, dependencies, stage)
            story = replace(story, former_upstreams=chains)
            if is_hold_lost(evidence, story, gate):
                log = self._read_log(evidence, story, stage, gate.started)
                story = replace(story, log=log)
        return story

    def _read_held_story(
        self, evidence: ExplainEvidence, story: ExecutionStory, rule: HoldRule, hold: Hold
    ) -> ExecutionStory:
        stage = read_rule_stage(rule)
        story = replace(
            story,
            upstreams=self._read_chains(evidence, hold.depends_on, stage),
            target=read_target(self._place.functions, rule),
        )
        if not story.blocking:
            upstreams = [chain.upstream for chain in story.upstreams]
            context = _build_context(evidence, stage)
            first = read_first_hold(hold, upstreams, self._aws, context, self._now)
            story = replace(story, first=first)
        if is_late(evidence, story):
            since = story.end_of_upstreams or self._now - LOOK_BACK
            story = replace(story, log=self._read_log(evidence, story, stage, since))
        return story

    def _read_log(
        self, evidence: ExplainEvidence, story: ExecutionStory, stage: str, since: datetime
    ) -> RetryLog:
        deployment = Deployment(evidence.partition, evidence.region, evidence.account, stage)
        rule = f"{deployment.rule_prefix}{story.execution.id}"
        return read_log(self._place.logs, deployment, rule, since)

    def _read_dependents(self, pipeline: Pipeline) -> tuple[HeldDependent, ...]:
        """Return the pipelines that are waiting for this one, the longest wait first. The event
        patterns of their rules name this one.
        """
        names = [
            rule["Name"]
            for rule in self._aws.eventbridge.list_rules(f"{APP}-")
            if names_pipeline(rule.get("EventPattern", ""), pipeline.name)
        ]
        rules = AccountReader(self._place.client).read_rules(names) if names else ()
        dependents: dict[str, HeldDependent] = {}
        for hold in sorted([rule.hold for rule in rules if rule.hold], key=lambda hold: hold.since):
            if (
                hold.pipeline not in dependents
                and self._is_blocked_by(hold, pipeline)
                and self._may_stand(hold)
            ):
                dependents[hold.pipeline] = HeldDependent(hold.pipeline, hold.since)
        return tuple(dependents.values())

    def _is_blocked_by(self, hold: Hold, pipeline: Pipeline) -> bool:
        return any(
            not Upstream(
                dependency, pipeline.executions, pipeline.state, read_at=self._now
            ).satisfied
            for dependency in hold.depends_on
            if dependency.name == pipeline.name and is_local(dependency, self._place.region)
        )

    def _may_stand(self, hold: Hold) -> bool:
        try:
            stage = read_stage(hold.rule, hold.execution)
            fate, _ = read_fate(self._aws.codepipeline, hold, stage, self._now)
        except NotPermitted:
            return True  # because its rule exists
        return fate.standing in MAY_STAND

    # Upstreams, and what they are waiting for

    def _read_chains(
        self,
        evidence: ExplainEvidence,
        dependencies: Sequence[Dependency],
        stage: str,
    ) -> tuple[UpstreamChain, ...]:
        """`stage`: the Chalice stage of the gate."""
        context = _build_context(evidence, stage)
        return self._follow(context, evidence.name, dependencies, {evidence.name})

    def _follow(
        self,
        context: object,
        pipeline: str,
        dependencies: Sequence[Dependency],
        visited: set[str],
    ) -> tuple[UpstreamChain, ...]:
        """Return the upstreams of a waiting pipeline, and theirs if they are waiting too, as far as
        a gate follows such a chain.
        """
        reader = UpstreamReader(pipeline, self._aws, context, self._now)
        chains = []
        for upstream in run_in_parallel(partial(_read_upstream, reader), dependencies):
            chain = UpstreamChain(upstream)
            if (
                not upstream.satisfied
                and reader.is_local(upstream.dependency)
                and upstream.dependency.name not in visited
                and len(visited) <= MAX_PIPELINES_IN_A_CYCLE
            ):
                visited.add(upstream.dependency.name)
                chain = self._follow_upstream(context, upstream, visited)
            chains.append(chain)
        return tuple(chains)

    def _follow_upstream(
        self, context: object, upstream: Upstream, visited: set[str]
    ) -> UpstreamChain:
        name, hold = upstream.dependency.name, upstream.hold
        if hold:
            chains = self._follow(context, name, hold.depends_on, visited)
            return UpstreamChain(upstream, "held", chains)
        marks = [
            read_mark(text)
            for execution in upstream.blocking
            if upstream.state
            for text in upstream.state.list_marks(execution.id)
        ]
        for mark in marks:
            if mark and mark.waits:
                dependencies = [
                    Dependency(
                        edge.pipeline, "succeeded" if edge.require == "succeeded" else "idle"
                    )
                    for edge in mark.waits
                ]
                chains = self._follow(context, name, dependencies, visited)
                return UpstreamChain(upstream, "in place", chains)
        return UpstreamChain(upstream)


def _build_context(evidence: ExplainEvidence, stage: str) -> object:
    """Return the Lambda context of the retry function in this Chalice stage."""
    deployment = Deployment(evidence.partition, evidence.region, evidence.account, stage)
    return SimpleNamespace(invoked_function_arn=deployment.retry_arn)


def _read_upstream(reader: UpstreamReader, dependency: Dependency) -> Upstream:
    """Read an upstream. If this caller may not, it is unknown, although the gate may know it."""
    try:
        (upstream,) = reader.read_details(reader.read_upstreams([dependency]))
    except NotPermitted as error:
        return Upstream(dependency, unanswered=str(error))
    return upstream


def _choose_executions(evidence: ExplainEvidence, execution: str | None) -> list[Execution]:
    """Return the executions to explain, newest first: those whose ids begin with `execution`;
    without it all that are waiting or running, or else the newest.
    """
    executions = evidence.pipeline.executions
    if execution:
        matches = [candidate for candidate in executions if candidate.id.startswith(execution)]
        if not matches:
            newest = ", ".join(candidate.short_id for candidate in executions[:MAX_NAMES])
            instead = f"The newest are {newest}." if newest else "There were none."
            raise Refused(
                f"No execution of {evidence.name} in the last {LOOK_BACK.days} days has an id that "
                f"begins with {execution}. {instead}"
            )
        return matches
    held_ids = {
        rule.hold.execution
        for rule in evidence.rules
        if rule.hold and evidence.fates[rule.name].standing in MAY_STAND
    }
    return [
        candidate for candidate in executions if candidate.running or candidate.id in held_ids
    ] or list(executions[:1])
