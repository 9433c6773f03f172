"""An execution whose gate action is in progress: it waits in place, or its gate is just being
asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.account.console import ConsoleLinks
from chalicelib.account.cycles import MEND
from chalicelib.parameters import Parameters
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.pipelines.upstream import find_deadlock
from chalicelib.pipelines.wait_cycles import read_mark
from chalicelib.wording.held_pipeline import describe_deadline
from gatectl.explain.because import because, nothing_to_do, people
from gatectl.explain.facts import Facts, Story, deployed_as
from gatectl.explain.told import Told, log, release, stop
from gatectl.wording import lasting

NO_ANSWER = timedelta(minutes=2)
"""Longer than a gate takes, Lambda's own start included."""
AGAIN = "CodePipeline asks the gate again by itself, and that lets it pass"


def told(facts: Facts, story: Story, gate: Attempt, links: ConsoleLinks) -> Told:
    """`gate` is in progress."""
    if not gate.message:
        return _being_asked(facts, story, gate)
    mark, declared = read_mark(gate.mark), facts.gate_of(gate)
    asked = declared.parameters if declared else None
    since = mark.since if mark else gate.started
    lasts = f"since {format_time(since, facts.now)} ({lasting(facts.now - since)})"
    if story.hold and story.hold.released_by:
        what = f"{facts.name} was let go by {story.hold.released_by}, after it had waited {lasts}."
        return Told(
            "let go", story.execution.id, what, (), f"{AGAIN}: AWS does not say how often it asks."
        )
    cycle = find_deadlock(story.waiting)
    persons = tuple(people(facts, story, links))
    ways = (
        *persons,
        release(facts.name, _which(facts, story)),
        stop(facts.name, story.execution.id),
    )
    if cycle:
        what = (
            f"Deadlock: {facts.name} waits {lasts}, and none of these can go on before "
            f"another does: {cycle}."
        )
        then = "The gate that sees it when it is asked next fails its action."
        return Told("deadlock", story.execution.id, what, (MEND,), then, ways)
    if story.looked and not story.keeping:
        what = (
            f"{facts.name} waited {lasts}, and nothing keeps it any more: execution "
            f"{story.execution.short_id} is still at its gate."
        )
        return Told(
            "due",
            story.execution.id,
            what,
            (),
            f"{AGAIN}: AWS does not say how often it asks.",
            ways,
        )
    names = join_names([one.label for one in story.waiting]) or "what it depends on"
    return Told(
        "waits",
        story.execution.id,
        f"{facts.name} waits for {names} {lasts}, in place: execution {story.execution.short_id} "
        f"stays in progress at {_place(gate)}.",
        because(facts, story) if story.looked else (f"The gate said: {gate.message}",),
        f"{AGAIN} once that is over; AWS does not say how often it asks. "
        f"{_deadline(facts, asked, since)}{nothing_to_do(persons)}".strip(),
        ways,
    )


def _which(facts: Facts, story: Story) -> str:
    return story.execution.id if len(facts.stories) > 1 else ""


def _place(gate: Attempt) -> str:
    return f"its stage {gate.stage}, action {gate.action}"


def _deadline(facts: Facts, asked: Parameters | None, since: datetime) -> str:
    if asked is None or asked.give_up_minutes is None:
        return ""
    return describe_deadline(
        since + timedelta(minutes=asked.give_up_minutes), asked.on_give_up, facts.now
    )


def _being_asked(facts: Facts, story: Story, gate: Attempt) -> Told:
    what = (
        f"The gate of {facts.name} is being asked since {format_time(gate.started, facts.now)}, "
        f"for execution {story.execution.short_id}"
    )
    if facts.now - gate.started < NO_ANSWER:
        return Told("asked", story.execution.id, f"{what}.", (), "It answers within seconds.")
    return Told(
        "asked",
        story.execution.id,
        f"{what}, and has not answered.",
        ("It has died, or cannot reach AWS. Lambda tries it again twice by itself.",),
        "After 20 minutes without an answer CodePipeline fails the action.",
        (log(deployed_as(gate), "gate"),),
    )
