"""What a start would find: the gate as it stands now, which need not be the one that a hold comes
from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.account.gates import Gate
from chalicelib.holds.hold import Hold
from chalicelib.parameters import Parameters
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.explain.facts import Facts, Story
from gatectl.explain.told import Way, start, starting

NO_RETRY = "AWS retries no stage of a pipeline that was edited since"


def anew(facts: Facts, why: str = "") -> Way:
    """To start the pipeline; `why`: what to add to that."""
    return start(facts.name, f"start it anew{_finds(facts.pipeline.gates, facts.region)}{why}")


def let_go_anew(facts: Facts, why: str) -> Way:
    """To start a gated pipeline and let that execution go; `why` not the held one."""
    to = f"go on all the same: start it anew, and when it waits at its gate, let it go ({why})"
    return Way(to, (starting(facts.name), ("gatectl", "release", facts.name)))


def _finds(gates: Sequence[Gate], region: str) -> str:
    if not gates:
        return ": it has no gate now, so nothing holds it"
    if any(gate.problem for gate in gates):
        return ", so that it asks its gate, which refuses what it is asked now"
    asked = [gate.parameters for gate in gates if gate.parameters and not gate.parameters.observe]
    wanted = {one.relative_to(region): None for each in asked for one in each.depends_on}
    return (
        f", so that it asks its gate, which waits for {waits_for(list(wanted))}"
        if wanted
        else ": its gate only observes"
    )


def waits_for(wanted: Sequence[Dependency]) -> str:
    """ "infra", "a success of infra", "infra, and a success of network"."""
    idle = [one.label for one in wanted if one.require == "idle"]
    succeeded = [one.label for one in wanted if one.require == "succeeded"]
    return ", and ".join(
        [
            *([join_names(idle)] if idle else []),
            *([f"a success of {join_names(succeeded)}"] if succeeded else []),
        ]
    )


def changed(facts: Facts, story: Story, hold: Hold) -> Iterator[str]:
    """That the gate asks for something else by now than when it made this hold, where it does."""
    declared = [facts.gate_of(attempt) for attempt in story.gates if attempt.status == "Failed"]
    asked = next((gate.parameters for gate in declared if gate and gate.parameters), None)
    if asked is None:
        return
    then, now = _of_hold(hold, facts.region), _of_gate(asked, hold, facts.region)
    differ = [f"{key} {then[key]} (now {now[key]})" for key in then if then[key] != now[key]]
    if differ:
        began = (
            "Its gate was changed since. This hold keeps to what was asked when it "
            f"began: {join_names(differ)}."
        )
        yield f"{began} What starts anew asks as it is now."


def _of_hold(hold: Hold, region: str) -> dict[str, str]:
    limit = round((hold.give_up - hold.since).total_seconds() / 60) if hold.give_up else None
    return _settings(hold.depends_on, hold.mode.name, limit, hold.on_give_up, region)


def _of_gate(asked: Parameters, hold: Hold, region: str) -> dict[str, str]:
    # A rule takes over from a long wait in place.
    mode = hold.mode if asked.mode.stays_in_progress else asked.mode
    return _settings(asked.depends_on, mode.name, asked.give_up_minutes, asked.on_give_up, region)


def _settings(
    wanted: Sequence[Dependency], mode: str, limit: int | None, on_give_up: str, region: str
) -> dict[str, str]:
    """By their keys in UserParameters, as far as a rule keeps them. on_give_up counts only where
    there is a limit.
    """
    seen = [one.relative_to(region) for one in wanted]
    return {
        "depends_on": waits_for(seen),
        "parked": f"pass for {join_names([one.label for one in passes])}"
        if (passes := [one for one in seen if one.parked == "pass"])
        else "wait",
        "hold": mode,
        "give_up_minutes": str(limit or "none"),
        "on_give_up": on_give_up if limit else "none",
    }
