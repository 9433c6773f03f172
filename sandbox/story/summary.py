"""The end of the story in figures, and whether it went as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sandbox.story.look import Look

MOST_SECONDS_TO_RESTART = 2.0


def figures(last: Look, invoked: Sequence[str], called: Sequence[str]) -> list[str]:
    """Sentences with the figures of a story that went as told (`problems` found none).

    `invoked`: the functions' names, one an invocation; `called`: the same, one an AWS call.
    """
    restart, held = last.executions("k8s")
    waited = (restart.started - held.updated).total_seconds()
    runs, calls = Counter(invoked), Counter(called)
    functions = " and ".join(
        f"{calls[name]} by {name} in {_times(runs[name], 'invocation')}" for name in sorted(calls)
    )
    return [
        f"k8s waited {waited:.1f} s for infra, and started again {_seconds_to_restart(last):.1f} "
        "s after infra's end.",
        "It took two executions of k8s: one failed (held), one succeeded.",
        f"The functions made {len(called)} AWS calls: {functions}.",
        "No rule is left.",
    ]


def problems(last: Look) -> list[str]:
    """Sentences that say where AWS does not look as it should at the end; none where all is
    well.
    """
    found = []
    for pipeline, expected in (("infra", ["Succeeded"]), ("k8s", ["Succeeded", "Failed"])):
        statuses = [execution.status for execution in last.executions(pipeline)]
        if statuses != expected:
            found.append(
                f"{pipeline} has executions {_listed(statuses)} (newest first) instead of "
                f"{_listed(expected)}"
            )
    if last.rules:
        found.append(f"EventBridge still has {_listed([rule.name for rule in last.rules])}")
    if not found and not 0 <= _seconds_to_restart(last) <= MOST_SECONDS_TO_RESTART:
        found.append(
            f"k8s started {_seconds_to_restart(last):.1f} s after infra's end instead of 0 to "
            f"{MOST_SECONDS_TO_RESTART:.0f} s"
        )
    return found


def _seconds_to_restart(last: Look) -> float:
    return (last.executions("k8s")[0].started - last.executions("infra")[0].updated).total_seconds()


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


def _times(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
