"""How a held execution continues when its wait is over: with what was held. Pure.

A new execution takes the latest revisions unless its start names others. That is right after an
ordinary push, because a newer push would have started an execution of its own. Any other execution
continues with the revisions that it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from chalicelib.pipelines.execution import (
    PARALLEL,
    ROLLBACK,
    Attempt,
    Execution,
    Origin,
    Revision,
    SourceOutput,
)

BY_TRIGGER = "by trigger"
"""What a rule's Input has as `revisions` if the gate's parameters do not have the key: what started
the execution decides. Rules from before that rule have none: only PARALLEL mode keeps revisions.
"""
PUSHES = frozenset(
    {"CreatePipeline", "PollForSourceChanges", "Webhook", "CloudWatchEvent", "PutActionRevision"}
)
"""The triggers of executions that take the latest revisions (model: TriggerType)."""
GIT_TRIGGER = "WebhookV2"
"""The trigger of executions that a pipeline's `triggers` start. If these have filters, it fetches a
commit that a start would not take (guide: pipelines-filter).
"""
START = "StartPipelineExecution"


class Way(Enum):
    """`SAME_EXECUTION`: its stage is retried, which keeps revisions, variables and trigger.
    `HELD_REVISIONS`, `LATEST_REVISIONS`: a new execution starts with these.
    """

    SAME_EXECUTION = "same execution"
    HELD_REVISIONS = "held revisions"
    LATEST_REVISIONS = "latest revisions"


@dataclass(frozen=True)
class Continuation:
    """How a held execution continues. `revisions`: those to start with; none: the latest.
    `obstacle`: why a new execution would not be what was held, if it is the same execution.
    """

    way: Way
    revisions: tuple[Revision, ...] = ()
    obstacle: str = ""


def find_way(origin: Origin, revisions: str | None, retry_function: str) -> Way | None:
    """Return how an execution of this origin continues in a mode that starts over; None if that
    depends on the pipeline's triggers, or on what it was started again from.

    `revisions`: as in Hold.
    """
    if origin.kind == ROLLBACK:
        return Way.SAME_EXECUTION
    if revisions == "latest":
        return Way.LATEST_REVISIONS
    if revisions == "held" or origin.mode == PARALLEL:
        return Way.HELD_REVISIONS
    if revisions is None:
        return Way.LATEST_REVISIONS
    if origin.trigger == GIT_TRIGGER or is_restart(origin, retry_function):
        return None
    # Better the held revisions than others, if AWS does not tell the trigger or has a new one.
    return Way.LATEST_REVISIONS if origin.trigger in PUSHES else Way.HELD_REVISIONS


def depends_on_triggers(origin: Origin, revisions: str | None, retry_function: str) -> bool:
    """Whether only the pipeline's structure tells how an execution of this origin continues."""
    is_open = find_way(origin, revisions, retry_function) is None
    return is_open and origin.trigger == GIT_TRIGGER


def is_restart(origin: Origin, retry_function: str) -> bool:
    """Whether the retry function started it (practice: a function's session is named after it)."""
    return origin.trigger == START and origin.started_by.endswith(f"/{retry_function}")


def has_filters(declared: Mapping[str, Any]) -> bool:
    """Whether a pipeline's triggers have filters (model: GitConfiguration)."""
    configurations = [
        trigger.get("gitConfiguration", {}) for trigger in declared.get("triggers") or ()
    ]
    return any(each.get("push") or each.get("pullRequest") for each in configurations)


def find_continuation(
    held: Execution,
    revisions: str | None,
    attempts: Sequence[Attempt],
    executions: Sequence[Execution],
    retry_function: str,
    *,
    filtered: bool | None = None,
) -> Continuation:
    """Return how a held execution continues in a mode that starts over.

    `revisions`: as in Hold. `attempts`: those of its actions. `executions`: of its pipeline, newest
    first, as far as they were read. `filtered`: whether the pipeline's triggers have filters; None
    if that was not or could not be read.
    """
    way = find_way(held.origin, revisions, retry_function)
    if way is None and held.trigger == GIT_TRIGGER:
        if filtered is None:
            return _retry("the pipeline's triggers could not be read")
        if filtered:
            return _retry("a trigger with filters started it, and a start would not do the same")
        way = Way.LATEST_REVISIONS
    if way is None:
        way = _find_way_of_restart(held, executions, retry_function)
    if way is Way.SAME_EXECUTION:
        return _retry("it is a rollback, and a new execution would not roll back")
    if way is Way.LATEST_REVISIONS:
        # A source that takes several objects has a latest revision of each.
        obstacle = _find_open_key(attempts) if revisions == BY_TRIGGER else ""
        return _retry(obstacle) if obstacle else Continuation(way)
    if obstacle := _find_unknown_revision(held, attempts) or _find_open_key(attempts):
        return _retry(obstacle)
    return Continuation(way, choose_revisions(held, attempts))


def _retry(obstacle: str) -> Continuation:
    return Continuation(Way.SAME_EXECUTION, obstacle=obstacle)


def _find_way_of_restart(
    restart: Execution, executions: Sequence[Execution], retry_function: str
) -> Way:
    """A restart keeps on as it was started: with the latest revisions, or with held ones.

    AWS does not tell which. If it was held ones, they are those of an older execution that a push
    did not start, or of none that was read.
    """
    ids = [execution.id for execution in executions]
    older = executions[ids.index(restart.id) + 1 :] if restart.id in ids else ()
    keepers = [
        execution
        for execution in older
        if execution.trigger not in (*PUSHES, GIT_TRIGGER)
        and not is_restart(execution.origin, retry_function)
    ]
    is_copy = any(_share_revisions(restart, keeper) for keeper in keepers)
    return Way.HELD_REVISIONS if is_copy or not older else Way.LATEST_REVISIONS


def _share_revisions(first: Execution, second: Execution) -> bool:
    """Whether they took the same revision of each source that both have."""
    return all(
        second.revisions.get(action, revision) == revision
        for action, revision in first.revisions.items()
    )


def _find_unknown_revision(held: Execution, attempts: Sequence[Attempt]) -> str:
    """Return that AWS does not tell a revision; "" if it tells all."""
    actions = [*held.revisions, *list_sources(attempts)]
    unknown = [action for action in actions if not held.revisions.get(action)]
    if held.revisions and not unknown:
        return ""
    name = f"its source {unknown[0]}" if unknown else "its sources"
    return f"AWS does not tell which revision {name} took"


def _find_open_key(attempts: Sequence[Attempt]) -> str:
    """Return that a start could take another S3 object; "" if it could not."""
    for action, source in list_sources(attempts).items():
        if source.allows_other_keys:
            return f"its source {action} may have taken another S3 key than a start would"
    return ""


def list_sources(attempts: Sequence[Attempt]) -> dict[str, SourceOutput]:
    """Return what each source action of an execution took, by the action's name."""
    return {attempt.action: attempt.source for attempt in attempts if attempt.source}


def choose_revisions(held: Execution, attempts: Sequence[Attempt]) -> tuple[Revision, ...]:
    """Return the revisions that the held execution took, to start with."""
    providers = {attempt.action: attempt.provider for attempt in attempts}
    return tuple(
        Revision(action, providers.get(action, ""), revision)
        for action, revision in held.revisions.items()
    )


def list_needed_variables(held: Mapping[str, str], declared: Mapping[str, Any]) -> list[str]:
    """Return the variables that a start needs to have the values of the held execution, by name.

    `declared`: the pipeline's structure. A start takes no others than it declares, and has their
    default values anyway.
    """
    defaults = {
        variable["name"]: variable.get("defaultValue") for variable in declared.get("variables", ())
    }
    return [
        name
        for name, value in held.items()
        if name in defaults and value and value != defaults[name]
    ]
