"""Why a pipeline is waiting, along the whole chain of pipelines, and what a new start would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.account.gates import Gate
from chalicelib.account.waits import HoldRule
from chalicelib.holds.continuation import Continuation, list_sources
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.upstream import Upstream
from chalicelib.wording.continuation import describe_continuation
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, UpstreamChain, find_blocking
from gatectl.explain.statement import Remedy, build_start_command, offer_answer, offer_start

NO_RETRY = "AWS does not retry a stage once the pipeline has been edited"


def describe_causes(evidence: ExplainEvidence, story: ExecutionStory) -> tuple[str, ...]:
    """Return a paragraph for each upstream that keeps the execution waiting, and for its causes."""
    blocking = story.blocking
    paragraphs = [" ".join(_describe_chain(chain, evidence.now)) for chain in blocking]
    if any(find_blocking(chain.chains) for chain in blocking):
        ends = dict.fromkeys(end.label for chain in blocking for end in _find_ends(chain))
        paragraphs.append(f"Ultimately, {evidence.name} is waiting for {join_names(list(ends))}.")
    missing = [chain.label for chain in story.upstreams if chain.upstream.missing]
    if missing:
        paragraphs.append(
            f"{join_names(missing)} no longer {'exists' if len(missing) == 1 else 'exist'}. The "
            "gate says so at its next check."
        )
    if any(chain.upstream.unanswered for chain in blocking):
        # What the gate saw, but the caller may not read now.
        paragraphs += [
            "The gate may have access. At "
            f"{format_time(gate.started, evidence.now)} it said: {gate.message}"
            for gate in [gate for gate in story.gates if gate.message][-1:]
        ]
    return tuple(paragraphs)


def describe_story_revisions(
    evidence: ExplainEvidence, story: ExecutionStory, continuation: Continuation | None = None
) -> str:
    """Return a sentence with the revisions with which it continues, and a space; "" if AWS does not
    tell them. `continuation`: None if the same execution does.
    """
    revisions = describe_continuation(
        continuation, story.execution.revisions, list_sources(story.attempts)
    )
    return f"{evidence.name} continues with {revisions}. " if revisions else ""


def describe_upstream(upstream: Upstream, now: datetime) -> str:
    """Return why it keeps a pipeline waiting, or that this caller could not read it."""
    if upstream.unanswered is not None:
        return f"gatectl could not check {upstream.label}: {upstream.unanswered}."
    return describe_reasons([upstream], now)


def _describe_chain(chain: UpstreamChain, now: datetime) -> Iterator[str]:
    yield describe_upstream(chain.upstream, now)
    if chain.waits == "in place":
        names = join_names([upstream.label for upstream in chain.chains])
        yield f"It is itself waiting at its gate for {names}."
    blocking = find_blocking(chain.chains)
    for upstream in blocking:
        yield from _describe_chain(upstream, now)
    if chain.waits and not blocking:
        yield f"Nothing keeps {chain.label} waiting anymore, so it continues automatically."


def _find_ends(chain: UpstreamChain) -> Iterator[UpstreamChain]:
    blocking = find_blocking(chain.chains)
    for upstream in blocking:
        yield from _find_ends(upstream)
    if not blocking:
        yield chain


def offer_human_actions(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[Remedy]:
    """Yield what people have to do before the upstreams at the ends of the chains continue."""
    for end in [end for chain in story.blocking for end in _find_ends(chain)]:
        dependency = end.upstream.dependency
        answer = offer_answer(end.upstream, evidence.links.pipeline(end.name))
        if answer:
            yield answer
        elif (
            end.upstream.idle
            and dependency.region in (None, evidence.region)
            and dependency.role_arn is None
        ):
            yield offer_start(
                end.name, f"start {end.label}, which has to succeed and is not running"
            )


def describe_next_check(rule: HoldRule, now: datetime) -> str:
    next_check = rule.next_check(now)
    if next_check is None:
        return "Its rule has no schedule, so there is no regular check."
    return f"The next regular check is at {format_time(next_check, now)}."


# What a new start would do


def offer_new_start(evidence: ExplainEvidence, reason: str = "") -> Remedy:
    """`reason`: why nothing less than a new start will do."""
    notes = [_describe_gates(evidence.pipeline.gates, evidence.region), reason]
    return offer_start(evidence.name, f"start a new execution ({'; '.join(filter(None, notes))})")


def offer_start_and_release(evidence: ExplainEvidence, reason: str) -> Remedy:
    """`reason`: why the held execution itself cannot be released."""
    to = f"continue now anyway: start it, and release it when it waits at its gate ({reason})"
    return Remedy(to, (build_start_command(evidence.name), ("gatectl", "release", evidence.name)))


def _describe_gates(gates: Sequence[Gate], region: str) -> str:
    if not gates:
        return "it has no gate now, so nothing holds it"
    if any(gate.problem for gate in gates):
        return "its gate refuses with its current parameters"
    holding = [gate.parameters for gate in gates if gate.parameters and not gate.parameters.observe]
    dependencies = {
        dependency.relative_to(region): None
        for parameters in holding
        for dependency in parameters.depends_on
    }
    return (
        f"its gate waits for {_describe_dependencies(list(dependencies))}"
        if dependencies
        else "its gate only observes"
    )


def _describe_dependencies(dependencies: Sequence[Dependency]) -> str:
    """ "infra", "infra to succeed", "infra, and for network to succeed"."""
    idle = [dependency.label for dependency in dependencies if dependency.require == "idle"]
    succeeded = [dependency.label for dependency in dependencies if dependency.require != "idle"]
    parts = [join_names(idle)] if idle else []
    if succeeded:
        parts.append(f"{join_names(succeeded)} to succeed")
    return ", and for ".join(parts)


def describe_changes(evidence: ExplainEvidence, story: ExecutionStory, hold: Hold) -> Iterator[str]:
    """Yield which parameters of the gate have changed since it created this hold."""
    gates = [evidence.find_gate(attempt) for attempt in story.gates if attempt.status == "Failed"]
    declared = next((gate.parameters for gate in gates if gate and gate.parameters), None)
    if declared is None:
        return
    minutes = round((hold.give_up - hold.since).total_seconds() / 60) if hold.give_up else None
    # A rule takes over a long wait in the mode wait.
    mode = hold.mode if declared.mode.stays_in_progress else declared.mode
    changes = {
        "depends_on": {each.relative_to(evidence.region) for each in hold.depends_on}
        != {each.relative_to(evidence.region) for each in declared.depends_on},
        "hold": hold.mode != mode,
        "give_up_minutes": minutes != declared.give_up_minutes,
        "on_give_up": minutes
        and declared.give_up_minutes
        and hold.on_give_up != declared.on_give_up,
    }
    if keys := [key for key, changed in changes.items() if changed]:
        yield (
            f"Its gate has been changed since then: {join_names(keys)}. This hold keeps the old "
            "parameters, and new executions use the new ones."
        )
