"""`gatectl explain`: why is my pipeline waiting?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import click
from rich.text import Text

from chalicelib.account.waits import HoldRule
from chalicelib.holds.fate import Standing
from chalicelib.holds.hold import Hold
from chalicelib.phrases import format_time, join_names
from chalicelib.pipelines.execution import LOOK_BACK
from gatectl.completion import pipelines
from gatectl.doctor.finding import format_command
from gatectl.explain.ended import explain_end
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, UpstreamChain
from gatectl.explain.held import explain_hold
from gatectl.explain.in_progress import explain_open_gate, explain_progress
from gatectl.explain.reader import ExplainReader
from gatectl.explain.reasons import describe_next_check
from gatectl.explain.statement import Remedy, Statement
from gatectl.session import Place, add_options
from gatectl.wording import shorten_ids


@click.command()
@click.argument("pipeline", shell_complete=pipelines)
@click.option(
    "--execution",
    metavar="ID",
    help="Explain only this execution: its id, or the beginning of it.  [default: all that are "
    "waiting or running, or else the newest]",
)
@add_options
def explain(place: Place, pipeline: str, execution: str | None) -> None:
    """Explain why PIPELINE is waiting, or why it does not continue.

    It checks the current state in AWS, as the gate would, also of what the upstreams are waiting
    for. It changes nothing.
    """
    evidence = ExplainReader(place, datetime.now(UTC)).read_evidence(pipeline, execution)
    statements = list(list_statements(evidence))
    if place.json:
        place.show("", _build_json(place, evidence, statements))
        return
    for statement in statements:
        _show_statement(place, statement)


def list_statements(evidence: ExplainEvidence) -> Iterator[Statement]:
    """Yield the statements, the newest execution first."""
    name = evidence.name
    for story in evidence.stories:
        yield replace(_explain_execution(evidence, story), execution=story.execution.id)
    if not evidence.stories:
        yield Statement("idle", f"{name} has not run in the last {LOOK_BACK.days} days.")
    if evidence.omitted_count:
        yield Statement(
            "more",
            f"{evidence.omitted_count} more executions of {name} are waiting or running. To "
            "explain one of them, add --execution ID.",
        )
    yield from _explain_pipeline(evidence)
    for rule in evidence.rules:
        if rule.hold and evidence.fates[rule.name].standing is Standing.ENDED:
            yield _explain_leftover_rule(evidence, rule, rule.hold)
    explained = {gate.message for story in evidence.stories for gate in story.gates}
    for gate in evidence.pipeline.gates:
        if gate.problem and gate.problem not in explained:
            yield Statement(
                "would refuse",
                f"With its current parameters, the gate in the stage {gate.stage} refuses: "
                f"{gate.problem}",
            )


def _explain_execution(evidence: ExplainEvidence, story: ExecutionStory) -> Statement:
    if evidence.is_held(story):
        return explain_hold(evidence, story)
    if story.open_gate:
        return explain_open_gate(evidence, story, story.open_gate)
    if story.execution.running:
        return explain_progress(evidence, story)
    return explain_end(evidence, story)


def _explain_pipeline(evidence: ExplainEvidence) -> Iterator[Statement]:
    """Yield what a pipeline without a gate means: for itself, and for those waiting for it."""
    name, dependents = evidence.name, evidence.dependents
    is_held = any(evidence.is_held(story) for story in evidence.stories)
    no_gate = f"{name} has no gate, so it does not wait for other pipelines."
    if dependents:
        waiting = [
            f"{each.name} (since {format_time(each.since, evidence.now)})" for each in dependents
        ]
        verb = "is" if len(dependents) == 1 else "are"
        yield Statement(
            "waited for",
            f"{no_gate} {join_names(waiting)} {verb} waiting for it.",
            remedies=tuple(
                Remedy(f"see why {each.name} is waiting", (("gatectl", "explain", each.name),))
                for each in dependents[:3]
            ),
        )
    elif not evidence.pipeline.gates and is_held:
        headline = f"{name} no longer has a gate. New executions do not wait, but this hold stays."
        yield Statement("not gated", headline)
    elif not evidence.pipeline.gates:
        attach = Remedy("add a gate", (("gatectl", "attach", name, "--depends-on", "PIPELINE"),))
        yield Statement("not gated", no_gate, remedies=(attach,))


def _explain_leftover_rule(evidence: ExplainEvidence, rule: HoldRule, hold: Hold) -> Statement:
    reason = shorten_ids(evidence.fates[rule.name].reason)
    names = join_names([dependency.label for dependency in hold.depends_on])
    check = "next check" if hold.canceled_by else f"first check after the end of {names}"
    return Statement(
        "needless",
        f"The rule {rule.name} is left over from a hold that has ended: {reason}.",
        outlook=f"It is removed automatically at the {check}. "
        f"{describe_next_check(rule, evidence.now)}",
        execution=hold.execution,
    )


# Output


def _show_statement(place: Place, statement: Statement) -> None:
    headline, *paragraphs = statement.sentences
    place.console.print(Text(headline, style="bold"))
    for paragraph in paragraphs:
        place.console.print()
        place.console.print(Text(paragraph))
    if statement.remedies and statement.is_fine:
        place.console.print()
        place.console.print(Text("If you cannot wait:"))
    for remedy in statement.remedies:
        place.console.print()
        place.console.print(Text(f"To {remedy.to}:"))
        for line in _list_lines(place, remedy):
            # On one line, however wide the terminal is, so that it can be pasted.
            place.console.print(f"  {line}", style="cyan", markup=False, soft_wrap=True)
    place.console.print()


def _list_lines(place: Place, remedy: Remedy) -> list[str]:
    lines = [format_command(command, place.region, place.flags) for command in remedy.commands]
    return lines or [remedy.link]


def _build_json(
    place: Place, evidence: ExplainEvidence, statements: list[Statement]
) -> dict[str, object]:
    """Return the JSON output. Its keys are public."""
    stories = {story.execution.id: story for story in evidence.stories}
    return {
        "pipeline": evidence.name,
        "region": evidence.region,
        "gated": bool(evidence.pipeline.gates),
        "explained": [
            {
                "state": statement.state,
                "execution": statement.execution,
                "sentences": list(statement.sentences),
                "can": [
                    {
                        "to": remedy.to,
                        "commands" if remedy.commands else "links": _list_lines(place, remedy),
                    }
                    for remedy in statement.remedies
                ],
                **(
                    _build_story_json(evidence, stories[statement.execution])
                    if statement.execution in stories and statement.state != "needless"
                    else {}
                ),
            }
            for statement in statements
        ],
    }


def _build_story_json(evidence: ExplainEvidence, story: ExecutionStory) -> dict[str, object]:
    hold = story.hold
    return {
        "status": story.execution.status,
        "started": story.execution.started,
        "link": evidence.links.execution(evidence.name, story.execution.id),
        "rule": story.rule and story.rule.name,
        "since": hold and hold.since,
        "next_check": story.rule and story.rule.next_check(evidence.now),
        "give_up": hold and hold.give_up,
        "released_by": hold and hold.released_by,
        "canceled_by": hold and hold.canceled_by,
        "comment": hold and hold.comment,
        "waits_for": [_build_chain_json(chain) for chain in story.upstreams],
    }


def _build_chain_json(chain: UpstreamChain) -> dict[str, object]:
    upstream = chain.upstream
    return {
        "pipeline": upstream.dependency.pipeline,
        "require": upstream.dependency.require,
        "stage": upstream.dependency.stage,
        "satisfied": upstream.satisfied,
        "running": [execution.id for execution in upstream.blocking],
        "unknown": upstream.unanswered,
        "gone": upstream.missing,
        "waits": chain.waits or None,
        "waits_for": [_build_chain_json(next_chain) for next_chain in chain.chains],
    }
