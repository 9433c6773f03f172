"""What `gatectl check` finds in the gated pipelines' structures: pure functions of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from chalicelib.account import graph
from chalicelib.account.cycles import MEND, classify_circles
from chalicelib.account.gates import Gate
from chalicelib.account.graph import DependencyEdge
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.phrases import join_names
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE
from gatectl.cautions import of_holds
from gatectl.findings import deployments, pipelines
from gatectl.findings.facts import Facts
from gatectl.findings.finding import SEVERITIES, Finding, Severity


def lint(facts: Facts) -> list[Finding]:
    """All that is found, the worst first. What the doctor finds in structures too is told by the
    doctor's own functions.
    """
    gated = {name: one for name, one in (facts.pipelines or {}).items() if one.gates}
    edges = graph.list_edges(AccountView(facts.pipelines or {}, (), ()), facts.region)
    found = [
        *pipelines.findings(facts),
        *(
            one
            for one in deployments.findings(facts)
            if one.kind in ("gate-not-deployed", "gate-elsewhere")
        ),
        *(finding for one in gated.values() for finding in _cautions(one)),
        *(finding for one in gated.values() for finding in _contradictions(one)),
        *_circles(edges, gated),
        *_long_chains(edges),
    ]
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


def _cautions(pipeline: Pipeline) -> Iterator[Finding]:
    for text in of_holds(dict(pipeline.declared)):
        yield Finding("caution", "warning", f"pipeline {pipeline.name}", text, "", "")


def _circles(edges: tuple[DependencyEdge, ...], gated: Mapping[str, Pipeline]) -> Iterator[Finding]:
    for circle in classify_circles(edges, gated):
        severity: Severity = (
            "note"
            if circle.kind == "turns"
            else "error"
            if circle.kind == "success" or circle.unseen
            else "warning"
        )
        where = f"pipelines {join_names(sorted(set(circle.pipelines)))}"
        kind, how = ("turns", "") if circle.kind == "turns" else ("deadlock", MEND)
        yield Finding(kind, severity, where, str(circle), "", how)


def _long_chains(edges: tuple[DependencyEdge, ...]) -> Iterator[Finding]:
    """The longest chain, where a gate does not look at all of it (chains.cycle looks at the nearest
    first).
    """
    waits: dict[str, list[str]] = {}
    for edge in edges:
        waits.setdefault(edge.dependent, []).append(edge.upstream)
    longest = max((_farthest(name, waits) for name in waits), key=len, default=())
    if len(longest) - 1 > MAX_PIPELINES_IN_A_CYCLE:
        yield Finding(
            "long-chain",
            "note",
            f"pipeline {longest[0]}",
            f"It waits along a chain of {len(longest) - 1} pipelines: {', '.join(longest[1:])}.",
            f"All of it is waited for, but a gate looks at {MAX_PIPELINES_IN_A_CYCLE} of them for deadlocks: one "
            "that reaches further is not told.",
            "",
        )


def _farthest(name: str, waits: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The shortest way from `name` to the pipeline that is farthest from it."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    for way in ways:  # grows as it is read: the nearest first
        for upstream in waits.get(way[-1], ()):
            if upstream not in seen:
                seen.add(upstream)
                ways.append((*way, upstream))
    return ways[-1]


# Gates of one stage: they hold the same execution at the same time, with one rule


def _contradictions(pipeline: Pipeline) -> Iterator[Finding]:
    asking = [gate for gate in pipeline.gates if gate.parameters and not gate.parameters.observe]
    for stage, of_stage in groupby(asking, key=lambda gate: gate.stage):
        together = list(of_stage)
        where = f"pipeline {pipeline.name}, stage {stage}"
        if len({gate.deployed_as for gate in together}) > 1:
            yield Finding(
                "two-deployments",
                "error",
                where,
                "Its gates are of several deployments: "
                f"{_each(together, [gate.function for gate in together])}.",
                "Each makes a hold of its own of the same execution, and lets it go on without "
                "the other.",
                "Let them name the same function.",
            )
        for key in ("hold", "retry_minutes", "give_up_minutes", "on_give_up", "revisions"):
            field = "mode" if key == "hold" else key
            values = [str(getattr(gate.parameters, field)) for gate in together]
            if len(set(values)) > 1:
                yield Finding(
                    "contradiction",
                    "warning",
                    where,
                    f"Its gates differ in {key}: {_each(together, values)}.",
                    "They hold the same execution, and the one that held last decides.",
                    "Let them say the same.",
                )
        yield from _twice(where, together)


def _each(gates: list[Gate], values: list[str]) -> str:
    return join_names(
        [f"{value} ({gate.action})" for gate, value in zip(gates, values, strict=True)]
    )


def _twice(where: str, gates: list[Gate]) -> Iterator[Finding]:
    wanted = dict.fromkeys(
        one for gate in gates if gate.parameters for one in gate.parameters.depends_on
    )
    for label, alike in groupby(
        sorted(wanted, key=lambda one: one.label), key=lambda one: one.label
    ):
        if len(list(alike)) > 1:
            yield Finding(
                "contradiction",
                "warning",
                where,
                f"It waits for {label} twice, and asks different things of it.",
                "It has to be as both of them ask.",
                "Leave out the one that is not meant.",
            )
