"""An execution that a rule holds: why, until when, and what if that is over and it does not go
on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from chalicelib.account.console import ConsoleLinks
from chalicelib.account.cycles import MEND
from chalicelib.account.waits import HoldRule
from chalicelib.holds.fate import Standing
from chalicelib.holds.hold import Hold
from chalicelib.holds.rule import find_first_look
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import ROLLBACK
from chalicelib.pipelines.upstream import find_deadlock
from chalicelib.pipelines.wait_cycles import Cycle
from chalicelib.wording.held_pipeline import describe_deadline
from chalicelib.wording.reasons import describe_end_of_wait
from gatectl.doctor.finding import Finding
from gatectl.explain import mending
from gatectl.explain.anew import NO_RETRY, anew, changed, let_go_anew
from gatectl.explain.because import because, nothing_to_do, people
from gatectl.explain.facts import Facts, Log, Story
from gatectl.explain.mending import stage_of
from gatectl.explain.told import Told, Way, check, doctor, forget, log, release
from gatectl.wording import lasting

SOON = timedelta(minutes=1)
"""An event lets a hold go within seconds; after this, it is late."""


def is_held(facts: Facts, story: Story) -> bool:
    """Whether the retry would still start it or retry it."""
    if story.rule is None or story.hold is None:
        return False
    return facts.fates[story.rule.name].standing in (Standing.HELD, Standing.UNKNOWN)


def is_late(facts: Facts, story: Story) -> bool:
    """Whether nothing keeps it any more, and it should have gone on by now."""
    return not story.keeping and (story.ended is None or facts.now - story.ended > SOON)


def told(facts: Facts, story: Story, links: ConsoleLinks) -> Told:
    """`story` is held, by this rule."""
    hold, rule = story.hold, story.rule
    if hold is None or rule is None:
        raise ValueError(f"execution {story.execution.id} is not held")
    cycle = find_deadlock(story.waiting)
    fault = mending.fault(facts, story)
    if fault:
        return _broken(facts, story, hold, fault)
    if hold.released_by:
        return _let_go(facts, story, hold)
    if cycle:
        return _deadlocked(facts, story, hold, cycle)
    if story.keeping:
        return _waits(facts, story, hold, links)
    return _due(facts, story, hold, rule)


def _since(facts: Facts, hold: Hold) -> str:
    return f"since {format_time(hold.since, facts.now)} ({lasting(facts.now - hold.since)})"


def _failed(story: Story) -> str:
    return (
        f"Execution {story.execution.short_id} has failed, and that is as planned: an "
        "EventBridge rule remembers it."
    )


def _waits(facts: Facts, story: Story, hold: Hold, links: ConsoleLinks) -> Told:
    names, persons = (
        join_names([one.label for one in story.waiting]),
        tuple(people(facts, story, links)),
    )
    over = hold.is_past_deadline(facts.now)
    then = _goes_on(facts, story, hold, f"within seconds of {describe_end_of_wait(story.waiting)}")
    if over and hold.give_up:
        ends = (
            "the wait ends and nothing is started"
            if hold.ends_by_stopping
            else "it goes on all the same"
        )
        then = (
            f"Its time was over at {format_time(hold.give_up, facts.now)}: {ends}, at the next "
            f"look; {_looks(facts, story)}."
        )
    return Told(
        "held",
        story.execution.id,
        f"{facts.name} waits for {names} {_since(facts, hold)}. {_failed(story)}",
        (*because(facts, story), *changed(facts, story, hold), *_not_looked(story)),
        f"{then} {'' if over else _deadline(facts, story, hold)}{nothing_to_do(persons)}".strip(),
        (*persons, *_ways(facts, story, hold)),
    )


def _deadline(facts: Facts, story: Story, hold: Hold) -> str:
    """A rule sees that its time is over when it looks next."""
    first = story.rule.next_check(facts.now) if story.rule else None
    second = story.rule.next_check(first) if story.rule and first else None
    at = hold.give_up
    if at and first and second:
        at = find_first_look(at, first, (second - first) // timedelta(minutes=1))
    told = describe_deadline(at, hold.on_give_up, facts.now)
    return (
        told.replace("retry this stage then", "start it anew then")
        if facts.edited_since(story.execution)
        else told
    )


def _not_looked(story: Story) -> Iterator[str]:
    if story.target and story.target.unseen:
        yield f"Whether its rule can invoke the retry was not looked at: {story.target.unseen}."


def _goes_on(facts: Facts, story: Story, hold: Hold, soon: str) -> str:
    """What happens `soon`."""
    rollback, edited = story.execution.kind == ROLLBACK, facts.edited_since(story.execution)
    if edited and rollback:
        then = (
            f"Its hold ends {soon}, and nothing is started: {NO_RETRY}, and no start takes "
            "a rollback's place"
        )
    elif edited and not hold.mode.starts_over:
        asks = "asks anew" if facts.pipeline.gates else "has no gate to ask any more"
        then = f"{facts.name} starts again by itself {soon}, and {asks}: {NO_RETRY}"
    elif rollback or not hold.mode.starts_over:
        then = f"The same execution goes on by itself {soon}: its stage is retried"
    else:
        then = f"{facts.name} starts again by itself {soon}"
    return f"{then}; {_looks(facts, story)}."


def _looks(facts: Facts, story: Story) -> str:
    check = story.rule.next_check(facts.now) if story.rule else None
    return (
        f"in any case it is looked at again at {format_time(check, facts.now)}"
        if check
        else "else nobody looks: its rule has no schedule"
    )


def _ways(facts: Facts, story: Story, hold: Hold) -> Iterator[Way]:
    if facts.edited_since(story.execution):
        yield (
            let_go_anew(facts, NO_RETRY) if facts.pipeline.gates else anew(facts, f" ({NO_RETRY})")
        )
    else:
        yield release(facts.name, story.execution.id if len(facts.stories) > 1 else "")
    yield forget(hold.rule)


def _let_go(facts: Facts, story: Story, hold: Hold) -> Told:
    return Told(
        "let go",
        story.execution.id,
        f"{facts.name} was let go by {hold.released_by}, after it had waited for "
        f"{join_names([one.label for one in hold.depends_on])} "
        f"{_since(facts, hold)}.",
        (),
        "Its stage is retried within seconds, and the gate lets execution "
        f"{story.execution.short_id} pass; {_looks(facts, story)}.",
    )


def _deadlocked(facts: Facts, story: Story, hold: Hold, cycle: Cycle) -> Told:
    ends = _deadline(facts, story, hold)
    return Told(
        "deadlock",
        story.execution.id,
        f"Deadlock: {facts.name} waits {_since(facts, hold)}, and none of these can go on before "
        f"another does: {cycle}.",
        (MEND,),
        ends.strip() or "Nothing ends this by itself.",
        (check(), *_ways(facts, story, hold)),
    )


def _broken(facts: Facts, story: Story, hold: Hold, fault: Finding) -> Told:
    names = join_names([one.label for one in hold.depends_on])
    waits = (
        f"waits for {names}"
        if story.keeping
        else f"is held for {names}, which does not keep it any more,"
    )
    others = [forget(hold.rule)] if mending.stops_the_retry(fault) else _ways(facts, story, hold)
    return Told(
        "broken",
        story.execution.id,
        f"{facts.name} {waits} {_since(facts, hold)}, and nothing will start it again: "
        f"{mending.what(fault, story)}",
        because(facts, story),
        "",
        (*mending.ways(facts, story, fault), *others),
    )


# When nothing keeps it any more


def _due(facts: Facts, story: Story, hold: Hold, rule: HoldRule) -> Told:
    names = join_names([one.label for one in hold.depends_on])
    when = f" since {format_time(story.ended, facts.now)}" if story.ended else ""
    if not is_late(facts, story):
        over = (
            f"{names} {'has' if len(hold.depends_on) == 1 else 'have'} ended, and nothing "
            f"keeps {facts.name} any more{when}."
        )
        return Told(
            "due", story.execution.id, over, (), _goes_on(facts, story, hold, "within seconds")
        )
    return Told(
        "overdue",
        story.execution.id,
        f"Nothing keeps {facts.name} any more{when}: what it waited for, {names}, is over. Yet it "
        "has not gone on.",
        tuple(_last_words(facts, story)),
        "Its rule fires again by itself, and once the cause is gone that heals it: "
        f"{_looks(facts, story)}.",
        (
            log(stage_of(rule), "retry"),
            doctor(),
            anew(facts),
        ),
    )


def _last_words(facts: Facts, story: Story) -> Iterator[str]:
    read = story.log or Log()
    if read.unread:
        yield f"Why, the retry's log says, which could not be read: {read.unread}."
    elif read.silent:
        yield "The retry has never run: its rule does not reach it."
    elif read.errors:
        when, error = read.errors[-1]
        yield f"The retry failed at {format_time(when, facts.now)}: {error}"
    elif read.records:
        when, record = read.records[-1]
        yield (
            f"The retry said at {format_time(when, facts.now)}: {record['decision']}: "
            f"{record.get('reason', '')}."
        )
    else:
        yield (
            "The retry has logged nothing of it since then: the event of that end was lost, "
            "or is late."
        )
