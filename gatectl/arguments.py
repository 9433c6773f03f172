"""Checks the names of pipelines, the entries of --depends-on and the durations that people type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

from chalicelib.errors import Misconfigured
from chalicelib.parameters import refuse_closed_accounts, refuse_other_partitions, refuse_self
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.session import Place, Refused
from gatectl.wording import describe_missing_pipeline

Entry = str | dict[str, object]
"""An entry of depends_on in UserParameters."""
LONGEST_DURATION = timedelta(days=365)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


# Pipelines


def build_missing_pipeline_error(place: Place, name: str, region: str | None = None) -> Refused:
    """Return the error for a missing pipeline of `region` (default: the command's region)."""
    names = list(place.connect_codepipeline(region).list_pipelines())
    instead = (
        f"; there {'are' if len(names) > 1 else 'is'} {join_names(names)}."
        if names
        else ", nor any other. Is this the right region (--region) and account (--profile)?"
    )
    missing = describe_missing_pipeline(name, region or place.region, names, instead)
    return Refused(f"{missing}{_format_case_hint(name, names)}")


def _format_case_hint(name: str, names: Iterable[str]) -> str:
    """Return a sentence to add if `name` differs from one of `names` only in its case."""
    differs_in_case = any(candidate.lower() == name.lower() for candidate in names)
    return " Names are case-sensitive." if differs_in_case else ""


# Upstreams


def parse_entries(texts: Iterable[str]) -> list[Entry]:
    """Return the entries of depends_on: names, ARNs, "infra/Deploy" for one stage of infra (as in a
    stage's ARN; guide: security_iam_service-with-iam), or JSON. Raises Refused if one is invalid.
    """
    entries: list[Entry] = []
    for text in texts:
        if text.lstrip().startswith("{"):
            entries.append(_parse_json_entry(text))
        else:
            names = filter(None, map(str.strip, text.split(",")))
            entries += map(_parse_named_entry, names)
    if not entries:
        raise Refused("--depends-on is empty. Name the pipelines to wait for.")
    return [entry for number, entry in enumerate(entries) if entry not in entries[:number]]


def _parse_named_entry(text: str) -> Entry:
    pipeline, slash, stage = text.partition("/")
    return {"pipeline": pipeline, "stage": stage} if slash else pipeline


def _parse_json_entry(text: str) -> Entry:
    try:
        entry: Entry = json.loads(text)
    except ValueError as error:
        raise Refused(
            f"--depends-on {text} is not valid JSON ({error}). Write, in single quotes: "
            '\'{"pipeline": "infra", "require": "succeeded"}\'.'
        ) from None
    return entry


def refuse_missing_upstreams(place: Place, pipeline: str, depends_on: Iterable[Dependency]) -> None:
    """Raise Refused if `pipeline` would wait for itself, or if an upstream does not exist."""
    depends_on = tuple(depends_on)
    account = place.caller.account if any(upstream.account for upstream in depends_on) else ""
    try:
        refuse_self(depends_on, pipeline, place.region, account)
        if account:
            refuse_closed_accounts(depends_on, account)
            refuse_other_partitions(depends_on, place.caller.partition)
    except Misconfigured as error:
        raise Refused(str(error)) from None
    pipelines: dict[str, list[str]] = {}
    for upstream in depends_on:
        region = upstream.region or place.region
        if upstream.account in (None, account):
            if region not in pipelines:
                pipelines[region] = list(place.connect_codepipeline(region).list_pipelines())
            if upstream.name not in pipelines[region]:
                raise build_missing_pipeline_error(place, upstream.name, region)
            if upstream.stage:
                _refuse_missing_stage(place, region, upstream.name, upstream.stage)


def _refuse_missing_stage(place: Place, region: str, pipeline: str, name: str) -> None:
    declared, _ = place.connect_codepipeline(region).read_declaration(pipeline)
    stages = [stage["name"] for stage in declared["stages"]]
    if name not in stages:
        raise Refused(describe_missing_stage(pipeline, name, stages))


def describe_missing_stage(pipeline: str, name: str, stages: Sequence[str]) -> str:
    hint = _format_case_hint(name, stages)
    return f"{pipeline} has no stage {name}; it has {join_names(stages)}.{hint}"


# Durations


def parse_duration(option: str, text: str) -> timedelta:
    """Return the duration that an option names: "90m", "24h" or "7d". Raises Refused."""
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip())
    duration = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not timedelta() < duration <= LONGEST_DURATION:
        raise Refused(
            f"{option} {text} is not a time. Write a number and m, h or d, such as 90m, 24h or 7d: "
            f"at most {LONGEST_DURATION.days}d."
        )
    return duration
