"""The end of the story in figures, and whether it went as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sandbox.story.snapshot import StorySnapshot

MAX_SECONDS_TO_RESTART = 2.0


def list_figures(last: StorySnapshot, invoked: Sequence[str], called: Sequence[str]) -> list[str]:
    """Sentences with the figures of a story that went as expected (`list_problems` returned none).

    `invoked` has the name of a function for each invocation, `called` for each AWS call.
    """
    runs, calls = Counter(invoked), Counter(called)
    functions = " and ".join(
        f"{calls[name]} by {name} in {_count_word(runs[name], 'invocation')}"
        for name in sorted(calls)
    )
    return [
        f"k8s started again {_count_seconds_to_restart(last):.1f} s after infra had finished.",
        "This took two executions of k8s: the held one, which failed, and one that succeeded.",
        f"The functions made {len(called)} AWS calls: {functions}.",
        "No rule is left.",
    ]


def list_problems(last: StorySnapshot) -> list[str]:
    """Sentences that say how the end differs from what is expected."""
    sentences = []
    for pipeline, expected in (("infra", ["Succeeded"]), ("k8s", ["Succeeded", "Failed"])):
        statuses = [execution.status for execution in last.executions(pipeline)]
        if statuses != expected:
            sentences.append(
                f"{pipeline} has executions {_join_words(statuses)} (newest first) instead of "
                f"{_join_words(expected)}"
            )
    if last.rules:
        sentences.append(f"EventBridge still has {_join_words([rule.name for rule in last.rules])}")
    if not sentences and not 0 <= _count_seconds_to_restart(last) <= MAX_SECONDS_TO_RESTART:
        sentences.append(
            f"k8s started {_count_seconds_to_restart(last):.1f} s after infra had finished instead "
            f"of 0 to {MAX_SECONDS_TO_RESTART:.0f} s"
        )
    return sentences


def _count_seconds_to_restart(last: StorySnapshot) -> float:
    return (last.executions("k8s")[0].started - last.executions("infra")[0].updated).total_seconds()


def _join_words(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


def _count_word(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
