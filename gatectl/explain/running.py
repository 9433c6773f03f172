"""An execution that is under way and does not wait at its gate: where it stands, and what may hold
it up there.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.account.console import ConsoleLinks
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import Attempt
from gatectl.explain.facts import Facts, Story
from gatectl.explain.told import Told, Way, enable


def told(facts: Facts, story: Story, links: ConsoleLinks) -> Told:
    own, name = story.execution, facts.name
    who = f"Execution {own.short_id} of {name}"
    why = tuple(at_its_gates(facts, story))
    if own.status == "Stopping":
        then = "It ends when the actions that are under way have ended."
        return Told(
            "stopping", own.id, f"{who} is being stopped: somebody has asked for that.", why, then
        )
    before = next((stage for stage in facts.state.stages if own.id in stage.inbound), None)
    if before and before.transition_disabled:
        since = (
            f" since {format_time(before.disabled_since, facts.now)}"
            if before.disabled_since
            else ""
        )
        what = (
            f"{who} waits for a person: the transition into its stage {before.name} is "
            f"disabled{since}. That is not the gate's doing."
        )
        return Told(
            "closed",
            own.id,
            what,
            why,
            "It goes on when somebody enables it.",
            (enable(name, before.name),),
        )
    if before and before.busy and before.execution:
        what = (
            f"{who} stands before the stage {before.name}, behind execution "
            f"{before.execution[:8]}, which is in it."
        )
        return Told(
            "queued",
            own.id,
            what,
            why,
            f"It goes on when that one has left the stage{_order(facts)}.",
        )
    approvals = [
        one for one in story.attempts if one.status == "InProgress" and one.provider == "Manual"
    ]
    if approvals:
        return _asks(facts, story, approvals[0], why, links)
    return Told(
        "runs",
        own.id,
        f"{who} runs since {format_time(own.started, facts.now)}{_where(story)}. It waits for no other "
        "pipeline now.",
        why,
    )


def _order(facts: Facts) -> str:
    return (
        "; should a newer one come, that takes its place"
        if facts.pipeline.mode == "SUPERSEDED"
        else ""
    )


def _asks(
    facts: Facts, story: Story, approval: Attempt, why: tuple[str, ...], links: ConsoleLinks
) -> Told:
    what = (
        f"Execution {story.execution.short_id} of {facts.name} waits for a person: the approval "
        f"{approval.action} in its stage "
        f"{approval.stage} is open since {format_time(approval.started, facts.now)}. That is not the "
        "gate's doing."
    )
    way = Way("answer it", link=links.pipeline(facts.name))
    return Told(
        "asks",
        story.execution.id,
        what,
        why,
        "It goes on when somebody approves, and fails when somebody rejects.",
        (way,),
    )


def _where(story: Story) -> str:
    works = [
        f"{one.action} in its stage {one.stage}"
        for one in story.attempts
        if one.status == "InProgress"
    ]
    return f", and is at {join_names(works)}" if works else ""


def at_its_gates(facts: Facts, story: Story) -> Iterator[str]:
    """What its gates have said to it, and which it has yet to come to."""
    asked = {(one.stage, one.action): one for one in story.gates}
    for gate in facts.pipeline.gates:
        attempt = asked.get((gate.stage, gate.action))
        observes = (
            " It only observes, and never holds."
            if gate.parameters and gate.parameters.observe
            else ""
        )
        if attempt and attempt.status == "Succeeded":
            said = f": {attempt.message.rstrip('.')}" if attempt.message else ""
            yield (
                f"Its gate in the stage {gate.stage} let it pass at "
                f"{format_time(attempt.started, facts.now)}{said}.{observes}"
            )
        elif attempt is None and story.execution.running:
            others = (
                join_names([one.label for one in gate.parameters.depends_on])
                if gate.parameters
                else ""
            )
            waits = f", which waits for {others}" if others else ""
            yield f"It has not come to its gate in the stage {gate.stage} yet{waits}.{observes}"
    if story.rule and story.execution.running:
        yield (
            "It was held before, and its stage was retried: the rule of that hold stays "
            "until this execution has ended."
        )
