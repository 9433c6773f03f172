"""After a wait was given up, or its rule was removed: what became of the upstreams since, and how
to go on all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chalicelib.phrases import join_names
from chalicelib.pipelines.execution import Attempt
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.facts import Facts, Story, keeping
from gatectl.explain.told import Way, retrying, starting

_BYPASS = re.compile(r'"bypass"\s*:\s*"#\{variables\.([^}]+)\}"')


def now(facts: Facts, story: Story) -> Iterator[str]:
    """How those stand now that it had waited for."""
    kept = [one.upstream for one in keeping(story.left)]
    if kept:
        yield f"As it is now: {describe_reasons(kept, facts.now)}"
    elif story.left:
        names = join_names([one.upstream.label for one in story.left])
        yield (
            f"As it is now, nothing of {names} keeps it any more: its gate lets it pass "
            "when it is asked again."
        )


def ways(facts: Facts, story: Story, gate: Attempt) -> Iterator[Way]:
    """Those that do not wait. `gate`: the attempt that held it."""
    declared = facts.gate_of(gate)
    if not keeping(story.left) or declared is None:
        return
    again = (
        starting(facts.name)
        if facts.edited_since(story.execution)
        else retrying(facts.name, gate.stage, story.execution.id)
    )
    yield Way(
        "go on all the same: ask the gate again, and when it waits, let it go",
        (again, ("gatectl", "release", facts.name)),
    )
    if variable := _BYPASS.search(declared.text):
        passing = (*starting(facts.name), "--variables", f"name={variable[1]},value=true")
        yield Way(
            "go on all the same, with a new execution that its gate lets pass without a look",
            (passing,),
        )
