"""What people type on a command line: names of pipelines, entries of --depends-on, numbers of
minutes; and what to say if it is wrong.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

import click

from chalicelib.errors import Misconfigured
from chalicelib.parameters import refuse_closed_accounts, refuse_self
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from gatectl.session import Place, Refused

Entry = str | dict[str, object]
"""An entry of depends_on in UserParameters."""


# Pipelines


def split_names(texts: Iterable[str]) -> list[str]:
    """Names that were typed as several options, or separated by commas, or both; each once, in
    order.
    """
    names = [name.strip() for text in texts for name in text.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def build_missing_pipeline_error(place: Place, name: str, region: str | None = None) -> Refused:
    """The error to raise for a pipeline that does not exist. `region`: where it was looked for, if
    not in the command's region.
    """
    names = list(place.connect_codepipeline(region).list_pipelines())
    missing = f"There is no pipeline {name} in {region or place.region}"
    if not names:
        return Refused(
            f"{missing}, nor any other. Is this the region (--region), and the account (--profile)?"
        )
    close = _find_other_case(name, names) or difflib.get_close_matches(name, names, n=1)
    suggestion = (
        f"did you mean {close[0]}?"
        if close
        else f"there {'are' if len(names) > 1 else 'is'} {join_names(names)}."
    )
    return Refused(f"{missing}; {suggestion}{format_case_hint(name, names)}")


def format_case_hint(name: str, names: Iterable[str]) -> str:
    """A sentence to add if one of `names` differs from `name` only in upper and lower case, or
    "".
    """
    return " Upper and lower case count." if _find_other_case(name, names) else ""


def _find_other_case(name: str, names: Iterable[str]) -> list[str]:
    return [candidate for candidate in names if candidate.lower() == name.lower()]


# Upstreams


def parse_entries(texts: Iterable[str]) -> list[Entry]:
    """The entries of depends_on that --depends-on stands for: names, ARNs, "infra/Deploy" for one
    stage of infra, or a JSON entry as it is.

    AWS writes a stage's ARN with a slash, too (guide: security_iam_service-with-iam). Raises
    Refused for broken JSON.
    """
    entries: list[Entry] = []
    for text in texts:
        entries += (
            [_parse_json_entry(text)]
            if text.lstrip().startswith("{")
            else [_parse_named_entry(name) for name in split_names([text])]
        )
    if not entries:
        raise Refused("--depends-on names no pipeline: say which ones shall be waited for.")
    return [entry for number, entry in enumerate(entries) if entry not in entries[:number]]


def _parse_named_entry(text: str) -> Entry:
    pipeline, slash, stage = text.partition("/")
    return {"pipeline": pipeline, "stage": stage} if slash else pipeline


def _parse_json_entry(text: str) -> Entry:
    try:
        entry: Entry = json.loads(text)
    except ValueError as error:
        raise Refused(
            f"--depends-on {text} is not valid JSON ({error}). Right would be, in single quotes: "
            '\'{"pipeline": "infra", "require": "succeeded"}\'.'
        ) from None
    return entry


def refuse_missing_upstreams(place: Place, pipeline: str, depends_on: Iterable[Dependency]) -> None:
    """Raise Refused if `pipeline` would wait for itself, or for something that does not exist, as
    far as these credentials can see.
    """
    depends_on = tuple(depends_on)
    account = place.caller.account if any(upstream.account for upstream in depends_on) else ""
    try:
        refuse_self(depends_on, pipeline, place.region, account)
        if account:
            refuse_closed_accounts(depends_on, account)
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
        raise Refused(
            f"{pipeline} has no stage {name}; it has "
            f"{join_names(stages)}.{format_case_hint(name, stages)}"
        )


# Minutes


class MinutesRange(click.IntRange):
    """A whole number of minutes from `least` to `most`."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"{str(value)!r} is not a whole number of minutes, {self.min} to {self.max}.",
                param,
                ctx,
            )


class MinutesChoice(click.Choice[str]):
    """One of these numbers of minutes, as text; a shell completes them."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        super().__init__([str(number) for number in numbers])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            *numbers, last = self.choices
            self.fail(
                f"{str(value)!r} is not a whole number of minutes that divides 60: "
                f"{', '.join(numbers)} or {last}.",
                param,
                ctx,
            )
