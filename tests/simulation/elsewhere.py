"""Upstreams in another region or account, set up as in docs/elsewhere.md, and people there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from moto.iam.models import Role, iam_backends

from sandbox import eventbridge
from sandbox.account import ACCOUNT, REGION
from sandbox.clock import utcnow
from tests.simulation.cast import Cast, configure, declaration, gates
from tests.simulation.people import ANN, People
from tests.simulation.places import ELSEWHERE, OTHERS, Place, backend, named
from tests.simulation.record import Record, label

CHALICE = Path(__file__).parents[2] / ".chalice"
LOOK = f"arn:aws:iam::{OTHERS}:role/pipeline-gate-look"
EXTERNAL_ID = "a-word-that-both-know"
FUNCTIONS = [f"arn:aws:iam::{ACCOUNT}:role/pipeline-gate-dev-{name}" for name in ("gate", "retry")]


@dataclass(frozen=True)
class Far:
    """A pipeline elsewhere."""

    place: Place
    declaration: dict[str, Any]
    forwarded: bool
    """A rule there sends its events to the gate's bus."""
    external_id: bool
    """The role there asks for it."""

    @property
    def name(self) -> str:
        return named(self.place, self.declaration["name"])

    def entry(self, random: Random) -> str | dict[str, str]:
        """How depends_on names it."""
        entry = {"pipeline": self.name}
        if self.place[0] == OTHERS:
            entry |= {"role_arn": LOOK} | ({"external_id": EXTERNAL_ID} if self.external_id else {})
        if random.random() < 0.25:
            entry |= random.choice(({"require": "succeeded"}, {"stage": "Deploy"}))
        return entry if len(entry) > 1 else self.name


def draw(random: Random, drawn: Cast) -> list[Far]:
    """One or two pipelines elsewhere, perhaps with a name from home; gates now wait for them."""
    external_id = random.random() < 0.7
    far = []
    for place in random.sample(ELSEWHERE, random.choice((1, 1, 2))):
        name = random.choice(("infra", "base", drawn.dependents[0]))
        declared = declaration(random, name, [])
        declared["roleArn"] = declared["roleArn"].replace(ACCOUNT, place[0])
        far.append(Far(place, declared, random.random() < 0.5, external_id))
    for name in drawn.dependents:
        for gate in gates(drawn.declarations[name]):
            if not gate["UserParameters"].startswith("{"):
                continue
            keys = json.loads(gate["UserParameters"])
            entries = [one.entry(random) for one in far if random.random() < 0.8]
            kept = keys["depends_on"] if random.random() < 0.4 else []
            gate.update(configure({**keys, "depends_on": [*entries, *kept] or keys["depends_on"]}))
    return far


class Elsewhere:
    """The pipelines of a run that are elsewhere, and their people."""

    def __init__(self, random: Random, people: People, record: Record, far: list[Far]) -> None:
        self._random = random
        self._people = people
        self._record = record
        self._far = far

    def set_up(self, seconds: Callable[[Random, str], tuple[float, str]]) -> None:
        """Make the pipelines, the role that lets the gate look, and the rules that forward events.
        `seconds`: how an action of a stage goes.
        """
        work = Random(self._random.random())
        for one in self._far:
            codepipeline = backend(one.place)
            codepipeline.outcome = lambda _execution, stage, _action: seconds(work, stage)
            if one.place[0] == OTHERS:
                self._roles(one.external_id)
            codepipeline.create_pipeline(one.declaration, [])
            self._record.pipelines[one.name] = codepipeline.pipelines[one.declaration["name"]]
            self._record.story.tell(
                f"{one.name} is {one.declaration['executionMode']}, events "
                f"{'' if one.forwarded else 'not '}forwarded"
            )
            if one.forwarded:
                self._forward(one)

    def _roles(self, external_id: bool) -> None:
        for name in ("gate", "retry"):
            own = iam_backends[ACCOUNT]["aws"].get_role(f"pipeline-gate-dev-{name}")
            own.put_policy("own", (CHALICE / f"policy-{name}.json").read_text())
        iam = iam_backends[OTHERS]["aws"]
        if "pipelines" in [role.name for role in iam.roles.values()]:
            return
        assume: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        service = {**assume, "Principal": {"Service": "codepipeline.amazonaws.com"}}
        iam.create_role("pipelines", _document(service), "/", None, "", [], None)
        gate = {**assume, "Principal": {"AWS": FUNCTIONS}}
        if external_id:
            gate["Condition"] = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
        iam.create_role(LOOK.rpartition("/")[2], _document(gate), "/", None, "", [], None)
        self._record.secrets.add(EXTERNAL_ID)
        self._let_look()

    def _let_look(self) -> None:
        may = ["codepipeline:ListPipelineExecutions", "codepipeline:GetPipelineState"]
        resource = f"arn:aws:codepipeline:*:{OTHERS}:*"
        statement = {"Effect": "Allow", "Action": may, "Resource": resource}
        _find_role().put_policy("look", _document(statement))

    def _forward(self, one: Far) -> None:
        rules = eventbridge.backend(*one.place)
        types = [f"CodePipeline {kind} Execution State Change" for kind in ("Pipeline", "Stage")]
        pattern = {"source": ["aws.codepipeline"], "detail-type": types}
        rules.put_rule("forward-pipeline-events", event_pattern=json.dumps(pattern))
        bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
        rules.put_targets("forward-pipeline-events", None, [{"Id": "gate", "Arn": bus}])

    # People

    def plan(self, minutes: float) -> None:
        if not self._far:
            return
        random, people = self._random, self._people
        moments = [0.05, *(random.uniform(0.5, minutes) for _ in range(random.choice((0, 1, 2))))]
        for one, moment in itertools.product(self._far, moments):
            people.at(moment, partial(self._start, one))
        acts: list[Callable[[], None]] = [self._stop, self._stop, self._close, self.open]
        for _ in range(random.choice((0, 1, 2, 4))):
            people.at(random.uniform(0, minutes), random.choice(acts))
        if random.random() < 0.1:
            people.at(random.uniform(0, minutes), self._delete)

    def _start(self, one: Far) -> None:
        name = one.declaration["name"]
        if name in backend(one.place).pipelines:
            backend(one.place).start_pipeline_execution({"name": name}, ANN)

    def _stop(self) -> None:
        one = self._random.choice(self._far)
        pipeline = self._record.pipelines[one.name]
        for execution in list(pipeline.running.values())[:1]:
            self._tell(f"stops {label(execution)}")
            names = {"pipelineName": pipeline.name, "pipelineExecutionId": execution.id}
            abandon = self._random.random() < 0.5
            backend(one.place).stop_pipeline_execution({**names, "abandon": abandon})

    def _delete(self) -> None:
        one = self._random.choice(self._far)
        if one.name not in self._record.deleted:
            self._tell(f"deletes {one.name}")
            self._record.deleted[one.name] = utcnow()
            backend(one.place).delete_pipeline(one.declaration["name"])

    def _close(self) -> None:
        """The gate's role may no longer read anything, not even with the sessions that it has."""
        for far in self._far:
            periods = self._record.closed_periods.setdefault(far.name, [])
            if far.place[0] == OTHERS and (not periods or periods[-1][1] is not None):
                self._tell(f"forbids the gate to read {far.name}")
                periods.append((utcnow(), None))
                _find_role().policies.clear()

    def open(self) -> None:
        """The gate may read everything again."""
        for name, periods in self._record.closed_periods.items():
            if periods and periods[-1][1] is None:
                self._tell(f"allows the gate to read {name}")
                periods[-1] = (periods[-1][0], utcnow())
                self._let_look()

    def _tell(self, text: str) -> None:
        self._record.story.tell(f"a person elsewhere {text}")


def _find_role() -> Role:
    return iam_backends[OTHERS]["aws"].get_role(LOOK.rpartition("/")[2])


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
