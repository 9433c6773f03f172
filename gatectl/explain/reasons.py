"""Why a pipeline waits, down to the pipelines that really work, and what a start would meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.account.gates import Gate
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, UpstreamChain, find_blocking
from gatectl.explain.statement import Remedy, build_start_command, offer_answer, offer_start

NO_RETRY = "AWS retries no stage of a pipeline that was edited since"


def describe_causes(evidence: ExplainEvidence, story: ExecutionStory) -> tuple[str, ...]:
    """A paragraph for each upstream that keeps the execution waiting, and what that depends on."""
    blocking = story.blocking
    paragraphs = [" ".join(_describe_chain(chain, evidence.now)) for chain in blocking]
    if any(find_blocking(chain.chains) for chain in blocking):
        ends = dict.fromkeys(end.label for chain in blocking for end in _find_ends(chain))
        paragraphs.append(f"In the end it all hangs on {join_names(list(ends))}.")
    missing = [chain.label for chain in story.upstreams if chain.upstream.missing]
    if missing:
        paragraphs.append(
            f"{join_names(missing)} {'is' if len(missing) == 1 else 'are'} not there any more: the "
            "gate that is asked next says so."
        )
    if any(chain.upstream.unanswered for chain in blocking):
        # What the gate saw, which the caller may not see now.
        paragraphs += [
            f"The gate may see more. At {format_time(gate.started, evidence.now)} it said: "
            f"{gate.message}"
            for gate in [gate for gate in story.gates if gate.message][-1:]
        ]
    return tuple(paragraphs)


def _describe_chain(chain: UpstreamChain, now: datetime) -> Iterator[str]:
    yield describe_reasons([chain.upstream], now)
    if chain.waits == "in place":
        names = join_names([upstream.label for upstream in chain.chains])
        yield f"It waits itself, at its gate, for {names}."
    blocking = find_blocking(chain.chains)
    for upstream in blocking:
        yield from _describe_chain(upstream, now)
    if chain.waits and not blocking:
        yield f"Nothing keeps {chain.label} any more: it goes on by itself."


def _find_ends(chain: UpstreamChain) -> Iterator[UpstreamChain]:
    blocking = find_blocking(chain.chains)
    for upstream in blocking:
        yield from _find_ends(upstream)
    if not blocking:
        yield chain


def offer_human_actions(evidence: ExplainEvidence, story: ExecutionStory) -> Iterator[Remedy]:
    """What people have to do before those upstreams go on that wait for nothing else."""
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
                end.name, f"start {end.label}, whose success is waited for: it does not run"
            )


# What a start would meet


def offer_new_start(evidence: ExplainEvidence, suffix: str = "") -> Remedy:
    """To start the pipeline; `suffix`: what to add to that."""
    meets = _describe_gates(evidence.pipeline.gates, evidence.region)
    return offer_start(evidence.name, f"start it anew{meets}{suffix}")


def offer_start_and_release(evidence: ExplainEvidence, reason: str) -> Remedy:
    """To start a gated pipeline and release the new execution; `reason`: why not the held one."""
    to = f"go on all the same: start it anew, and when it waits at its gate, let it go ({reason})"
    return Remedy(to, (build_start_command(evidence.name), ("gatectl", "release", evidence.name)))


def _describe_gates(gates: Sequence[Gate], region: str) -> str:
    if not gates:
        return ": it has no gate now, so nothing holds it"
    if any(gate.problem for gate in gates):
        return ", so that it asks its gate, which refuses what it is asked now"
    holding = [gate.parameters for gate in gates if gate.parameters and not gate.parameters.observe]
    dependencies = {
        dependency.relative_to(region): None
        for parameters in holding
        for dependency in parameters.depends_on
    }
    return (
        f", so that it asks its gate, which waits for {_describe_dependencies(list(dependencies))}"
        if dependencies
        else ": its gate only observes"
    )


def _describe_dependencies(dependencies: Sequence[Dependency]) -> str:
    """ "infra", "a success of infra", "infra, and a success of network"."""
    idle = [dependency.label for dependency in dependencies if dependency.require == "idle"]
    succeeded = [dependency.label for dependency in dependencies if dependency.require != "idle"]
    parts = [join_names(idle)] if idle else []
    if succeeded:
        parts.append(f"a success of {join_names(succeeded)}")
    return ", and ".join(parts)


def describe_changes(evidence: ExplainEvidence, story: ExecutionStory, hold: Hold) -> Iterator[str]:
    """Which of the gate's parameters are no longer those that made this hold, by their keys."""
    gates = [evidence.find_gate(attempt) for attempt in story.gates if attempt.status == "Failed"]
    declared = next((gate.parameters for gate in gates if gate and gate.parameters), None)
    if declared is None:
        return
    minutes = round((hold.give_up - hold.since).total_seconds() / 60) if hold.give_up else None
    # A rule takes over from a long wait in place.
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
            f"Its gate was changed since: {join_names(keys)}. This hold keeps to what was asked "
            "when it began. What starts anew asks as it is now."
        )
