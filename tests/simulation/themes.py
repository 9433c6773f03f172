"""What some runs are about: situations that are too rare by chance alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from sandbox.codepipeline.execution import PipelineExecution
from sandbox.world import Dials
from tests.simulation import claims, revisions
from tests.simulation.cast import (
    DEPENDENTS,
    Cast,
    configure,
    deadline,
    declaration,
    gates,
    with_approval,
)
from tests.simulation.faults import Faults
from tests.simulation.people import People
from tests.simulation.settings import parse_keys

HOUR = 60.0
EXECUTION = "#{codepipeline.PipelineExecutionId}"


def _as_drawn(_random: Random, drawn: Cast) -> Cast:
    return drawn


def _nothing_more(_random: Random, _people: People, _cast: Cast, _minutes: float) -> None:
    pass


@dataclass(frozen=True)
class Theme:
    """`share`: of all runs. `cast` changes the pipelines, `plan` adds what people do.

    `minutes`: how long people act, if it is not drawn; `asks_again`: after how many seconds
    CodePipeline invokes a gate in the mode wait again; `busy`: time passes, and people act, at any
    moment between the calls of a function.
    """

    name: str
    share: float
    cast: Callable[[Random, Cast], Cast] = _as_drawn
    plan: Callable[[Random, People, Cast, float], None] = _nothing_more
    minutes: float | None = None
    asks_again: float | None = None
    rest: timedelta = timedelta(hours=6)
    """How long after the end of the faults all executions must have ended."""
    busy: bool = False
    far: bool = False
    """Some upstreams are elsewhere (elsewhere.py)."""
    page_items: int | None = None
    """How many executions AWS lists per page, if it is not drawn: with many upstreams, small pages
    would only take time, and large ones would show even an old execution.
    """

    def adapt(self, faults: Faults, dials: Dials) -> None:
        """Change what the run has drawn."""
        if self.busy:
            faults.pauses, faults.busy_people, faults.faster_people = 0.2, 0.5, 0.3
        if self.asks_again:
            faults.astray = 0.0  # one lost delivery ends a wait in the mode wait
            dials.continuation_seconds = self.asks_again

    def seconds(self, random: Random, execution: PipelineExecution, stage: str) -> float | None:
        """How long an action takes, if the theme says so."""
        if self.name == "a day" and execution.pipeline_name == "infra" and stage == "Deploy":
            return random.uniform(20, 30) * 3600
        return None


def draw(random: Random) -> Theme:
    shares = [theme.share for theme in THEMES]
    return random.choices([PLAIN, *THEMES], [1 - sum(shares), *shares])[0]


def _configure(name: str, depends_on: list[Any], **more: Any) -> dict[str, str]:
    return configure({"depends_on": depends_on, "pipeline": name, "execution": EXECUTION, **more})


# Pipelines that wait for each other


def _ring(random: Random, plain: Cast) -> Cast:
    names = DEPENDENTS[: random.choice((2, 2, 3))]
    declarations = {name: plain.declarations[name] for name in ("infra",) if random.random() < 0.5}
    hold = random.choice(("restart", "retry", "wait", "wait", None))
    require = random.choice(("idle", "idle", "succeeded", None))
    all_of_them = random.random() < 0.3
    for number, name in enumerate(names):
        ahead = names if all_of_them else (names[(number + 1) % len(names)],)
        depends_on = [other for other in ahead if other != name]
        depends_on += [name for name in declarations if name == "infra" and random.random() < 0.4]
        more: dict[str, Any] = {"retry_minutes": random.choice((1, 2, 5))}
        more["hold"] = hold or random.choice(("restart", "retry", "wait"))
        more["require"] = require or random.choice(("idle", "succeeded"))
        more |= deadline(random, 0.1, (5, 20))
        declarations[name] = declaration(random, name, [_configure(name, depends_on, **more)])
    return Cast(declarations, names)


# Waits of a day


def _day(random: Random, plain: Cast) -> Cast:
    hold = random.choice(("wait", "wait", "wait", "restart", "retry"))
    more: dict[str, Any] = {"hold": hold, "retry_minutes": 60}
    more |= deadline(random, 0.3, (600, 1390, 1430, 1500))
    infra = plain.declarations["infra"]
    stages = [stage for stage in infra["stages"] if stage["name"] != "Approve"]
    k8s = declaration(random, "k8s", [_configure("k8s", ["infra"], **more)])
    return Cast({"infra": {**infra, "stages": stages}, "k8s": k8s}, ("k8s",))


# Many upstreams with long names


def _many(random: Random, _plain: Cast) -> Cast:
    long_name = "infrastructure-of-a-department-with-a-long-name-" * 2
    names = [f"{long_name[: random.randint(70, 85)]}-{number}" for number in range(8)]
    declarations = {name: declaration(random, name, []) for name in names}
    gate = _configure("k8s", names, hold=random.choice(("restart", "wait")))
    declarations["k8s"] = declaration(random, "k8s", [gate])
    return Cast(declarations, ("k8s",))


def _crowds(random: Random, people: People, _cast: Cast, minutes: float) -> None:
    for _ in range(2):
        people.at(random.uniform(0, minutes / 2), people.start_all)


# The revisions that were held, while people push


def _keeps_revisions(random: Random, plain: Cast) -> Cast:
    def draw_keys() -> dict[str, Any]:
        return {"revisions": "held", "retry_minutes": random.choice((1, 5))}

    return _in_order(random, plain, draw_keys, (None,))


def _in_order(
    random: Random,
    plain: Cast,
    draw_keys: Callable[[], dict[str, Any]],
    places: tuple[str | None, ...],
) -> Cast:
    """Each dependent waits with these keys for up to two upstreams, one execution after another."""
    declarations = {
        name: one for name, one in plain.declarations.items() if name not in plain.dependents
    }
    for name in plain.dependents:
        gate = _configure(name, [*declarations][:2], **draw_keys())
        place = random.choice(places) if len(places) > 1 else None
        declared = declaration(random, name, [gate], place)
        mode = random.choice(("SUPERSEDED", "QUEUED"))
        declarations[name] = {**declared, "executionMode": mode}
    return Cast(declarations, plain.dependents)


def _pushes(random: Random, people: People, cast: Cast, minutes: float) -> None:
    for _ in range(4):
        when, name = random.uniform(0.5, minutes), random.choice(cast.dependents)
        people.at(when, partial(people.push_to, name))


# Rollbacks that are held


def _last_stage(random: Random, plain: Cast) -> Cast:
    def draw_keys() -> dict[str, Any]:
        hold = random.choice(("restart", "restart", "retry", "wait"))
        return {"hold": hold, "retry_minutes": 1}

    return _in_order(random, plain, draw_keys, ("condition", "first action"))


def _rollbacks(random: Random, people: People, cast: Cast, minutes: float) -> None:
    for name in cast.dependents:
        at = random.uniform(0.4, 0.8) * minutes
        people.at(at - 0.5, partial(people.start_one, "infra"))
        people.at(at, partial(people.roll_back_one, name))
        if random.random() < 0.4:
            people.at(at + random.uniform(0.3, 3), partial(people.edit_variables, name))


# Stages that are retried


def _retries(random: Random, plain: Cast) -> Cast:
    for name in plain.dependents:
        for gate in gates(plain.declarations[name]):
            depends_on = parse_keys(gate["UserParameters"])["depends_on"]
            minutes = random.choice((1, 2, 5))
            more = deadline(random, 0.4, (10, 20))
            gate.update(_configure(name, depends_on, hold="retry", retry_minutes=minutes, **more))
    return plain


def _restless(random: Random, people: People, cast: Cast, minutes: float) -> None:
    upstreams = [name for name in cast.declarations if name not in cast.dependents]
    for _ in range(5):
        people.at(random.uniform(0, minutes), partial(people.start_one, random.choice(upstreams)))
        people.at(random.uniform(0, minutes), people.retry_held)


# Upstreams that are cancelled or rolled back, and executions that overtake each other


def _judges_results(random: Random, plain: Cast) -> Cast:
    def draw_keys() -> dict[str, Any]:
        hold = random.choice(("restart", "retry", "wait"))
        require = random.choice(("idle", "succeeded", "succeeded"))
        return {"hold": hold, "require": require, "retry_minutes": random.choice((1, 5))}

    return _in_order(random, plain, draw_keys, (None,))


def _cuts_off(random: Random, people: People, cast: Cast, minutes: float) -> None:
    """While an upstream runs, it is edited or started once more, and often started again soon, as a
    pipeline that updates itself is; or it is rolled back. Its dependents start meanwhile.
    """
    upstreams = [name for name in cast.declarations if name not in cast.dependents][:2]
    edit, roll_back, start = people.edit_variables, people.roll_back_one, people.start_one
    for _ in range(3):
        name, when = random.choice(upstreams), random.uniform(0.1, 0.9) * minutes
        act = random.choice((edit, edit, roll_back, roll_back, start))
        people.at(when, partial(act, name))
        if act != roll_back:  # AWS rolls back no stage that is in use
            people.at(when - random.uniform(0.5, 2), partial(start, name))
            if random.random() < 0.5:
                people.at(when + random.uniform(0.1, 1.5), partial(start, name))
        for dependent in cast.dependents:
            people.at(when + random.uniform(0.02, 3), partial(start, dependent))


# An upstream that began weeks ago, sat in an approval, and works now


def _parked_upstream(random: Random, plain: Cast) -> Cast:
    def draw_keys() -> dict[str, Any]:
        keys: dict[str, Any] = {"retry_minutes": random.choice((1, 5))}
        keys["hold"] = random.choice(("restart", "retry", "wait"))
        if random.random() < 0.3:
            keys["require"] = "succeeded"
        if random.random() < 0.4:
            keys["parked"] = "pass"
        return keys

    drawn = _in_order(random, plain, draw_keys, (None,))
    infra = with_approval(declaration(random, "infra", []))
    return Cast({**drawn.declarations, "infra": infra}, drawn.dependents)


def _weeks(random: Random, people: People, cast: Cast, minutes: float) -> None:
    days, approved = random.choice((13, 25, 25, 50)), random.uniform(1, 0.7 * minutes)
    people.at(0.7, partial(people.let_grow_old, "infra", days))
    people.at(approved, partial(people.approve_one, "infra"))
    for dependent in cast.dependents:
        for _ in range(2):
            people.at(approved + random.uniform(0.02, 5), partial(people.start_one, dependent))


PLAIN = Theme("plain", 0.0)
THEMES = (
    Theme("revisions", 0.08, cast=revisions.add_sources, plan=revisions.plan),
    Theme("weeks", 0.04, cast=_parked_upstream, plan=_weeks, page_items=2),
    Theme("claims", 0.05, cast=claims.add_claimant, plan=claims.plan),
    Theme("a circle", 0.09, cast=_ring),
    Theme("elsewhere", 0.09, far=True),
    Theme("a day", 0.015, cast=_day, minutes=26 * HOUR, asks_again=900.0, rest=timedelta(hours=36)),
    Theme("many", 0.015, cast=_many, plan=_crowds, page_items=100),
    Theme("held revisions", 0.03, cast=_keeps_revisions, plan=_pushes),
    Theme("rollbacks", 0.04, cast=_last_stage, plan=_rollbacks),
    Theme("retries", 0.05, cast=_retries, plan=_restless, busy=True),
    Theme("results", 0.05, cast=_judges_results, plan=_cuts_off, minutes=40.0),
)
