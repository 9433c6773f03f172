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
from gatectl.completion import pipelines
from gatectl.doctor.finding import format_command
from gatectl.explain.ended import explain_end
from gatectl.explain.evidence import ExecutionStory, ExplainEvidence, UpstreamChain
from gatectl.explain.held import explain_hold
from gatectl.explain.in_progress import explain_open_gate, explain_progress
from gatectl.explain.reader import ExplainReader
from gatectl.explain.statement import Remedy, Statement
from gatectl.session import Place, add_options
from gatectl.wording import shorten_ids


@click.command()
@click.argument("pipeline", shell_complete=pipelines)
@click.option(
    "--execution",
    metavar="ID",
    help="Its id, or how that begins.  [default: all that wait or run, else the newest]",
)
@add_options
def explain(place: Place, pipeline: str, execution: str | None) -> None:
    """Why PIPELINE waits, or why it does not go on: in sentences.

    It asks AWS now, as the gate would, along the whole chain of those that wait for each other. It
    reads only.
    """
    evidence = ExplainReader(place, datetime.now(UTC)).read_evidence(pipeline, execution)
    statements = list(list_statements(evidence))
    if place.json:
        place.show("", _build_json(place, evidence, statements))
        return
    for statement in statements:
        _show_statement(place, statement)


def list_statements(evidence: ExplainEvidence) -> Iterator[Statement]:
    """Yield everything that is to be said, the newest execution first."""
    name = evidence.name
    for story in evidence.stories:
        yield replace(_explain_execution(evidence, story), execution=story.execution.id)
    if not evidence.stories:
        yield Statement("idle", f"{name} has not run, as far back as AWS tells.")
    if evidence.omitted_count:
        yield Statement(
            "more",
            f"{evidence.omitted_count} more executions of {name} wait or run: --execution ID "
            "tells of one.",
        )
    yield from _explain_pipeline(evidence)
    for rule in evidence.rules:
        if rule.hold and evidence.fates[rule.name].standing is Standing.ENDED:
            yield _explain_needless_rule(evidence, rule, rule.hold)
    explained = {gate.message for story in evidence.stories for gate in story.gates}
    for gate in evidence.pipeline.gates:
        if gate.problem and gate.problem not in explained:
            yield Statement(
                "would refuse",
                f"As it is declared now, the gate in the stage {gate.stage} refuses what it is "
                f"asked: {gate.problem}",
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
    """What follows for a pipeline without a gate."""
    name, dependents = evidence.name, evidence.dependents
    is_held = any(evidence.is_held(story) for story in evidence.stories)
    no_gate = f"{name} has no gate: it waits for no other pipeline."
    if dependents:
        waiting = [
            f"{each.name} (since {format_time(each.since, evidence.now)})" for each in dependents
        ]
        waits = "waits" if len(dependents) == 1 else "wait"
        yield Statement(
            "waited for",
            f"{no_gate} {join_names(waiting)} {waits} for it.",
            remedies=tuple(
                Remedy(f"see why {each.name} waits", (("gatectl", "explain", each.name),))
                for each in dependents[:3]
            ),
        )
    elif not evidence.pipeline.gates and is_held:
        headline = (
            f"{name} has no gate any more: its next executions wait for nobody. This hold stays "
            "until it ends."
        )
        yield Statement("not gated", headline)
    elif not evidence.pipeline.gates:
        attach = Remedy("give it one", (("gatectl", "attach", name, "--depends-on", "PIPELINE"),))
        yield Statement("not gated", no_gate, remedies=(attach,))


def _explain_needless_rule(evidence: ExplainEvidence, rule: HoldRule, hold: Hold) -> Statement:
    next_check = rule.next_check(evidence.now)
    looks = f" It looks next at {format_time(next_check, evidence.now)}." if next_check else ""
    reason = shorten_ids(evidence.fates[rule.name].reason)
    names = join_names([dependency.label for dependency in hold.depends_on])
    return Statement(
        "needless",
        f"The rule {rule.name} is left of a hold that nobody needs any more: {reason}.",
        outlook=f"It goes by itself at its first look after the end of {names}.{looks}",
        execution=hold.execution,
    )


# How it is shown


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
            # As one line, however wide the terminal is: so it can be pasted.
            place.console.print(f"  {line}", style="cyan", markup=False, soft_wrap=True)
    place.console.print()


def _list_lines(place: Place, remedy: Remedy) -> list[str]:
    lines = [format_command(command, place.region, place.flags) for command in remedy.commands]
    return lines or [remedy.link]


def _build_json(
    place: Place, evidence: ExplainEvidence, statements: list[Statement]
) -> dict[str, object]:
    """The keys are public."""
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
        "waits_for": [_build_chain_json(behind) for behind in chain.chains],
    }
