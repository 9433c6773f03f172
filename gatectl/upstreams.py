"""The pipelines that a command line names with --depends-on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.account import graph
from chalicelib.account.cycles import MEND, classify_circles
from chalicelib.account.gates import is_local
from chalicelib.account.pipeline import AccountView, Pipeline
from chalicelib.account.reader import MAX_CALLS_AT_ONCE
from chalicelib.errors import Misconfigured
from chalicelib.parameters import refuse_closed_accounts, refuse_self
from chalicelib.phrases import join_names
from chalicelib.pipelines.dependency import Dependency
from chalicelib.pipelines.wait_cycles import MAX_PIPELINES_IN_A_CYCLE
from gatectl import names
from gatectl.session import Place, Refused

Entry = str | dict[str, object]


def entries(given: Iterable[str]) -> list[Entry]:
    """The entries of depends_on that these say: names, ARNs, "infra/Deploy" for one stage of infra;
    or a JSON entry as it is.

    AWS writes a stage's ARN like that, too (guide: security_iam_service-with-iam). Raises Refused
    where JSON is broken.
    """
    found: list[Entry] = []
    for one in given:
        found += (
            [_json(one)]
            if one.lstrip().startswith("{")
            else [_named(name) for name in names.split([one])]
        )
    if not found:
        raise Refused("--depends-on names no pipeline: say which ones shall be waited for.")
    return [one for number, one in enumerate(found) if one not in found[:number]]


def _named(text: str) -> Entry:
    pipeline, slash, stage = text.partition("/")
    return {"pipeline": pipeline, "stage": stage} if slash else pipeline


def _json(text: str) -> Entry:
    try:
        entry: Entry = json.loads(text)
    except ValueError as error:
        raise Refused(
            f"--depends-on {text} is not valid JSON ({error}). Right would be, in single quotes: "
            '\'{"pipeline": "infra", "require": "succeeded"}\'.'
        ) from None
    return entry


def refuse_missing(place: Place, pipeline: str, depends_on: Iterable[Dependency]) -> None:
    """Raise Refused where `pipeline` would wait for itself, or for what is not there, as far as
    these credentials can see.
    """
    depends_on = tuple(depends_on)
    there: dict[str, list[str]] = {}
    account = place.account if any(one.account for one in depends_on) else ""
    try:
        refuse_self(depends_on, pipeline, place.region, account)
        if account:
            refuse_closed_accounts(depends_on, account)
    except Misconfigured as error:
        raise Refused(str(error)) from None
    for one in depends_on:
        region = one.region or place.region
        if one.account in (None, account):
            if region not in there:
                there[region] = names.existing(place, region)
            if one.name not in there[region]:
                raise names.no_such_pipeline(place, one.name, region)
            if one.stage:
                _refuse_missing_stage(place, region, one.name, one.stage)


def _refuse_missing_stage(place: Place, region: str, pipeline: str, stage: str) -> None:
    declared = place.client("codepipeline", region).get_pipeline(name=pipeline)["pipeline"]
    stages = [one["name"] for one in declared["stages"]]
    if stage not in stages:
        raise Refused(
            f"{pipeline} has no stage {stage}; it has "
            f"{join_names(stages)}.{names.case_counts(stage, stages)}"
        )


def deadlocks(place: Place, declared: Mapping[str, Any]) -> list[str]:
    """A sentence or two for each circle that can come to a stop, in the pipeline that is so
    declared and those that it waits for.
    """
    pipelines = _along(place, Pipeline.parse(declared))
    found = classify_circles(
        graph.list_edges(AccountView(pipelines, (), ()), place.region), pipelines
    )
    return [f"{circle} {MEND}" for circle in found if circle.kind != "turns"]


def _along(place: Place, pipeline: Pipeline) -> dict[str, Pipeline]:
    """It and its upstreams of this region, and theirs, as far as a gate looks. One that is not
    there, or may not be seen, is left out.
    """
    codepipeline = place.client("codepipeline")

    def look(name: str) -> Pipeline | None:
        try:
            return Pipeline.parse(codepipeline.get_pipeline(name=name)["pipeline"])
        except (
            ClientError,
            BotoCoreError,
        ):  # who is not seen is in no circle that is told, and stops nobody from attaching
            return None

    read: dict[str, Pipeline] = {}
    nearest: list[Pipeline] = [pipeline]
    asked = {pipeline.name}
    with ThreadPoolExecutor(MAX_CALLS_AT_ONCE) as pool:
        for _ in range(MAX_PIPELINES_IN_A_CYCLE + 1):
            read |= {one.name: one for one in nearest}
            ahead = {
                one.name
                for each in nearest
                for one in each.depends_on
                if is_local(one, place.region)
            } - asked
            asked |= ahead
            nearest = [one for one in pool.map(look, sorted(ahead)) if one]
    return read
