"""Finds the places at which a pipeline needs a second gate: a gate checks once, and then a person
may keep the execution for days before the work begins. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from chalicelib.account.gates import Gate, find_gates
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.state import PipelineState
from gatectl.structure import Declaration, find_gates_after


@dataclass(frozen=True)
class _Barrier:
    """Something that keeps an execution until a person acts. `after`: the stage after which a gate
    would check again. `is_transition`: it is the transition from that stage into the next.
    """

    label: str
    after: str
    is_transition: bool = False


@dataclass(frozen=True)
class UncheckedWork:
    """Work that begins after people let the execution continue, without another check.

    `unchecked`: the upstreams that were checked before that, but not after it. `barriers`: what
    people have to answer in between. `stage`: the stage of the work.
    """

    pipeline: str
    unchecked: tuple[Dependency, ...]
    barriers: tuple[_Barrier, ...]
    stage: str
    mode: str
    existing: Gate | None

    @property
    def problem(self) -> str:
        upstreams = self._name_upstreams()
        return (
            f"{self.pipeline} checks {upstreams} before "
            f"{join_names([barrier.label for barrier in self.barriers])}. That can take days, and "
            f"then the stage {self.stage} runs even if {upstreams} "
            f"{'is' if len(self.unchecked) == 1 else 'are'} running."
        )

    @property
    def how(self) -> str:
        """What to do about it. If `command` is not empty, it follows."""
        again, last = f"To check {self._name_upstreams()} again", self.barriers[-1]
        if self.existing:
            return f"{again}, name it in the gate in the stage {self.existing.stage}, too."
        if last.is_transition:
            first = (
                f"add a second gate, disable the transition into its stage, and enable the one "
                f"into {self.stage}"
            )
        elif last.after == self.stage:
            first = (
                "put what comes after the approval into a stage of its own, and then add a second "
                "gate"
            )
        else:
            first = "add a second gate"
        return f"{again}, {first}. With --hold {self.mode}, no one has to approve twice:"

    @property
    def command(self) -> tuple[str, ...]:
        """The command that adds the gate, word by word; empty if there is one to change."""
        if self.existing:
            return ()
        return (
            *("gatectl", "attach", self.pipeline, *_list_options(self.unchecked)),
            *("--after", self.barriers[-1].after, "--hold", self.mode),
        )

    def _name_upstreams(self) -> str:
        return join_names([dependency.label for dependency in self.unchecked])


def find_unchecked_work(
    declared: Declaration, closed_stages: Collection[str] = ()
) -> tuple[UncheckedWork, ...]:
    """Return the work that begins after an approval or a disabled transition without another check
    of what a gate before that has checked. `closed_stages`: those with a disabled transition into
    them.
    """
    mode = "wait" if declared.get("executionMode") == "QUEUED" else "retry"
    places: list[UncheckedWork] = []
    checked: dict[tuple[str, str | None], Dependency] = {}
    unchecked: list[Dependency] = []
    barriers: list[_Barrier] = []
    for step in _list_steps(declared, closed_stages):
        if isinstance(step, _Barrier):
            if checked:
                barriers.append(step)
                unchecked = list(checked.values())
        elif isinstance(step, Gate):
            dependencies = step.parameters.depends_on if step.parameters else ()
            checked |= {(each.pipeline, each.stage): each for each in dependencies}
            names = {each.pipeline for each in dependencies}
            unchecked = [each for each in unchecked if each.pipeline not in names]
            barriers = barriers if unchecked else []
        elif barriers:
            last = barriers[-1].after
            gates = [] if last == step else find_gates_after(declared, last)
            holding = [gate for gate in gates if gate.parameters and not gate.parameters.observe]
            places.append(
                UncheckedWork(
                    declared["name"],
                    tuple(unchecked),
                    tuple(barriers),
                    stage=step,
                    mode=mode,
                    existing=next(iter(holding), None),
                )
            )
            barriers = []
    return tuple(places)


def list_closed_stages(state: PipelineState) -> list[str]:
    """Return the stages with a disabled transition into them."""
    return [stage.name for stage in state.stages if stage.transition_disabled]


def _list_steps(
    declared: Declaration, closed_stages: Collection[str]
) -> Iterator[_Barrier | Gate | str]:
    """Yield what an execution meets, in order: barriers, gates that hold, and work, as the name of
    its stage. Of actions that run at the same time, the barriers come last.
    """
    before = ""
    for stage in declared["stages"]:
        name = stage["name"]
        if name in closed_stages:
            label = f"the transition into the stage {name}, which is disabled"
            yield _Barrier(label, before, is_transition=True)
        gates = find_gates({"stages": [stage]})
        holding = [gate for gate in gates if gate.parameters and not gate.parameters.observe]
        yield from (gate for gate in holding if gate.condition)
        gates_by_action = {gate.action: gate for gate in gates if not gate.condition}
        for _, group in groupby(sorted(stage["actions"], key=_read_order), key=_read_order):
            actions = list(group)
            approvals = [action["name"] for action in actions if _is_approval(action)]
            if any(
                action["name"] not in gates_by_action and not _is_approval(action)
                for action in actions
            ):
                yield name
            yield from (
                gates_by_action[action["name"]]
                for action in actions
                if gates_by_action.get(action["name"]) in holding
            )
            yield from (
                _Barrier(f"the approval {approval} in the stage {name}", name)
                for approval in approvals
            )
        before = name


def _read_order(action: Mapping[str, Any]) -> int:
    return int(action.get("runOrder", 1))


def _is_approval(action: Mapping[str, Any]) -> bool:
    return bool(action["actionTypeId"]["category"] == "Approval")


def _list_options(dependencies: Sequence[Dependency]) -> tuple[str, ...]:
    """Return the options of attach for these upstreams."""
    requires = {dependency.require for dependency in dependencies}
    if requires == {"succeeded"}:
        dependencies = [replace(dependency, require="idle") for dependency in dependencies]
    entries = [_format_entry(dependency) for dependency in dependencies]
    names = [entry for entry in entries if not entry.startswith("{")]
    values = [*filter(None, [",".join(names)]), *(entry for entry in entries if entry not in names)]
    options = [word for value in values for word in ("--depends-on", value)]
    return (*options, "--require", "succeeded") if requires == {"succeeded"} else tuple(options)


def _format_entry(dependency: Dependency) -> str:
    """Return an upstream as in --depends-on: "infra", "infra/Deploy" or JSON."""
    entry = dependency.build_json()
    if isinstance(entry, str):
        return entry
    if entry.keys() == {"pipeline", "stage"}:
        return f"{entry['pipeline']}/{entry['stage']}"
    return json.dumps(entry)
