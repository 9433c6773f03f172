"""`gatectl history`: from the account's past, what this gate would have done. It only reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console, Group
from rich.text import Text

from chalicelib.errors import Misconfigured
from chalicelib.pipelines import dependency
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.execution import NAME
from gatectl import completion, names
from gatectl.history.cautions import cautions, of_entries, of_its_own_gate
from gatectl.history.findings import find
from gatectl.history.labels import plain
from gatectl.history.overview import overview
from gatectl.history.reading import Past, Reading
from gatectl.history.report import Report
from gatectl.history.strips import LEGEND, WORST, drawn, strips
from gatectl.history.told import notes, told
from gatectl.session import Place, Refused, options
from gatectl.upstreams import Entry, entries

MOST_DAYS = 365
"""CodePipeline keeps executions for 12 months (model: ListPipelineExecutionsInput)."""


@click.command()
@click.argument("pipeline", shell_complete=completion.pipelines)
@click.option(
    "--depends-on",
    "depends_on",
    multiple=True,
    required=True,
    metavar="PIPELINE",
    shell_complete=completion.upstreams,
    help="What it would wait for: a name, an ARN of another region, or an object as for attach. "
    "Several: again, or with commas.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=90,
    show_default=True,
    help="How far back; AWS keeps 12 months.",
)
@options
def history(place: Place, pipeline: str, depends_on: tuple[str, ...], days: int) -> None:
    """Reckon from the past what a gate in PIPELINE would do.

    From the executions that AWS still knows: how often PIPELINE ran while others ran, which of these failed, how often and how long a
    gate would have held it, whatever it requires and however it holds. No gate need be installed. It reads only, and changes nothing.

    \b
    Example: gatectl history k8s --depends-on infra --days 90

    \b
    With --json, an object. Times are ISO 8601 in UTC; what has not ended yet ends with null.
      pipeline, mode, since, until
      executions, overlapping, began_while_upstream_ran, apart
                  each {count, finished, failed}; finished: came to a result
      upstreams   [{pipeline, arn, count, finished, failed}]
      policies    [{require, held, still_held, median_seconds, longest_seconds, total_seconds, holds, ways}]
        holds     [{execution, since, until, seconds}]
        ways      [{hold, failed, go_on, replaced, waiting, overlapping, executions}]; executions: those that go on
      overlaps    [{execution, status, started, ended, upstreams: [{pipeline, execution, status, started, ended}]}]
      warnings    sentences
    """
    now = datetime.now(UTC)
    asked = now - timedelta(days=days)
    wanted = list({one.pipeline: one for one in map(_dependency, entries(depends_on))}.values())
    if not re.fullmatch(NAME, pipeline):
        raise names.no_such_pipeline(place, pipeline)
    here = Reading(place, None, asked, now)
    stands = here.pipeline(pipeline, pipeline)
    _refuse_unreadable(wanted, stands)
    there = [(Reading(place, one.region, asked, now), one) for one in wanted]
    others = [
        reading.pipeline(one.name, one.label) for reading, one in there
    ]  # every name is looked up before much is read
    own = here.own(stands)
    upstreams = tuple(
        reading.upstream(other) for (reading, _), other in zip(there, others, strict=True)
    )
    findings = find(own.executions, {one.label: one.executions for one in upstreams}, own.mode, now)
    since = max(asked, own.created)
    later = (*of_entries(wanted), *cautions(own, upstreams, asked, now, findings))
    report = Report(own, upstreams, since, now, findings, later, tuple(of_its_own_gate(own)))
    place.show(_page(report, place.console), report.as_json())


def _dependency(entry: Entry) -> Dependency:
    try:
        wanted = dependency.parse_entry(entry)
    except Misconfigured as error:
        raise Refused(str(error)) from None
    if wanted.stage:
        stage = f"{wanted.name}/{wanted.stage}"
        raise Refused(
            f"{stage} is one stage. AWS lists when executions began and ended, not their stages: "
            f"name the whole of {wanted.name}."
        )
    return wanted


def _refuse_unreadable(wanted: Iterable[Dependency], own: Past) -> None:
    """Raise Refused where one is the pipeline itself, or in an account that these credentials are
    not of.
    """
    for one in wanted:
        if one.is_pipeline(own.name, own.region, own.account):
            raise Refused(
                f"{own.name} cannot wait for itself: name another pipeline with --depends-on."
            )
        if one.account not in (None, own.account):
            raise Refused(
                f"{one.name} is in account {one.account}, and these credentials are of "
                f"{own.account}: what ran there cannot be read with "
                "them, and --profile chooses one account for all. Leave it out."
            )


def _page(report: Report, console: Console) -> Group:
    found, width = strips(report), console.width
    lines = (
        [Text(), Text("When they were at work", style="bold"), *overview(report, width)]
        if report.findings.executions
        else []
    )
    if found:
        lines += [Text(), Text("The worst overlaps", style="bold"), Text(LEGEND, style="dim")]
    for strip in found[:WORST]:
        lines += [Text(), *drawn(strip, report, width)]
    if len(found) > WORST:
        lines += [Text(), Text(f"{len(found) - WORST} more: --json", style="dim")]
    shown = map(plain, lines) if console.options.ascii_only else lines
    return Group(told(report, width), *shown, Text(), notes(report))
