"""What to bear in mind with these figures: pure functions of what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.holds.making import LONGEST_WAIT_IN_PROGRESS
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.history.findings import Findings
from gatectl.history.reading import Past
from gatectl.wording import lasting, number

LONG = timedelta(days=1)
"""Hardly any pipeline works so long: it waited for a person, or was retried."""
FEW = 10
"""From fewer executions a share says little."""


def cautions(
    pipeline: Past, upstreams: Sequence[Past], asked: datetime, now: datetime, findings: Findings
) -> tuple[str, ...]:
    """A sentence or two for each; `asked`: since when the figures were to be."""
    return (
        *_of_pipeline(pipeline, asked, now),
        *(
            text
            for one in upstreams
            for text in _of_upstream(one, pipeline, max(asked, pipeline.created))
        ),
        *_of_figures(findings),
    )


def of_its_own_gate(pipeline: Past) -> Iterator[str]:
    """What the figures leave out, and so how they are to be read at all."""
    held = (
        f"{number(pipeline.held, 'execution')} that it held did no work, and "
        f"{'is' if pipeline.held == 1 else 'are'} left out here."
    )
    if pipeline.gates:
        others = join_names(
            list(
                dict.fromkeys(
                    one.label
                    for gate in pipeline.gates
                    if gate.parameters
                    for one in gate.parameters.depends_on
                )
            )
        )
        yield (
            f"{pipeline.label} has a gate already{f', for {others}' if others else ''}. "
            f"{held if pipeline.held else 'It failed none to hold it.'} "
            "One that it kept in place, or whose stage it retried, counts as at work all the while."
        )
    elif pipeline.held:
        yield f"{pipeline.label} had a gate in this time. {held}"


def of_entries(wanted: Sequence[Dependency]) -> Iterator[str]:
    """Of what is asked of single upstreams, and cannot be reckoned for them alone."""
    demanding = [one.label for one in wanted if one.require == "succeeded"]
    if 0 < len(demanding) < len(wanted):
        yield (
            f"Success is required of {join_names(demanding)} only. Here, idle and succeeded are each "
            "required of all: a gate as you ask for it "
            "holds no less than with idle, and no more than with succeeded."
        )
    if passed := [one.label for one in wanted if one.parked == "pass"]:
        yield (
            f'{join_names(passed)} may pass while only a person is waited for ("parked": "pass"). AWS '
            "does not tell when that was, so the whole "
            "execution counts as at work: the gate would have held less."
        )


def _of_pipeline(pipeline: Past, asked: datetime, now: datetime) -> Iterator[str]:
    name = pipeline.label
    if pipeline.created > asked:
        yield (
            f"{name} is there since {pipeline.created:%Y-%m-%d %H:%M} UTC only: that is "
            f"{lasting(now - pipeline.created)}."
        )
    if not pipeline.executions and not pipeline.held:
        yield f"{name} has not run in this time, so there is nothing that a gate would have held."


def _of_upstream(upstream: Past, pipeline: Past, since: datetime) -> Iterator[str]:
    name = upstream.label
    within = [one for one in upstream.executions if one.updated >= since]
    if not upstream.executions:
        yield (
            f"{name} has never run, as far as AWS tells: a gate that requires idle holds nothing "
            "for it, and one that requires succeeded "
            "holds everything until its first success."
        )
    elif upstream.created > since:
        yield f"{name} is there since {upstream.created:%Y-%m-%d %H:%M} UTC only."
    elif not within:
        last = upstream.executions[-1]
        yield (
            f"{name} has not run in this time: its last execution {last.status} on "
            f"{last.updated:%Y-%m-%d}."
        )
    if upstream.gates:
        yield (
            f"{name} has a gate itself. While it is held, the gate of {pipeline.label} "
            "waits for it too; that is not counted here."
        )
    if long := [one for one in within if one.updated - one.started > LONG]:
        longest = max(long, key=lambda one: one.updated - one.started)
        yield (
            f"{number(len(long), 'execution')} of {name} took longer than a day "
            f"({longest.short_id} took "
            f"{lasting(longest.updated - longest.started)}), so it waited for a person, in which "
            '"parked": "pass" opens the gate, or was '
            "retried later, and was idle in between; AWS does not tell which. Here it counts as "
            "at work all the while."
        )
    if upstream.region != pipeline.region:
        yield (
            f"{name} runs in another region: unless its events are forwarded (docs/elsewhere.md), "
            "what waits for it goes on up to "
            "`retry_minutes` later than is said here."
        )


def _of_figures(findings: Findings) -> Iterator[str]:
    if findings.overlapping.failed and findings.overlapping.finished < FEW:
        few = number(findings.overlapping.finished, "execution")
        yield f"Only {few} overlapped and came to a result: with so few, the share may be chance."
    for policy in findings.policies:
        if long := sum(wait > LONGEST_WAIT_IN_PROGRESS for wait in policy.waits):
            yield (
                f"A gate that requires {policy.require} would have held "
                f"{number(long, 'execution')} longer than 23 hours. With hold wait, "
                "that is when a rule takes over, and they fail all the same, as with restart."
            )
