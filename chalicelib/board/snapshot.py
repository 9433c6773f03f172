"""The account as the JSON that the page draws. Pure.

Times are ISO 8601 in UTC. The page puts everything into words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.account import graph
from chalicelib.account.console import ConsoleLinks
from chalicelib.account.cycles import DEADLOCK_REMEDY, DependencyCycle, classify_cycles
from chalicelib.account.gates import is_local
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.states import find_status, list_unchecked_upstreams
from chalicelib.account.waits import HoldRule, Wait
from chalicelib.holds.hold import Hold
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.upstream import Upstream

Json = dict[str, Any]

GATE_TIMEOUT = timedelta(minutes=15)
"""Lambda's longest timeout. Until then, a gate may still give its new rule a target."""


def build_snapshot(view: AccountView, region: str, now: datetime) -> Json:
    """Return the JSON of `view`, which was read in `region` at `now` (aware UTC).

    A pipeline's `state` is a word of account/states.py, "elsewhere" (it cannot be read from here)
    or "missing". Waits that no longer stand are left out, because their rules are removed
    automatically.
    """
    role = next((pipeline.role for pipeline in view.pipelines.values() if pipeline.role), ":::::")
    _, partition, _, _, account, *_ = role.split(":")
    console = ConsoleLinks(region, partition or "aws")
    edges = graph.list_edges(view, region)
    waits = [wait for wait in view.waits if wait.may_stand]
    waits.sort(key=lambda wait: str(wait.since))
    pipelines = {
        pipeline.name: _build_pipeline(pipeline, waits, console)
        for pipeline in view.pipelines.values()
    }
    for edge in edges:
        if edge.upstream not in view.pipelines:
            pipelines[edge.upstream] = _build_unread_upstream(edge)
    cycles = classify_cycles(edges, view.pipelines)
    return {
        "region": region,
        "account": account,
        "pipelines": [*pipelines.values()],
        "edges": [_build_edge(edge, pipelines, view) for edge in edges],
        "waits": [_build_wait(wait, view.find_mark(wait), console) for wait in waits],
        "parked": [*_list_parked(view, region, console)],
        "refusing": [*_list_refusing_gates(view, console)],
        "deadlocks": [_build_deadlock(cycle) for cycle in cycles if cycle.kind != "turns"],
        "not_looked_at": [{"name": name, "why": why} for name, why in view.unseen.items()],
        "left_over": [
            _build_left_over(rule, console) for rule in view.rules if _is_left_over(rule, now)
        ],
    }


def _build_pipeline(pipeline: Pipeline, waits: Sequence[Wait], console: ConsoleLinks) -> Json:
    state = find_status(pipeline, waits)
    held = {wait.execution for wait in waits if wait.pipeline == pipeline.name}
    busy = held | {execution.id for execution in pipeline.executions if execution.running}
    return {
        "id": pipeline.name,
        "name": pipeline.name,
        "where": "",
        "link": console.pipeline(pipeline.name),
        "gated": bool(pipeline.gates),
        "state": "elsewhere" if state.word == "unseen" else state.word,
        "since": _format_moment(state.since),
        "execution": state.execution and _build_execution(pipeline.name, state.execution, console),
        "more": max(0, len(busy) - 1),
    }


def _build_unread_upstream(edge: DependencyEdge) -> Json:
    """Return an upstream that was not read: it is elsewhere, or it does not exist."""
    entry = edge.dependency
    where = f"{entry.region}, account {entry.account}" if entry.role_arn else entry.region or ""
    state = "elsewhere" if edge.upstream == entry.pipeline != entry.name else "missing"
    nothing = {"link": None, "gated": False, "since": None, "execution": None, "more": 0}
    return {"id": edge.upstream, "name": entry.name, "where": where, "state": state, **nothing}


def _build_edge(edge: DependencyEdge, pipelines: Mapping[str, Json], view: AccountView) -> Json:
    """Return an edge; "holds": whether its dependent seems to be waiting for it now."""
    upstream, dependent = pipelines[edge.upstream]["state"], pipelines[edge.dependent]["state"]
    must_succeed = edge.dependency.require == "succeeded"
    read = view.pipelines.get(edge.upstream)
    succeeded = read and Upstream(Dependency(read.name), read.executions).succeeded
    lacks_success = must_succeed and not succeeded
    keeps_closed = lacks_success or upstream in ("waits", "asks", "runs", "elsewhere")
    return {
        "from": edge.upstream,
        "to": edge.dependent,
        "stage": edge.dependency.stage,
        "must_succeed": must_succeed,
        "holds": dependent == "waits" and keeps_closed,
    }


def _build_wait(wait: Wait, mark: Hold | None, console: ConsoleLinks) -> Json:
    """`mark`: the hold that a person released or canceled, if one did."""
    return {
        "pipeline": wait.pipeline,
        "link": console.pipeline(wait.pipeline),
        "execution": _build_execution(wait.pipeline, wait.execution, console),
        "hold": wait.mode.name,
        "stays_in_progress": wait.mode.stays_in_progress,
        "starts_over": wait.mode.starts_over,
        "depends_on": wait.depends_on,
        "since": _format_moment(wait.since),
        "next_check": _format_moment(wait.next_check),
        "give_up": _format_moment(wait.gives_up),
        "reason": wait.reason,
        "rule": wait.rule and {"name": wait.rule, "link": console.rule(wait.rule)},
        "let_go_by": mark and mark.released_by,
        "canceled_by": mark and mark.canceled_by,
        "comment": mark and mark.comment,
    }


def _list_parked(view: AccountView, region: str, console: ConsoleLinks) -> Iterator[Json]:
    """Yield the executions that wait for a person behind their gates. "upstreams": the ids of those
    that are not checked again.
    """
    for pipeline in view.pipelines.values():
        for execution in pipeline.executions:
            dependencies = list_unchecked_upstreams(pipeline, execution.id)
            if execution.running and dependencies:
                yield {
                    "pipeline": pipeline.name,
                    "execution": _build_execution(pipeline.name, execution.id, console),
                    "upstreams": [
                        entry.name if is_local(entry, region) else entry.pipeline
                        for entry in dependencies
                    ],
                }


def _list_refusing_gates(view: AccountView, console: ConsoleLinks) -> Iterator[Json]:
    for pipeline in view.pipelines.values():
        for gate in pipeline.gates:
            if gate.problem:
                yield {
                    "pipeline": pipeline.name,
                    "link": console.pipeline(pipeline.name),
                    "stage": gate.stage,
                    "action": gate.action,
                    "problem": gate.problem,
                }


def _build_deadlock(cycle: DependencyCycle) -> Json:
    return {"pipelines": sorted({*cycle.pipelines}), "text": f"{cycle} {DEADLOCK_REMEDY}"}


def _is_left_over(rule: HoldRule, now: datetime) -> bool:
    """Return whether a rule holds no pipeline, and no gate can still be making it."""
    may_be_in_making = not rule.has_target and rule.made_at and now - rule.made_at < GATE_TIMEOUT
    return rule.hold is None and not may_be_in_making


def _build_left_over(rule: HoldRule, console: ConsoleLinks) -> Json:
    return {
        "name": rule.name,
        "link": console.rule(rule.name),
        "made": _format_moment(rule.made_at),
        "has_target": rule.has_target,
        "description": rule.description,
    }


def _build_execution(pipeline: str, id_: str, console: ConsoleLinks) -> Json:
    return {"id": id_, "link": console.execution(pipeline, id_)}


def _format_moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
