"""Asks AWS, with the caller's credentials, what explain has to know: as the gate and the retry
would ask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Lock
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.account.attempts import list_attempts
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.reader import AccountReader, gather_evidence
from chalicelib.account.waits import HoldRule
from chalicelib.aws.clients import Aws
from chalicelib.deployment import APP, Deployment
from chalicelib.errors import NotPermitted, error_code
from chalicelib.holds.fate import HoldFate, Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.reader import complete_fate, read_fate
from chalicelib.holds.rule import names_pipeline, read_stage
from chalicelib.phrases import MAX_NAMES
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import LOOK_BACK, NAME, Attempt, Execution
from chalicelib.pipelines.reader import UpstreamReader, run_in_parallel
from chalicelib.pipelines.upstream import Upstream
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE, read_mark
from gatectl.arguments import build_missing_pipeline_error
from gatectl.explain import ended, held, mending, retrylog
from gatectl.explain.facts import Behind, Facts, Log, Story, deployed_as
from gatectl.explain.waiters import Waiter, waiters
from gatectl.session import Place, Refused


class Reading:
    """Of one pipeline, at one moment `now` (aware UTC)."""

    def __init__(self, place: Place, now: datetime) -> None:
        self._place = place
        self._now = now
        self._aws = Aws(self._client)
        self._one_at_a_time = Lock()

    def facts(self, pipeline: str, execution: str | None) -> Facts:
        """All that there is to know; `execution`: how the id of the one that is meant begins.
        Raises Refused where there is none.
        """
        facts = self._pipeline(pipeline)
        chosen = _chosen(facts, execution)
        if not facts.pipeline.gates and not facts.rules:
            facts = replace(facts, waiters=self._waiters(facts.pipeline))
        return replace(
            facts,
            stories=tuple(run_in_parallel(partial(self._story, facts), chosen[:MAX_NAMES])),
            more=max(0, len(chosen) - MAX_NAMES),
        )

    def _client(self, service: str, region_name: str | None = None, **session: str) -> Any:
        with self._one_at_a_time:  # a session does not make clients on several threads at once (guide: boto3, "Session", multithreading)
            return self._place.client(service, region_name, **session)

    def _pipeline(self, name: str) -> Facts:
        if not re.fullmatch(NAME, name):
            raise build_missing_pipeline_error(self._place, name)
        try:
            answer = self._place.client("codepipeline").get_pipeline(name=name)
        except ClientError as error:
            if error_code(error) == "PipelineNotFoundException":
                raise build_missing_pipeline_error(self._place, name) from None
            raise
        pipeline = Pipeline.parse(answer["pipeline"])
        executions = self._aws.codepipeline.list_executions(name, since=self._now - LOOK_BACK)
        pipeline = replace(
            pipeline, executions=executions, state=self._aws.codepipeline.read_state(name)
        )
        rules = AccountReader(self._place.client).read_rules([one.id for one in executions])
        holds = [(rule, rule.hold) for rule in rules if rule.hold]
        fates = run_in_parallel(lambda held: self._read_fate(held[1], pipeline), holds)
        _, partition, _, _, account, _ = pipeline.role.split(":", 5)
        return Facts(
            self._now,
            self._place.region,
            partition,
            account,
            pipeline,
            answer["metadata"].get("updated"),
            rules,
            {rule.name: fate for (rule, _), fate in zip(holds, fates, strict=True)},
        )

    def _read_fate(self, hold: Hold, pipeline: Pipeline) -> HoldFate:
        evidence = gather_evidence(hold, pipeline, {pipeline.name: pipeline})
        fate, _ = complete_fate(self._aws.codepipeline, hold, evidence)
        return fate

    def _story(self, facts: Facts, execution: Execution) -> Story:
        ordered = list_attempts(
            self._aws.codepipeline, facts.name, facts.pipeline.gates, execution.id
        )
        rule = next(
            (one for one in facts.rules if one.hold and one.hold.execution == execution.id), None
        )
        story = Story(execution, ordered, rule)
        if rule and story.hold and held.is_held(facts, story):
            stage = mending.stage_of(rule)
            looked, target = (
                self._look(facts, execution.id, story.hold.depends_on, stage),
                mending.look(self._client("lambda"), rule),
            )
            story = replace(story, looked=looked, target=target)
            if held.is_late(facts, story):
                story = replace(
                    story, log=self._log(facts, stage, story, story.ended or self._now - LOOK_BACK)
                )
        elif story.asking:
            wanted = _wanted(facts, story.asking)
            story = replace(
                story,
                looked=self._look(
                    facts, execution.id, wanted, deployed_as(story.asking), stays=True
                ),
            )
        elif gate := ended.lost(facts, story):
            story = replace(
                story,
                log=self._log(facts, deployed_as(gate), story, gate.started),
                left=self._left(facts, story, gate),
            )
        elif gate := ended.given_up_by_the_gate(story):
            story = replace(story, left=self._left(facts, story, gate))
        return story

    def _waiters(self, pipeline: Pipeline) -> tuple[Waiter, ...]:
        """The rules' event patterns name the pipelines that they wait for."""
        events, prefix = self._client("events"), f"{APP}-"
        listed = [
            rule
            for page in events.get_paginator("list_rules").paginate(NamePrefix=prefix)
            for rule in page["Rules"]
        ]
        telling = [
            rule["Name"]
            for rule in listed
            if names_pipeline(rule.get("EventPattern", ""), pipeline.name)
        ]
        rules = AccountReader(self._place.client).read_rules(telling) if telling else ()

        def stands(rule: HoldRule, hold: Hold) -> bool:
            stage = read_stage(rule.name, hold.execution)
            try:
                fate, _ = read_fate(self._aws.codepipeline, hold, stage)
            except NotPermitted:
                return True  # as far as its rule tells
            return fate.standing is Standing.HELD

        return waiters(pipeline, self._place.region, rules, stands)

    def _log(self, facts: Facts, stage: str, story: Story, since: datetime) -> Log:
        deployment = Deployment(facts.partition, facts.region, facts.account, stage)
        return retrylog.read(
            self._client("logs"), deployment, f"{deployment.rule_prefix}{story.execution.id}", since
        )

    # Upstreams, and theirs

    def _left(self, facts: Facts, story: Story, gate: Attempt) -> tuple[Behind, ...]:
        return self._look(facts, story.execution.id, _wanted(facts, gate), deployed_as(gate))

    def _look(
        self,
        facts: Facts,
        execution: str,
        wanted: Sequence[Dependency],
        stage: str,
        *,
        stays: bool = False,
    ) -> tuple[Behind, ...]:
        context = SimpleNamespace(
            invoked_function_arn=Deployment(
                facts.partition, facts.region, facts.account, stage
            ).retry_arn
        )
        return self._behind(context, facts.name, execution, wanted, {facts.name}, stays=stays)

    def _behind(
        self,
        context: object,
        pipeline: str,
        execution: str,
        wanted: Sequence[Dependency],
        seen: set[str],
        *,
        stays: bool,
    ) -> tuple[Behind, ...]:
        """The upstreams of one that waits; of those that wait themselves theirs, too, as far as a
        gate looks.
        """
        asking = UpstreamReader(
            pipeline, execution, self._aws, context, self._now, stays_in_progress=stays
        )
        looked = []
        for upstream in run_in_parallel(partial(_one, asking), wanted):
            one = Behind(upstream)
            if (
                not upstream.satisfied
                and asking.is_local(upstream.dependency)
                and upstream.dependency.name not in seen
                and len(seen) <= MAX_PIPELINES_IN_A_CYCLE
            ):
                seen.add(upstream.dependency.name)
                one = self._waits_too(context, upstream, seen)
            looked.append(one)
        return tuple(looked)

    def _waits_too(self, context: object, upstream: Upstream, seen: set[str]) -> Behind:
        name = upstream.dependency.name
        if upstream.hold:
            behind = self._behind(
                context, name, upstream.hold.execution, upstream.hold.depends_on, seen, stays=False
            )
            return Behind(upstream, "held", behind)
        marked = [
            (one.id, read_mark(text))
            for one in upstream.blocking
            if upstream.state
            for text in upstream.state.marks(one.id)
        ]
        for execution, mark in marked:
            if mark and mark.waits:
                wanted = [
                    Dependency(
                        edge.pipeline, "succeeded" if edge.require == "succeeded" else "idle"
                    )
                    for edge in mark.waits
                ]
                return Behind(
                    upstream,
                    "in place",
                    self._behind(context, name, execution, wanted, seen, stays=True),
                )
        return Behind(upstream)


def _one(asking: UpstreamReader, wanted: Dependency) -> Upstream:
    """What this caller may not see is unknown to him, and known to the gate."""
    try:
        (upstream,) = asking.read_details(asking.read_upstreams([wanted]))
    except NotPermitted as error:
        return Upstream(wanted, unanswered=str(error))
    return upstream


def _wanted(facts: Facts, gate: Attempt) -> Sequence[Dependency]:
    declared = facts.gate_of(gate)
    return declared.parameters.depends_on if declared and declared.parameters else ()


def _chosen(facts: Facts, execution: str | None) -> list[Execution]:
    """Those that are meant, the newest first: that one; else all that wait or run; else the
    newest.
    """
    executions = facts.pipeline.executions
    if execution:
        found = [one for one in executions if one.id.startswith(execution)]
        if not found:
            some = ", ".join(one.short_id for one in executions[:MAX_NAMES])
            there = f"its newest are {some}" if some else "it has never run"
            raise Refused(
                f"No execution of {facts.name} of the last {LOOK_BACK.days} days begins with "
                f"{execution}: {there}."
            )
        return found
    waiting = {
        rule.hold.execution
        for rule in facts.rules
        if rule.hold and facts.fates[rule.name].standing in (Standing.HELD, Standing.UNKNOWN)
    }
    return [one for one in executions if one.running or one.id in waiting] or list(executions[:1])
