"""`gatectl history`: what a gate would have done, from the account's past. It only reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from rich.console import Group
from rich.text import Text

from chalicelib.errors import Misconfigured
from chalicelib.pipelines.dependency import Dependency, parse_entry
from chalicelib.pipelines.execution import NAME
from gatectl import completion
from gatectl.arguments import Entry, build_missing_pipeline_error, parse_entries
from gatectl.history.picture import draw_picture
from gatectl.history.reading import HistoryReader
from gatectl.history.replay import replay_executions
from gatectl.history.report import PipelinePast, Report
from gatectl.history.texts import (
    list_cautions,
    list_dependency_cautions,
    list_own_gate_cautions,
    write_figures,
    write_notes,
)
from gatectl.session import Place, Refused, add_options

MAX_DAYS = 365
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
    help="What it would wait for: a name, an ARN in another region, or an object as for attach. "
    "Repeat the option, or separate names with commas.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    default=90,
    show_default=True,
    help="How far to look back. AWS keeps 12 months.",
)
@add_options
def history(place: Place, pipeline: str, depends_on: tuple[str, ...], days: int) -> None:
    """Show what a gate in PIPELINE would have done in the past.

    Calculates from the executions that AWS still lists how often PIPELINE ran while the others were
    running, how many of those executions failed, and how often and how long a gate would have held
    it, for each value of `require` and `hold`. PIPELINE does not need a gate. Changes nothing.

    \b
    Example: gatectl history k8s --depends-on infra --days 90

    \b
    With --json, prints an object. Times are ISO 8601 in UTC; null: not ended yet.
      pipeline, mode, since, until
      executions, overlapping, began_while_upstream_ran, apart
                  each {count, finished, failed}; finished: with a result
      upstreams   [{pipeline, arn, count, finished, failed}]
      policies    [{require, held, still_held, median_seconds, longest_seconds, total_seconds,
                  holds, ways}]
        holds     [{execution, since, until, seconds}]
        ways      [{hold, failed, go_on, replaced, waiting, overlapping, executions}]
                  executions: those that continue
      overlaps    [{execution, status, started, ended, upstreams}]
        upstreams [{pipeline, execution, status, started, ended}]
      warnings    sentences
    """
    now = datetime.now(UTC)
    window_begin = now - timedelta(days=days)
    dependencies = _parse_dependencies(parse_entries(depends_on))
    if not re.fullmatch(NAME, pipeline):
        raise build_missing_pipeline_error(place, pipeline)
    reader = HistoryReader(place, None, window_begin, now)
    dependent = reader.read_pipeline(pipeline, pipeline)
    _refuse_unreadable(dependencies, dependent)
    unread_upstreams = []  # check every name before reading the executions
    for dependency in dependencies:
        upstream_reader = HistoryReader(place, dependency.region, window_begin, now)
        upstream = upstream_reader.read_pipeline(dependency.name, dependency.label)
        unread_upstreams.append((upstream_reader, upstream))
    dependent = reader.add_dependent_executions(dependent)
    upstreams = [each.add_upstream_executions(upstream) for each, upstream in unread_upstreams]
    replay = replay_executions(
        dependent.executions,
        {upstream.label: upstream.executions for upstream in upstreams},
        dependent.mode,
        now,
    )
    report = Report(
        pipeline=dependent,
        upstreams=tuple(upstreams),
        since=max(window_begin, dependent.created),
        now=now,
        replay=replay,
        cautions=(
            *list_dependency_cautions(dependencies),
            *list_cautions(dependent, upstreams, window_begin, now, replay),
        ),
        leading_cautions=tuple(list_own_gate_cautions(dependent)),
    )
    width, ascii_only = place.console.width, place.console.options.ascii_only
    picture = draw_picture(report, width, ascii_only=ascii_only)
    page = Group(*write_figures(report, width), *picture, Text(), *write_notes(report))
    place.show(page, report.to_json())


def _parse_dependencies(depends_on: Sequence[Entry]) -> list[Dependency]:
    """Return the dependencies, each pipeline once. Raises Refused if one is a single stage."""
    dependencies: dict[str, Dependency] = {}
    for entry in depends_on:
        try:
            dependency = parse_entry(entry)
        except Misconfigured as error:
            raise Refused(str(error)) from None
        if dependency.stage:
            raise Refused(
                f"{dependency.name}/{dependency.stage} is a single stage. AWS lists when "
                "executions started and ended, but not when their stages did. Name only the "
                f"pipeline: {dependency.name}."
            )
        dependencies[dependency.pipeline] = dependency
    return list(dependencies.values())


def _refuse_unreadable(dependencies: Sequence[Dependency], pipeline: PipelinePast) -> None:
    """Raise Refused for the pipeline itself, and for upstreams in other accounts."""
    for dependency in dependencies:
        if dependency.is_pipeline(pipeline.name, pipeline.region, pipeline.account):
            raise Refused(
                f"{pipeline.name} cannot wait for itself: name another pipeline with --depends-on."
            )
        if dependency.account not in (None, pipeline.account):
            raise Refused(
                f"{dependency.name} is in account {dependency.account}, but your credentials are "
                f"for account {pipeline.account} and cannot read what ran there. Remove "
                f"{dependency.name} from --depends-on."
            )
