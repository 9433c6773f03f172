"""Why a pipeline waits, down to the pipelines that really work; and what a start would meet: the
gate as it stands now, which may differ from the gate that made the hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.account.gates import Gate
from chalicelib.holds.hold import Hold
from chalicelib.parameters import Parameters
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.wording.reasons import describe_reasons
from gatectl.explain.evidence import (
    ExecutionStory,
    ExplainEvidence,
    UpstreamChain,
    find_blocking,
)
from gatectl.explain.statement import (
    Remedy,
    build_start_command,
    offer_answer,
    offer_start,
)

NO_RETRY = "AWS retries no stage of a pipeline that was edited since"


def describe_causes(evidence: ExplainEvidence, story: ExecutionStory) -> tuple[str, ...]:
    """A paragraph for each upstream that keeps the execution waiting, with everything that keeps
    that upstream waiting; and what it all depends on.
    """
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
        paragraphs += _quote_gate(evidence, story)
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


def _quote_gate(evidence: ExplainEvidence, story: ExecutionStory) -> list[str]:
    """What the gate saw, which the caller may not see now."""
    messages = [(gate.started, gate.message) for gate in story.gates if gate.message]
    return [
        f"The gate may see more. At {format_time(moment, evidence.now)} it said: {text}"
        for moment, text in messages[-1:]
    ]


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
        f", so that it asks its gate, which waits for {describe_dependencies(list(dependencies))}"
        if dependencies
        else ": its gate only observes"
    )


def describe_dependencies(dependencies: Sequence[Dependency]) -> str:
    """ "infra", "a success of infra", "infra, and a success of network"."""
    idle = [dependency.label for dependency in dependencies if dependency.require == "idle"]
    succeeded = [dependency.label for dependency in dependencies if dependency.require != "idle"]
    return ", and ".join(
        [
            *([join_names(idle)] if idle else []),
            *([f"a success of {join_names(succeeded)}"] if succeeded else []),
        ]
    )


def describe_changes(evidence: ExplainEvidence, story: ExecutionStory, hold: Hold) -> Iterator[str]:
    """What the gate's parameters are now, if they differ from those that made this hold."""
    gates = [evidence.find_gate(attempt) for attempt in story.gates if attempt.status == "Failed"]
    parameters = next((gate.parameters for gate in gates if gate and gate.parameters), None)
    if parameters is None:
        return
    kept = _list_hold_settings(hold, evidence.region)
    declared = _list_gate_settings(parameters, hold, evidence.region)
    changes = [
        f"{key} {kept[key]} (now {declared[key]})" for key in kept if kept[key] != declared[key]
    ]
    if changes:
        yield (
            "Its gate was changed since. This hold keeps to what was asked when it "
            f"began: {join_names(changes)}. What starts anew asks as it is now."
        )


def _list_hold_settings(hold: Hold, region: str) -> dict[str, str]:
    minutes = round((hold.give_up - hold.since).total_seconds() / 60) if hold.give_up else None
    return _list_settings(hold.depends_on, hold.mode.name, minutes, hold.on_give_up, region)


def _list_gate_settings(parameters: Parameters, hold: Hold, region: str) -> dict[str, str]:
    # A rule takes over from a long wait in place.
    mode = hold.mode if parameters.mode.stays_in_progress else parameters.mode
    return _list_settings(
        parameters.depends_on,
        mode.name,
        parameters.give_up_minutes,
        parameters.on_give_up,
        region,
    )


def _list_settings(
    depends_on: Sequence[Dependency],
    mode: str,
    give_up_minutes: int | None,
    on_give_up: str,
    region: str,
) -> dict[str, str]:
    """By their keys in UserParameters, as far as a rule keeps them. on_give_up counts only together
    with give_up_minutes.
    """
    dependencies = [dependency.relative_to(region) for dependency in depends_on]
    passing = [dependency.label for dependency in dependencies if dependency.parked == "pass"]
    return {
        "depends_on": describe_dependencies(dependencies),
        "parked": f"pass for {join_names(passing)}" if passing else "wait",
        "hold": mode,
        "give_up_minutes": str(give_up_minutes or "none"),
        "on_give_up": on_give_up if give_up_minutes else "none",
    }
