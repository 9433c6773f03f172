"""Reads the account: its pipelines' structures and executions, and the gate's rules. It only reads,
and only through chalicelib.aws.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.account.actions import (
    find_failure_message,
    find_waits_in_progress,
    list_hidden_executions,
)
from chalicelib.account.attempts import find_last_gate_attempts, list_attempts
from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView, Pipeline, list_unseen_pipelines
from chalicelib.account.waits import HoldRule
from chalicelib.aws.codepipeline import MAX_PAGE, CodePipeline
from chalicelib.aws.eventbridge import TARGET_ID, EventBridge, parse_target
from chalicelib.deployment import APP
from chalicelib.errors import NotPermitted, PipelineNotFound
from chalicelib.holds.fate import Evidence, HoldFate, Standing, find_fate
from chalicelib.holds.hold import Hold
from chalicelib.holds.reader import complete_fate
from chalicelib.holds.rule import read_stage
from chalicelib.pipelines.execution import Attempt

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import RuleTypeDef

MAX_CALLS_AT_ONCE = 10
"""Enough for a thousand pipelines in a minute, few enough for AWS's throttles to let others in."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class AccountReader:
    """One region of an account. `client` makes a boto3 client of a service ("codepipeline",
    "events").

    Every method raises NotPermitted or NoAnswer if AWS denies or does not answer a call; but if it
    denies single pipelines, these are unseen, and the others are read. One instance may be asked
    again and again: it reads a structure again only if ListPipelines shows another version of it.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        # Made here, because boto3 does not make clients on several threads at once (guide: boto3,
        # "Clients", multithreading).
        self._codepipeline = CodePipeline(client("codepipeline"))
        self._eventbridge = EventBridge(client("events"))
        self.region = self._codepipeline.region
        self._structures: dict[str, tuple[object, Pipeline]] = {}
        self._denied = NotPermitted("codepipeline:GetPipeline", "of every pipeline")

    def read_pipelines(
        self, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> dict[str, Pipeline]:
        """Return every pipeline with its gates, by name. `progress` is called with how many of how
        many have been read. Raises NotPermitted if none of them may be read.
        """
        versions = self._codepipeline.list_pipelines()
        self._structures = {
            name: (version, pipeline)
            for name, (version, pipeline) in self._structures.items()
            if versions.get(name) == version and not pipeline.unseen
        }
        new = [name for name in versions if name not in self._structures]
        progress(0, len(new))
        for number, pipeline in enumerate(_run_each(self._read_structure, new), 1):
            progress(number, len(new))
            if pipeline:
                version = versions[pipeline.name]
                self._structures[pipeline.name] = version, replace(pipeline, edited=version[1])
        pipelines = {name: self._structures[name][1] for name in sorted(self._structures)}
        if pipelines and len(list_unseen_pipelines(pipelines)) == len(pipelines):
            raise self._denied
        return pipelines

    def read_view(
        self, now: datetime, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> AccountView:
        """Return what is gated, and who waits at `now` (aware UTC)."""
        everything = self.read_pipelines(progress)
        rules = self.read_rules()
        holds = [(rule, rule.hold) for rule in rules if rule.hold]
        unseen = list_unseen_pipelines(everything)
        pipelines = self._read_needed(everything, {hold.pipeline for _, hold in holds})
        hidden = [
            (pipeline, execution)
            for pipeline in pipelines.values()
            for execution in list_hidden_executions(pipeline)
        ]
        self._add_hidden_attempts(hidden, pipelines, unseen)
        evidence = [
            gather_evidence(hold, pipelines.get(hold.pipeline), everything) for _, hold in holds
        ]
        to_judge = zip([hold for _, hold in holds], evidence, strict=True)
        fates = list(_run_each(lambda pair: self._complete_fate(*pair, unseen), to_judge))
        by_rule = [
            rule.build_wait(
                hold, now, fate, find_failure_message(pipelines.get(hold.pipeline), hold.execution)
            )
            for (rule, hold), fate in zip(holds, fates, strict=True)
        ]
        in_progress = [
            wait
            for pipeline in pipelines.values()
            for wait in find_waits_in_progress(pipeline, self.region)
        ]
        waits = sorted([*by_rule, *in_progress], key=lambda wait: (wait.pipeline, str(wait.since)))
        attempts_read = len(hidden) + sum(map(_needs_attempts, evidence))
        return AccountView(pipelines, tuple(waits), rules, unseen, attempts_read)

    def read_rules(self, executions: Iterable[str] = ("",)) -> tuple[HoldRule, ...]:
        """Return every rule of the gate in this region, of any of its deployments; or only those
        that are named after one of `executions`.
        """
        rules = [
            rule
            for rule in self._eventbridge.list_rules(f"{APP}-")
            if rule["Name"].endswith(tuple(executions))
        ]
        return tuple(rule for rule in _run_each(self._read_rule, rules) if rule)

    def _read_needed(
        self, everything: Mapping[str, Pipeline], held: Collection[str]
    ) -> dict[str, Pipeline]:
        """Return the gated pipelines, those that they wait for here and those that are held, with
        their executions; with their state if an execution of them waits or may wait.
        """
        gated = [pipeline for pipeline in everything.values() if pipeline.gates]
        names = {pipeline.name for pipeline in gated} | {
            entry.name
            for pipeline in gated
            for entry in pipeline.depends_on
            if is_local(entry, self.region)
        }
        pipelines = {name: everything[name] for name in sorted({*names, *held} & everything.keys())}
        readable = [pipeline for pipeline in pipelines.values() if not pipeline.unseen]
        pipelines |= _by_name(_run_each(self._add_executions, readable))
        waiting = [
            pipeline
            for name, pipeline in pipelines.items()
            if (name in held or pipeline.running) and not pipeline.unseen
        ]
        return pipelines | _by_name(_run_each(self._add_state, waiting))

    def _add_hidden_attempts(
        self,
        hidden: Sequence[tuple[Pipeline, str]],
        pipelines: dict[str, Pipeline],
        unseen: dict[str, str],
    ) -> None:
        """Add the gates' attempts for executions that the state does not show."""
        for (pipeline, execution), attempts in zip(
            hidden, _run_each(self._read_gate_attempts, hidden), strict=True
        ):
            if isinstance(attempts, NotPermitted):
                unseen[f"some executions of {pipeline.name}"] = f"{attempts.call} was denied"
            else:
                latest = pipelines[pipeline.name]
                pipelines[pipeline.name] = replace(
                    latest, hidden={**latest.hidden, execution: attempts}
                )

    def _read_structure(self, name: str) -> Pipeline | None:
        try:
            declared, _ = self._codepipeline.read_declaration(name)
        except PipelineNotFound:
            return None  # deleted since it was listed
        except NotPermitted as error:
            self._denied = error
            return Pipeline(name, unseen=f"{error.call} was denied")
        return Pipeline.parse(declared)

    def _add_executions(self, pipeline: Pipeline) -> Pipeline:
        try:
            executions = self._codepipeline.list_newest_executions(pipeline.name)
        except PipelineNotFound:
            return pipeline
        return replace(pipeline, executions=executions)

    def _add_state(self, pipeline: Pipeline) -> Pipeline:
        try:
            return replace(pipeline, state=self._codepipeline.read_state(pipeline.name))
        except PipelineNotFound:
            return pipeline

    def _read_gate_attempts(
        self, hidden: tuple[Pipeline, str]
    ) -> tuple[Attempt, ...] | NotPermitted:
        """The last attempt of each gate, for an execution that the state does not show."""
        pipeline, execution = hidden
        try:
            attempts = list_attempts(self._codepipeline, pipeline.name, pipeline.gates, execution)
        except PipelineNotFound:
            return ()
        except NotPermitted as error:
            return error
        return tuple(find_last_gate_attempts(attempts))

    def _complete_fate(self, hold: Hold, evidence: Evidence, unseen: dict[str, str]) -> HoldFate:
        """What became of a hold; attempts are read only if the evidence does not tell."""
        if not _needs_attempts(evidence):
            return find_fate(evidence)
        try:
            return complete_fate(self._codepipeline, hold, evidence)[0]
        except PipelineNotFound:
            return find_fate(replace(evidence, pipeline_exists=False))
        except NotPermitted as error:
            unseen[f"some executions of {hold.pipeline}"] = f"{error.call} was denied"
            return find_fate(evidence)

    def _read_rule(self, rule: RuleTypeDef) -> HoldRule | None:
        targets = self._eventbridge.list_targets(rule["Name"])
        if targets is None:
            return None  # its hold ended since it was listed
        target = next((target for target in targets if target["Id"] == TARGET_ID), None)
        return HoldRule(
            rule["Name"],
            rule.get("ScheduleExpression", ""),
            rule.get("Description", ""),
            bool(targets),
            parse_target(rule["Name"], target) if target else None,
            enabled=rule.get("State") != "DISABLED",
            targets={target["Id"]: target["Arn"] for target in targets},
        )


def gather_evidence(
    hold: Hold, pipeline: Pipeline | None, everything: Mapping[str, Pipeline]
) -> Evidence:
    """Return what a look at the account shows of a hold. `pipeline`: its own, with executions and
    state, None if it was not read; `everything`: all pipelines that exist.
    """
    readable = pipeline is not None and not pipeline.unseen
    executions = pipeline.executions if pipeline and readable else None
    is_complete = executions is not None and len(executions) < MAX_PAGE
    shows_held = any(execution.id == hold.execution for execution in executions or ())
    gates = pipeline.gates if pipeline else ()
    return Evidence(
        hold.pipeline,
        hold.execution,
        read_stage(hold.rule, hold.execution),
        hold.restarted_as,
        pipeline_exists=hold.pipeline in everything,
        executions=executions,
        reaches_back=is_complete or shows_held,
        state=pipeline.state if pipeline else None,
        gates={(gate.stage, gate.action) for gate in gates},
        condition_gates={(gate.stage, gate.action) for gate in gates if gate.condition},
    )


def _needs_attempts(evidence: Evidence) -> bool:
    unknown = find_fate(evidence).standing is Standing.UNKNOWN
    return unknown and evidence.executions is not None


def _by_name(pipelines: Iterable[Pipeline]) -> dict[str, Pipeline]:
    return {pipeline.name: pipeline for pipeline in pipelines}


def _run_each(call: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
        yield from pool.map(call, items)
