"""`gatectl explain`: why is my pipeline waiting?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from rich.text import Text

from chalicelib.account.console import ConsoleLinks
from chalicelib.holds.fate import Standing
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import ID
from gatectl.completion import pipelines
from gatectl.doctor.finding import format_command
from gatectl.explain import ended, held, in_place, running, waiters
from gatectl.explain.because import NOTHING_TO_DO
from gatectl.explain.facts import Behind, Facts, Story
from gatectl.explain.reading import Reading
from gatectl.explain.told import Told, Way
from gatectl.session import Place, options


@click.command()
@click.argument("pipeline", shell_complete=pipelines)
@click.option(
    "--execution",
    metavar="ID",
    help="Its id, or how that begins.  [default: all that wait or run, else the newest]",
)
@options
def explain(place: Place, pipeline: str, execution: str | None) -> None:
    """Why PIPELINE waits, or why it does not go on: in sentences.

    It asks AWS now, as the gate would, along the whole chain of those that wait for each other. It
    reads only.
    """
    facts = Reading(place, datetime.now(UTC)).facts(pipeline, execution)
    told = list(explained(facts, place.links))
    if place.json:
        place.show("", _as_json(place, facts, told))
        return
    for one in told:
        _show(place, one)


def explained(facts: Facts, links: ConsoleLinks) -> Iterator[Told]:
    """All that is to be said, the newest execution first."""
    stories = [_of(facts, story, links) for story in facts.stories]
    if not stories:
        stories = [Told("idle", None, f"{facts.name} has not run, as far back as AWS tells.")]
    yield from stories
    if facts.more:
        yield Told(
            "more",
            None,
            f"{facts.more} more executions of {facts.name} wait or run: --execution ID tells of "
            "one.",
        )
    yield from _of_the_pipeline(facts)


def _of(facts: Facts, story: Story, links: ConsoleLinks) -> Told:
    if held.is_held(facts, story):
        return held.told(facts, story, links)
    if story.asking:
        return in_place.told(facts, story, story.asking, links)
    return (
        running.told(facts, story, links)
        if story.execution.running
        else ended.told(facts, story, links)
    )


def _of_the_pipeline(facts: Facts) -> Iterator[Told]:
    if not facts.pipeline.gates and any(held.is_held(facts, story) for story in facts.stories):
        what = (
            f"{facts.name} has no gate any more: its next executions wait for nobody. This "
            "hold stays until it ends."
        )
        yield Told("not gated", None, what)
    elif facts.waiters:
        yield waiters.told(facts.name, facts.waiters, facts.now)
    elif not facts.pipeline.gates:
        way = Way("give it one", (("gatectl", "attach", facts.name, "--depends-on", "PIPELINE"),))
        yield Told(
            "not gated",
            None,
            f"{facts.name} has no gate: it waits for no other pipeline.",
            can=(way,),
        )
    for rule in facts.rules:
        hold = rule.hold
        if hold and facts.fates[rule.name].standing is Standing.OVER:
            check = rule.next_check(facts.now)
            looks = f" It looks next at {format_time(check, facts.now)}." if check else ""
            why = facts.fates[rule.name].reason
            others = join_names([one.label for one in hold.depends_on]) or "nobody"
            short = re.sub(ID, lambda id_: id_[0][:8], why)
            what = f"The rule {rule.name} is left of a hold that nobody needs any more: {short}."
            yield Told(
                "needless",
                hold.execution,
                what,
                (),
                f"It goes by itself at its first look after the end of {others}.{looks}",
            )
    refused = {gate.message for story in facts.stories for gate in story.gates}
    for gate in facts.pipeline.gates:
        if gate.problem and gate.problem not in refused:
            what = (
                f"As it is declared now, the gate in the stage {gate.stage} refuses what "
                f"it is asked: {gate.problem}"
            )
            yield Told("would refuse", None, what)


# How it is shown


def _show(place: Place, told: Told) -> None:
    place.console.print(Text(told.what, style="bold"))
    for sentence in filter(None, (*told.why, told.then)):
        place.console.print()
        place.console.print(Text(sentence))
    if told.can and told.then.endswith(NOTHING_TO_DO):
        place.console.print()
        place.console.print(Text("If you cannot wait:"))
    for way in told.can:
        place.console.print()
        place.console.print(Text(f"To {way.to}:"))
        for line in _pasted(place, way):
            # As one line, however wide the terminal is: so it can be pasted.
            place.console.print(f"  {line}", style="cyan", markup=False, soft_wrap=True)
    place.console.print()


def _pasted(place: Place, way: Way) -> list[str]:
    return [format_command(command, place.region, place.flags) for command in way.commands] or [
        way.link
    ]


def _as_json(place: Place, facts: Facts, told: list[Told]) -> dict[str, object]:
    """The keys stay as they are."""
    stories = {story.execution.id: story for story in facts.stories}
    return {
        "pipeline": facts.name,
        "region": facts.region,
        "gated": bool(facts.pipeline.gates),
        "explained": [
            {
                "state": one.state,
                "execution": one.execution,
                "sentences": list(one.sentences),
                "can": [
                    {"to": way.to, "commands" if way.commands else "links": _pasted(place, way)}
                    for way in one.can
                ],
                **(
                    _facts(facts, stories[one.execution], place.links)
                    if one.execution in stories and one.state != "needless"
                    else {}
                ),
            }
            for one in told
        ],
    }


def _facts(facts: Facts, story: Story, links: ConsoleLinks) -> dict[str, object]:
    hold = story.hold
    return {
        "status": story.execution.status,
        "started": story.execution.started,
        "link": links.execution(facts.name, story.execution.id),
        "rule": story.rule and story.rule.name,
        "since": hold and hold.since,
        "next_check": story.rule and story.rule.next_check(facts.now),
        "give_up": hold and hold.give_up,
        "released_by": hold and hold.released_by,
        "waits_for": [_upstream(one) for one in story.looked],
    }


def _upstream(one: Behind) -> dict[str, object]:
    upstream = one.upstream
    return {
        "pipeline": upstream.dependency.pipeline,
        "require": upstream.dependency.require,
        "stage": upstream.dependency.stage,
        "satisfied": upstream.satisfied,
        "running": [execution.id for execution in upstream.blocking],
        "unknown": upstream.unanswered,
        "gone": upstream.missing,
        "waits": one.waits or None,
        "waits_for": [_upstream(behind) for behind in one.behind],
    }
